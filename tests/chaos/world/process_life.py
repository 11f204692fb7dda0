"""A world of real processes: they are ended, held up and killed while they work, and after each step all must hold."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

from integrated_system import IntegratedSystem
from operations.alerting import deliver
from tests.chaos.world.checks import GROWTH, HANDLES, THREADS, calm, violations
from tests.chaos.world.configuration import configured
from tests.chaos.world.crowd import Crowd
from tests.chaos.world.disk import Disk
from tests.chaos.world.life import FILES, Violation, overwrite
from tests.chaos.world.provider import Providers
from tests.chaos.world.script import Script, Step
from tests.chaos.world.seen import Seen, look
from tests.faulty_server import FaultyServer
from utils.database import StateError

__all__ = ["ProcessLife", "live_in_processes"]

PATIENCE_S = 120.0
"""How long a process may take to end before the world gives it up."""

MEMORY = 48 * 2**20
"""Bytes that a run with little memory may take beyond what its process begins with."""

SHORTER = 200.0
"""Times as long does a slow provider take on a clock that is moved."""

QUICKLY = {"breaker": {"open_for": "200ms", "max_open_for": "500ms"}, "rate_limit": {"rate": 1000, "burst": 1000}}
"""So that a provider that is well again is asked again within a second."""

DEADLINE = "500ms"
"""Of a dataset: `too slow` is beyond it, `slow` within it on a machine that has time."""


@dataclass
class ProcessLife:
    """One world.

    Attributes:
        pids: Of those who stay (`serve`) and of runs, by name.
        port: Where the API is of who serves.
        full: Whether the disk is full now.
        kills: How many processes were killed.
    """

    script: Script
    folder: Path
    server: FaultyServer
    disk: Disk
    parent: "subprocess.Popen[str]"
    errors: Path
    done: list[Step] = field(default_factory=list)
    serving: int | None = None
    port: int = 0
    full: bool = False
    kills: int = 0
    _heard: int = 0
    _pause: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        script = self.script
        self.providers = Providers(script.tables, script.seed, time.time, self._slow)
        self.server.answer = self.providers.answer
        self.model = Crowd(script.tables)

    def step(self, step: Step) -> Seen | None:
        """Do it, and look; None: on a full disk nothing can be looked at.

        Raises:
            Violation: something does not hold.
        """
        self.done.append(step)
        _STEPS[step.what](self, step)
        if self.full:
            return None
        return self.look()

    def look(self) -> Seen:
        """What is there now.

        Raises:
            Violation: something does not hold.
        """
        # What went out, then what was told of it: the other way round somebody could be told of what nobody sent.
        told = self._acknowledged()
        self.model.went_out(self.providers.taken())
        for one in told:
            self.model.heard(one)
        with self._system() as system:
            seen = look(system, self.providers.told, self.model.head)
        self.model.went_out(self.providers.taken())  # of who went on meanwhile
        wrong = violations(self.model, seen, alone=False)
        if "Traceback" in (errors := self.errors.read_text()):
            wrong.append(f"a process said: {errors[-2000:]}")
        wrong += [*self.who_stays(), *self.who_answers()]
        self._wrong(wrong)
        return seen

    def _look_past_the_stopped(self) -> None:
        """Who was stopped while it opened a database keeps its lock: nobody waits for that for ever."""
        try:
            self.look()
        except StateError as error:
            if not error.transient:
                raise

    def calm_down(self) -> Seen:
        """All is well: what is left of the dead stops nobody, everything is delivered, every incident is over.

        Raises:
            Violation: it is not.
        """
        self._end_serving()
        for name in self.script.providers:
            self.step(Step("mood", name, "well"))
        self.step(Step("disk", "free"))
        end = time.monotonic() + PATIENCE_S
        while True:
            self.step(Step("runs", "1", "to their ends"))
            with self._system() as system:
                deliver(system)
                running = [one.run_id for one in system.views.runs(limit=100, status="running")]
            seen = self.look()
            wrong = [one for one in calm(self.model, seen) if not self._lasts(one, seen)]
            wrong += [f"run {name} is said to run, and nobody runs" for name in running]
            if not wrong or time.monotonic() > end:
                break
            self._pause.wait(0.3)
        self._wrong(wrong)
        return seen

    # --- steps ------------------------------------------------------------------------------------

    def mood(self, step: Step) -> None:
        self.providers.moods[step.about] = step.how

    def serve(self, step: Step) -> None:
        if step.how == "serve" and self.serving is None:
            self.port = _free_port()
            self.serving = self._start({"do": "serve", "port": self.port})

    def runs(self, step: Step) -> None:
        memory = MEMORY if step.how == "little memory" else 0
        pids = [self._start({"do": "run", "names": [], "memory": memory}) for _ in range(int(step.about))]
        if step.how.startswith("SIG"):
            self._pause.wait(step.much)
            for pid in pids:
                self._signal(pid, step.how)
        if step.how == "SIGSTOP":
            if not self.full:
                self._look_past_the_stopped()
            for pid in pids:
                self._signal(pid, "SIGCONT")
        for pid in pids:
            self._gone(pid)

    def signal(self, step: Step) -> None:
        if self.serving is None:
            return
        self._pause.wait(step.much)
        self._signal(self.serving, step.how)
        if step.how == "SIGSTOP":
            self.runs(Step("runs", "1", "to their ends"))
            self._signal(self.serving, "SIGCONT")
        else:
            self._gone(self.serving)
            self.serving = None

    def damage(self, step: Step) -> None:
        self._end_serving()  # files in use are not overwritten by a bad disk alone: SQLite holds pages in memory
        spoilt = [table.name for table in self.script.tables]
        paths = [self.folder / "state" / FILES[step.about]] if step.about in FILES else []
        if step.about == "a version":
            paths = sorted((self.folder / "state" / "storage" / "datasets").rglob("*.parquet"))[-1:]
            spoilt = [path.parent.name for path in paths]
        for path in paths:
            if path.exists():
                overwrite(path)
        if step.about in {"versions", "a version"}:
            self.model.damaged(spoilt)

    def disk_(self, step: Step) -> None:
        self.full = step.about == "full"
        if self.full:
            self.disk.fill(int(step.much))
        else:
            self.disk.free()

    # --- processes --------------------------------------------------------------------------------

    def _start(self, asked: dict[str, Any]) -> int:
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        print(json.dumps(asked), file=self.parent.stdin, flush=True)
        return int(self.parent.stdout.readline())

    def _signal(self, pid: int, name: str) -> None:
        if not Path(f"/proc/{pid}").exists():
            return
        self.kills += name == "SIGKILL"
        try:
            os.kill(pid, signal.Signals[name])
        except ProcessLookupError:
            return

    def _gone(self, pid: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > end:
                os.kill(pid, signal.SIGUSR1)
                self._pause.wait(1.0)
                os.kill(pid, signal.SIGKILL)
                self._wrong([f"a process does not end: {self.done[-1]}: {self.errors.read_text()}"])
            self._pause.wait(0.005)

    def _end_serving(self) -> None:
        if self.serving is not None:
            self._signal(self.serving, "SIGTERM")
            self._gone(self.serving)
            self.serving = None

    # --- details ----------------------------------------------------------------------------------

    def _slow(self, seconds: float) -> None:
        self._pause.wait(seconds / SHORTER)

    def who_answers(self) -> Iterator[str]:
        """The API of who serves tells how every dataset stands; or nobody is there, yet or any more."""
        if self.serving is None:
            return
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/status", timeout=PATIENCE_S)
        except httpx.TransportError as error:
            if isinstance(error, httpx.TimeoutException):
                yield f"the API does not answer within {PATIENCE_S:.0f} s"
            return
        told = {one["dataset"] for one in answer.json().get("datasets", [])} if answer.status_code == 200 else set()
        if told != {table.name for table in self.script.tables}:
            yield f"the API answers {answer.status_code}: {answer.text[:500]}"

    def who_stays(self) -> Iterator[str]:
        """What who serves must not have too much of."""
        if self.serving is None or (it := _standing(self.serving)) is None:
            return
        handles, threads, resident = it
        base = _standing(self.parent.pid)
        if handles > HANDLES:
            yield f"{handles} files are open in who serves"
        if threads > THREADS:
            yield f"{threads} threads are there in who serves"
        if base is not None and resident > base[2] + GROWTH:
            yield f"memory: who serves has {resident:,} bytes, and began with {base[2]:,}"

    def _acknowledged(self) -> list[dict[str, Any]]:
        """What was told since this was asked last; half a line belongs to who was killed while it wrote."""
        path = self.folder / "acknowledged"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        found, self._heard = whole[self._heard :], len(whole)
        return [json.loads(line) for line in found]

    @contextmanager
    def _system(self) -> Iterator[IntegratedSystem]:
        with IntegratedSystem(self.folder / "orchestrator.json", state_dir=self.folder / "state", environ={}) as system:
            yield system

    def _lasts(self, words: str, seen: Seen) -> bool:
        """An incident that came and went, or that a file was set aside, is over after an hour: nobody waits here."""
        lasting = {one.incident for one in seen.notices if one.kind == "flapping"}
        lasting |= {name for name, datasets in seen.active.items() if not datasets}
        return any(name in words for name in lasting)

    def _wrong(self, found: list[str]) -> None:
        if found:
            raise Violation(self.script, self.done, found)


_STEPS: dict[str, Callable[[ProcessLife, Step], None]] = {
    "mood": ProcessLife.mood,
    "serve": ProcessLife.serve,
    "runs": ProcessLife.runs,
    "signal": ProcessLife.signal,
    "damage": ProcessLife.damage,
    "disk": ProcessLife.disk_,
}


def live_in_processes(script: Script, server: FaultyServer, disk: Disk) -> ProcessLife:
    """A world from its first step to its calm end.

    Raises:
        Violation: something did not hold.
    """
    with disk.folder(f"processes-{script.seed}") as folder:
        config, errors = folder / "orchestrator.json", folder / "errors.txt"
        dataset = {"retry": {"attempts": 2, "initial": "10ms"}, "deadline": DEADLINE}
        defaults = {"resilience": QUICKLY, "dataset": dataset}
        config.write_text(json.dumps(configured(script, server.host, every="2s", defaults=defaults)))
        with errors.open("w") as told, _forking(folder, told) as parent:
            life = ProcessLife(script, folder, server, disk, parent, errors)
            try:
                for step in script.steps:
                    life.step(step)
                life.calm_down()
            finally:
                disk.free()
                server.requests.clear()
    return life


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _forking(folder: Path, errors: IO[str]) -> "Iterator[subprocess.Popen[str]]":
    """The process whose children live in the world; all of them are dead afterwards."""
    names = (folder / "orchestrator.json", folder / "state", folder / "acknowledged")
    command = [sys.executable, str(Path(__file__).with_name("child.py")), *map(str, names)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    ) as parent:
        try:
            yield parent
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _standing(pid: int) -> tuple[int, int, int] | None:
    """Open files, threads and bytes of memory of a process; None: it is gone."""
    try:
        one = psutil.Process(pid)
        return one.num_fds(), one.num_threads(), one.memory_info().rss
    except psutil.Error:
        return None
