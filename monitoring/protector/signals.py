"""A signal, or a lower priority, for exactly one process: a number that was given to another meanwhile is not meant.

A descriptor of the process (pidfd, Linux 5.3) is taken first, and its start is compared after that: from then on the
signal can reach no other process, whatever happens in between. Where there is none, the start is compared last.
"""

import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from utils.host.processes import Identity, ProcessStat

__all__ = ["LOWEST", "Outcome", "ProcessFacts", "lower", "send"]

Outcome = Literal["done", "gone", "immune", "refused"]
"""What came of it: `gone`: it had ended, or its number belongs to another; `immune`: it has become so meanwhile;
`refused`: the system does not let us."""

LOWEST = 19
"""The lowest priority there is, as `nice` counts."""

One = Callable[[int], ProcessStat | None]
"""Looks at one process as it is now."""


def send(process: Identity, number: signal.Signals, one: One, may: Callable[[ProcessStat], bool]) -> Outcome:
    """Send a signal to a process, if it is still the same and may still be touched.

    Args:
        may: Judges the process as it is now: it may have begun a session, or changed its name or user.
    """
    try:
        with _pinned(process[0]) as pinned:
            if (refusal := _judged(process, one, may)) is not None:
                return refusal
            if pinned is None:
                os.kill(process[0], number)
            else:
                signal.pidfd_send_signal(pinned, number)
    except ProcessLookupError:
        return "gone"
    except OSError:
        return "refused"
    return "done"


def lower(process: Identity, one: One, may: Callable[[ProcessStat], bool]) -> Outcome:
    """Give all threads of a process the lowest priority; its disk priority follows from that."""
    try:
        with _pinned(process[0]):
            if (refusal := _judged(process, one, may)) is not None:
                return refusal
            for thread in Path(f"/proc/{process[0]}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):  # this thread has ended
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST)
    except (ProcessLookupError, FileNotFoundError):
        return "gone"
    except OSError:
        return "refused"
    return "done"


def _judged(process: Identity, one: One, may: Callable[[ProcessStat], bool]) -> Outcome | None:
    now = one(process[0])
    if now is None or now.identity != process or now.state in {"Z", "X"}:
        return "gone"
    return None if may(now) else "immune"


@contextlib.contextmanager
def _pinned(pid: int) -> Iterator[int | None]:
    """A descriptor of whoever has this number; None: this system has none.

    Raises:
        ProcessLookupError: nobody has it.
    """
    descriptor: int | None = None
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError) as error:
        if isinstance(error, ProcessLookupError):
            raise
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


class ProcessFacts:
    """What /proc tells of one process beyond its line in the table."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def command(self, pid: int) -> Sequence[str]:
        """Its arguments; none: not to be had."""
        try:
            text = (self._proc / str(pid) / "cmdline").read_bytes()
        except OSError:
            return ()
        return [part.decode(errors="replace") for part in text.split(b"\0") if part]

    def cgroup(self, pid: int) -> str:
        """The path of its cgroup (v2); "": not to be had."""
        try:
            lines = (self._proc / str(pid) / "cgroup").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line[3:] for line in lines if line.startswith("0::")), "")

    def written(self, pid: int) -> int | None:
        """Bytes that it had written to disks so far, without what it removed before it got there; None: not told."""
        try:
            text = (self._proc / str(pid) / "io").read_text()
            fields = dict(line.split(": ") for line in text.splitlines())
            return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])
        except (OSError, KeyError, ValueError):
            return None

    def writes_to(self, pid: int, device: int) -> bool:
        """Whether it has a file open on a device just now, and may write to it."""
        try:
            for descriptor in (self._proc / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):  # closed meanwhile
                    about = descriptor.stat()
                    writable = descriptor.lstat().st_mode & stat.S_IWUSR  # so does the kernel tell how it was opened
                    if writable and about.st_dev == device and stat.S_ISREG(about.st_mode):
                        return True
        except OSError:
            pass
        return False
