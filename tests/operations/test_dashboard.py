"""The command that starts the page, and ends it."""

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from operations import dashboard


def test_whoever_ends_the_command_ends_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page stays on its port without the command that began it."""
    started: list[subprocess.Popen[bytes]] = []

    def launch(*_: Any, **__: Any) -> "subprocess.Popen[bytes]":
        waits = "import sys; print(flush=True); sys.stdin.read()"
        child = subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(child)
        return child

    def end() -> None:
        assert started[0].stdout is not None
        started[0].stdout.readline()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(dashboard, "launch", launch)
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(subprocess.Popen, "wait", _after(end, subprocess.Popen.wait))

    code = dashboard.start(None)  # type: ignore[arg-type]  # only `launch` looks at it

    with started[0]:
        assert code == 128 + signal.SIGTERM
        assert started[0].poll() is not None
    assert signal.getsignal(signal.SIGTERM) == before


def _after(first: Any, wait: Any) -> Any:
    """Waits, and has something done meanwhile."""

    def waiting(self: Any, timeout: float | None = None) -> int:
        if self.returncode is None and timeout is None:
            threading.Thread(target=first, daemon=True).start()
        found: int = wait(self, timeout)
        return found

    return waiting
