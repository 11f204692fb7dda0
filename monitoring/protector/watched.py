"""The processes of this machine as the protector sees them: what each uses, who may be touched, who is the worst."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from monitoring.protector.immunity import Facts, Scope, Surroundings, immunity, in_scope, surroundings
from monitoring.protector.ladder import Resource
from monitoring.protector.offender import Least, Offender, Used, worst
from monitoring.protector.signals import ProcessFacts
from utils.clock import Clock
from utils.host.processes import Identity, ProcessStat, ProcessTable

__all__ = ["WatchedProcesses"]


class WatchedProcesses:
    """Looked at only while something is short: a calm host is not asked for its processes.

    Args:
        scope: Which may be touched.
        protected: Patterns of names that never are.
        protected_pids: Asked for the processes that are part of this program.
        least: What one must use to be worth touching.
        disk: Who writes there counts, when the disk fills.
    """

    def __init__(
        self,
        table: ProcessTable,
        facts: Facts,
        clock: Clock,
        *,
        scope: Scope,
        protected: Sequence[str],
        protected_pids: Callable[[], Iterable[int]],
        least: Least,
        disk: Path,
    ) -> None:
        self._table, self._facts, self._clock = table, facts, clock
        self._scope, self._protected, self._protected_pids = scope, tuple(protected), protected_pids
        self._least, self._disk = least, disk
        self._io = ProcessFacts()
        self._seen: Sequence[ProcessStat] = ()
        self._used = Used()
        self._wrote: tuple[float, dict[Identity, int]] = (0.0, {})

    def look(self, *, writers: bool) -> None:
        """Read all of them; with `writers` also who writes to the disk. Two looks tell what was used between them."""
        self._seen = self._table.read()
        written: dict[Identity, float] = {}
        then, before = self._wrote
        now = self._clock.monotonic()
        self._wrote = (now, {})
        if writers:
            about = self._about()
            for process in self._seen:
                if in_scope(process, about, self._scope, self._facts):
                    self._note_written(process, now - then, before, written)
        self._used = Used(dict(self._table.cpu_percents()), written)

    def worst(self, resource: Resource, *, leave: frozenset[Identity] = frozenset()) -> Offender | None:
        """Who uses most of it, by the last look, and may be touched; None: nobody uses enough."""
        least = self._least.of(resource)
        return worst(resource, self._seen, self._used, self._about(), self._scope, self._facts, least, leave=leave)

    def may(self, process: ProcessStat) -> bool:
        """Whether a process may be touched as it is now: asked right before every signal."""
        self._seen = self._table.read()
        about = self._about()
        return in_scope(process, about, self._scope, self._facts) and not immunity(
            process, about, self._scope, self._facts
        )

    def one(self, pid: int) -> ProcessStat | None:
        """One process as it is now."""
        return self._table.one(pid)

    def lives(self, process: ProcessStat) -> bool:
        """Whether it is still there, and not only waited for by who started it."""
        now = self._table.one(process.pid)
        return now is not None and now.identity == process.identity and now.state not in {"Z", "X"}

    def _about(self) -> Surroundings:
        return surroundings(
            self._seen,
            pid=os.getpid(),
            uid=os.geteuid(),
            session=os.getsid(0),
            parent=os.getppid(),
            protected=self._protected,
            protected_pids=self._protected_pids(),
        )

    def _note_written(
        self, process: ProcessStat, seconds: float, before: dict[Identity, int], written: dict[Identity, float]
    ) -> None:
        total = self._io.written(process.pid)
        if total is None:
            return
        self._wrote[1][process.identity] = total
        if process.identity in before and seconds > 0.0:
            rate = (total - before[process.identity]) / seconds
            if rate >= self._least.written_per_s and self._io.writes_to(process.pid, self._device()):
                written[process.identity] = rate

    def _device(self) -> int:
        try:
            return self._disk.stat().st_dev
        except OSError:
            return -1
