"""Several processes that write to one log and may be killed, and what must hold of the log then."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.utils.events.counts import Counts, open_at
from utils.events import EventStore

PATIENCE_S = 120.0
"""How long the writers may take before a test gives them up."""


@dataclass
class Writers:
    """Four processes of three callers each; who dies is replaced.

    Attributes:
        pids: Of the living, by name.
        kills: How many were killed so far.
    """

    address: str
    acknowledged: Path
    errors: Path
    parent: "subprocess.Popen[str]"
    pids: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    _read: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _look_again: threading.Event = field(default_factory=threading.Event)

    def start(self) -> str:
        """One more; gives its name."""
        name = f"writer{len(self.pids) + self.kills}"
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        print(name, file=self.parent.stdin, flush=True)
        self.pids[name] = int(self.parent.stdout.readline())
        return name

    def kill(self, name: str) -> None:
        """`kill -9`, and wait until the process is gone."""
        pid = self.pids.pop(name)
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        while Path(f"/proc/{pid}").exists():
            self._look_again.wait(0.002)

    def count(self, name: str) -> int:
        """How many events were acknowledged to this process."""
        with self.acknowledged.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                writer = line.decode().partition(".")[0]
                self._counts[writer] = self._counts.get(writer, 0) + 1
                self._read += len(line)
        return self._counts.get(name, 0)

    def wrote(self, name: str, more: int) -> None:
        """Wait until so many more events were acknowledged to this process, however slow the machine is today."""
        wanted, end = self.count(name) + more, time.monotonic() + PATIENCE_S
        while self.count(name) < wanted:
            assert name in self.pids
            assert Path(f"/proc/{self.pids[name]}").exists(), f"{name} died by itself: {self.errors.read_text()}"
            assert time.monotonic() < end, f"{name} does not go on"
            self._look_again.wait(0.005)

    def check(self) -> int:
        """The log is whole, and has what was acknowledged where it was acknowledged; gives its length.

        Once all are dead: its views are also what a replay makes of it.
        """
        told = [line.split() for line in self.acknowledged.read_text().splitlines(keepends=True) if line.endswith("\n")]
        with closing(open_at(self.address)) as database, closing(EventStore(database, projections=[Counts()])) as log:
            found = log.verify()
            assert found.fault is None, found.fault
            stored = dict(database.query("SELECT id, seq FROM events"))
            assert sorted(stored.values()) == list(range(1, len(stored) + 1))
            assert found.events <= len(stored)
            assert len(told) == len({line[2] for line in told})
            missing = [line for line in told if stored.get(line[2]) != int(line[1])]
            assert not missing, f"acknowledged, and not there: {missing[:5]}"
            if not self.pids:
                live = sorted(database.query("SELECT * FROM counts"))
                assert log.rebuild() == found.events == len(stored)
                assert sorted(database.query("SELECT * FROM counts")) == live
        return found.events


@contextmanager
def writers(address: str, folder: Path, count: int = 4) -> Iterator[Writers]:
    """Nothing may be said on the standard error; all are dead afterwards."""
    acknowledged, errors = folder / "acknowledged.txt", folder / "errors.txt"
    acknowledged.touch()
    open_at(address).close()
    command = [sys.executable, str(Path(__file__).with_name("log_storm.py")), address, str(acknowledged)]
    with errors.open("w") as told, _forking(command, told) as parent:
        some = Writers(address, acknowledged, errors, parent)
        for _ in range(count):
            some.start()
        yield some
        for name in list(some.pids):
            some.kill(name)
    said = errors.read_text()
    assert not said, said


@contextmanager
def _forking(command: list[str], errors: IO[str]) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    ) as parent:
        try:
            yield parent
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
