"""One child process with its whole group and the last lines that it wrote."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["Child"]

_LONGEST_LINE = 500
_CHUNK = 65_536
_KILLED_WITHIN_S = 10.0
_GUARD = 'read _; kill -s TERM -- "-$1" 2>/dev/null; sleep "$2"; kill -s KILL -- "-$1" 2>/dev/null'
"""Its standard input ends when the process ends that holds the other side, whatever ended it."""

_GROUP_GONE_WITHIN_S = 1.0


class Child:
    """A process in a session of its own, so that it ends together with everything it started.

    It also ends when this process is killed: a guard of a few lines of shell waits for that, and sees to it.

    What it writes is read as it comes, so that it never waits for a reader; only the end is kept.

    Args:
        command: Program and arguments; no shell.
        lines: How many lines of its output are kept.
        redacted: Takes secrets out of them.
        ended: Called once it is gone, in a thread of this object.

    Raises:
        OSError: It cannot be started: there is no such program, or no right to run it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        lines: int = 30,
        redacted: Callable[[str], str] = str,
        ended: Callable[[], object] = bool,
    ) -> None:
        self._redacted, self._ended = redacted, ended
        self._tail: deque[str] = deque(maxlen=lines)
        self._signalling = threading.Lock()
        self._reaped = False
        self._gone = threading.Event()
        self._enough, self._stop_reading = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the configuration's own
                command,
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._enough)
            os.close(self._stop_reading)
            raise
        self.pid = self._process.pid
        self._guard = subprocess.Popen(  # noqa: S603 - our own lines
            ["/bin/sh", "-c", _GUARD, "guard", str(self.pid), str(_KILLED_WITHIN_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        name = Path(command[0]).name
        self._reading = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reading.start()
        threading.Thread(target=self._wait, name=f"end of {name}", daemon=True).start()

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs; negative: the signal that ended it."""
        return self._process.returncode if self._gone.is_set() else None

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    def tail(self) -> tuple[str, ...]:
        """The last lines that it wrote, on both outputs."""
        return tuple(self._tail)

    def end(self, grace_s: float) -> bool:
        """Ask the whole group to end, and after `grace_s` seconds end it; comes back once it is gone.

        False: it is not, as the system let nobody end it (it runs as another user, or hangs in the kernel).
        """
        self._signal(signal.SIGTERM)
        if self._gone.wait(grace_s):
            return True
        self._signal(signal.SIGKILL)
        return self._gone.wait(_KILLED_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        """To the group; only as long as its number is surely still ours."""
        with self._signalling:
            if not self._reaped:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter also for zombies on macOS
                    os.killpg(self.pid, number)

    def _wait(self) -> None:
        if hasattr(os, "waitid"):  # not on macOS before Python 3.13
            # Not reaped yet: as long as it is a zombie nobody else gets its number, and the rest of its group can be
            # ended without hitting a stranger.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        self._signal(signal.SIGKILL)
        with self._signalling:
            self._process.wait()
            self._reaped = True
        self._until_group_is_gone()
        self._guard.kill()  # before the number of the group may be another's
        with self._guard:
            pass
        os.write(self._stop_reading, b"!")
        self._reading.join()
        os.close(self._enough)
        os.close(self._stop_reading)
        self._gone.set()
        self._ended()

    def _until_group_is_gone(self) -> None:
        """What was killed dies a moment later. Where nobody reaps orphans, zombies stay: so not for long."""
        ends = time.monotonic() + _GROUP_GONE_WITHIN_S
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < ends:
                os.killpg(self.pid, 0)
                time.sleep(0.002)

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        os.set_blocking(output.fileno(), False)
        rest = b""
        with output, selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(self._enough, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if output.fileno() in ready:
                    if not (chunk := os.read(output.fileno(), _CHUNK)):
                        break
                    rest = self._keep(rest + chunk)
                else:  # its end came, and all it wrote before is read; a stray child may hold the pipe for ever
                    break
        if rest:
            self._keep(rest + b"\n")

    def _keep(self, text: bytes) -> bytes:
        """Keep whole lines; gives what is left of the last one, as far as it may still grow."""
        *lines, rest = text.split(b"\n")
        for line in lines:
            self._tail.append(self._redacted(line.decode(errors="replace").rstrip("\r"))[:_LONGEST_LINE])
        return rest[-_CHUNK:]
