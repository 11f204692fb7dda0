"""Commands of the program as real processes, without the time that loading it takes.

One process loads the program and then forks another for each command: with its own process id, environment, folder,
standard streams and exit, as if it had been started. What is about starting itself (imports, memory, the interpreter's
own options) starts it for real.
"""

import array
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]

LOADED = (
    "cli.main",
    "operations.run",
    "operations.status",
    "operations.maintain",
    "data_pipeline.runner",
    "operations.show",
)
"""What nearly every command needs; the rest is imported by those that do."""


def execute(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the program to its end, as `subprocess.run` would run `integrated_system.py ARGUMENTS`.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds; it was killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as nothing:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(_address())
            line.settimeout(timeout)
            streams = array.array("i", [nothing.fileno(), out.fileno(), err.fileno()])
            line.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
            answer = line.makefile("rw", encoding="utf-8")
            answer.write(json.dumps(asked) + "\n")
            answer.flush()
            pid = int(answer.readline())
            try:
                code = int(answer.readline())
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from error
            finally:
                answer.close()
        return subprocess.CompletedProcess(list(arguments), code, _read(out), _read(err))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


_starting = threading.Lock()


def _address() -> str:
    with _starting:
        return _started(os.getpid())


@cache
def _started(_process: int) -> str:
    """The socket of this process's loaded program, which ends when this process does."""
    folder = tempfile.mkdtemp(prefix="warm-")
    address = f"{folder}/socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", address], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def stop() -> None:
        server.communicate()
        Path(address).unlink()
        Path(folder).rmdir()

    atexit.register(stop)
    return address


def _serve(address: str) -> None:
    import importlib
    import select

    for name in LOADED:
        importlib.import_module(name)
    import_arrow()
    wait_for_redis()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who looks after a command ends unseen
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"ready\n")
        while sys.stdin not in (ready := select.select([sys.stdin, listener], [], [])[0]):
            assert ready
            line, _ = listener.accept()
            with line:
                if os.fork() == 0:
                    listener.close()
                    _look_after(line)


def import_arrow() -> None:
    """Arrow without pandas, as the program loads it."""
    from utils.arrow import compute, pa

    assert pa is not None
    assert compute is not None


def wait_for_redis() -> None:
    """A Redis that is slow because the machine is busy is not away."""
    from utils.cache import redis_line

    redis_line.CONNECT_WITHIN_S = redis_line.ANSWER_WITHIN_S = 60.0  # type: ignore[misc]


def _look_after(line: socket.socket) -> None:
    """Start a command and tell its exit code; the command itself returns from here by raising."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    streams = array.array("i")
    _, ancillary, _, _ = line.recvmsg(1, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    with line.makefile("rw", encoding="utf-8") as talk:
        asked = json.loads(talk.readline())
        pid = os.fork()
        if pid != 0:
            talk.write(f"{pid}\n")
            talk.flush()
            _, status = os.waitpid(pid, 0)
            talk.write(f"{os.waitstatus_to_exitcode(status)}\n")
            talk.flush()
            os._exit(0)
    line.close()
    _become(asked, streams)


def _become(asked: Mapping[str, Any], streams: "array.array[int]") -> None:
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    sys.argv = [str(ROOT / "integrated_system.py"), *asked["arguments"]]
    from cli.main import main

    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
