"""Looks at the host every two seconds and, when it suffocates, does the mildest thing that is left to do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from monitoring.protector.endings import COOLDOWN_S, GRACE_S, PER_HOUR, Ended, Endings
from monitoring.protector.evidence import Evidence, Record
from monitoring.protector.immunity import Facts, Scope
from monitoring.protector.ladder import (
    LADDERS,
    MODES,
    SUSTAINED,
    Action,
    Limits,
    Mode,
    Reading,
    Resource,
    Standing,
    decide,
    is_above,
)
from monitoring.protector.offender import Least
from monitoring.protector.own_work import NoWork, OwnWork
from monitoring.protector.signals import Outcome, ProcessFacts, lower
from monitoring.protector.watched import WatchedProcesses
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.host import HostSample
from utils.host.processes import Identity, ProcessStat, ProcessTable
from utils.logger import get_logger

__all__ = ["EVERY_S", "ResourceProtector", "reading"]

EVERY_S = 2.0
"""Seconds between two looks."""

GIVES_UP_AFTER_S = 60.0
"""Seconds that a resource stays above its limit until a person is called: a host that works hard calls nobody."""

_SHORTEST_S = 0.01  # a wait that rounding leaves must still move the clock
_EARLY = 0.1  # of the interval, by which a look may come too early

_OUR_CHILDREN = Scope()
_USUAL = Least()


@dataclass(slots=True)
class _Done:
    """Something that was done, of which it is not known yet whether it helped."""

    resource: Resource
    action: Action
    before: Reading
    outcome: Outcome
    process: ProcessStat | None
    looks: int = 0


class ResourceProtector:
    """Escalates step by step while a resource is short, and takes back what can be taken back once it is not.

    All it does is told in events: `protector.acted` before a process is touched (no ending without evidence),
    `protector.settled` when it is known whether that helped, `protector.gave_up` when a person has to see to it,
    `protector.relieved` when it is over.

    Args:
        mode: How full the host may be.
        limits: In the place of the mode's.
        dry_run: Only tell what would be done.
        scope: Which processes may be touched; empty: those that this program started.
        protected: Patterns of names that never are.
        protected_pids: Asked for the processes that are part of this program.
        own_work: What of our own work can be held back.
        record: Writes an event into the log.
        redacted: Takes secrets out of a command line.
        least: What a process must use to be worth touching.
        earlier: Wall seconds at which processes were ended before this start; they count for the hour.
        unended: Resources of which something was told before this start, and not its end; true: a person was called.
        disk: Where the disk is that must not fill.
    """

    def __init__(
        self,
        mode: Mode = "dev",
        *,
        limits: Limits | None = None,
        dry_run: bool = True,
        scope: Scope = _OUR_CHILDREN,
        protected: Sequence[str] = (),
        protected_pids: Callable[[], Iterable[int]] = tuple,
        own_work: OwnWork | None = None,
        record: Record | None = None,
        redacted: Callable[[str], str] = str,
        least: Least = _USUAL,
        cooldown_s: float = COOLDOWN_S,
        per_hour: int = PER_HOUR,
        grace_s: float = GRACE_S,
        earlier: Iterable[float] = (),
        unended: Mapping[Resource, bool] = MappingProxyType({}),
        disk: Path = Path("/"),
        table: ProcessTable | None = None,
        facts: Facts | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.mode, self.dry_run = mode, dry_run
        self.limits = limits or MODES[mode]
        self._own_work: OwnWork = own_work or NoWork()
        self._clock = clock
        facts = facts or ProcessFacts()
        self._evidence = Evidence(mode, dry_run, self.limits, facts, record, redacted)
        self._processes = WatchedProcesses(
            table or ProcessTable(clock),
            facts,
            clock,
            scope=scope,
            protected=protected,
            protected_pids=protected_pids,
            least=least,
            disk=disk,
        )
        self._endings = Endings(
            self._processes,
            self._evidence,
            clock,
            cooldown_s=cooldown_s,
            per_hour=per_hour,
            grace_s=grace_s,
            earlier=earlier,
        )
        self._standing: dict[Resource, Standing] = {resource: Standing() for resource in LADDERS}
        for resource, gave_up in unended.items():
            self._standing[resource] = Standing(gave_up=gave_up, taken_up=True)
        self._above_since: dict[Resource, float] = {}
        self._concerned: set[Resource] = set(unended)  # those for which anything was done or said
        self._done: list[_Done] = []
        self._lowered: set[Identity] = set()
        self._is_paused = False
        self._looked: float | None = None

    def set_mode(self, mode: Mode) -> None:
        """Work by another mode's limits from the next look on; the limits of the disk stay."""
        limits = replace(MODES[mode], disk=self.limits.disk, disk_last=self.limits.disk_last)
        self.mode, self.limits = mode, limits
        self._evidence.mode, self._evidence.limits = mode, limits

    def step(self, sample: HostSample) -> float:
        """Look, and do what is due; gives the seconds until the next look.

        A call that comes before that counts for nothing, so who samples more often may call each time.
        """
        now = self._clock.monotonic()
        self._ended(self._endings.follow())
        if self._looked is not None and (due := self._looked + EVERY_S * (1.0 - _EARLY)) > now:
            return max(_SHORTEST_S, due - now)
        self._looked = now
        seen = reading(sample)
        self._judge(seen)
        if any(is_above(resource, seen, self.limits) for resource in LADDERS):
            self._processes.look(writers=is_above("disk", seen, self.limits))
        for resource in LADDERS:
            if is_above(resource, seen, self.limits):
                self._above_since.setdefault(resource, now)
            else:
                self._above_since.pop(resource, None)
            self._see_to(resource, seen)
        if self._is_paused and all(standing.rung == 0 for standing in self._standing.values()):
            self._resume()
        return EVERY_S

    def close(self) -> None:
        """Let our own work go on. A process that was told to end has been told."""
        self._resume()

    def _see_to(self, resource: Resource, seen: Reading) -> None:
        for _ in LADDERS[resource]:  # a rung on which there is nothing to do is passed at once
            decision = decide(resource, self._standing[resource], seen, self.limits)
            self._standing[resource] = decision.standing
            if decision.relieved:
                self._relieve(resource, seen)
            if decision.action is None:
                return
            if self._take(decision.action, resource, seen):
                self._concerned.add(resource)
                return
            self._standing[resource] = replace(self._standing[resource], above=SUSTAINED - 1)

    def _take(self, action: Action, resource: Resource, seen: Reading) -> bool:
        """Do it; whether there was anything to do."""
        if action == "shed":
            return self._own_work.shed(dry_run=self.dry_run)
        if action == "pause":
            return self._pause(resource, seen)
        if action == "lower":
            return self._lower(resource, seen)
        return self._terminate(resource, seen)

    def _pause(self, resource: Resource, seen: Reading) -> bool:
        if self._is_paused or not (datasets := self._own_work.pause(dry_run=self.dry_run)):
            return False
        self._is_paused = True
        self._evidence.paused(resource, seen, list(datasets))
        self._did(_Done(resource, "pause", seen, "done", None))
        return True

    def _lower(self, resource: Resource, seen: Reading) -> bool:
        found = self._processes.worst(resource, leave=frozenset(self._lowered))
        if found is None:
            return False
        try:
            self._evidence.touches("lower", resource, seen, found)
        except StateError as error:
            get_logger("protector").warning("protector.waits", reason=str(error))
            return True
        self._lowered.add(found.process.identity)
        if not self.dry_run:
            outcome = lower(found.process.identity, self._processes.one, self._processes.may)
            self._did(_Done(resource, "lower", seen, outcome, found.process))
        return True

    def _terminate(self, resource: Resource, seen: Reading) -> bool:
        if self._endings.waits:
            return True
        if self._endings.used_up:
            ended = "would have been ended" if self.dry_run else "were ended"
            why = f"{self._endings.per_hour} processes {ended} in an hour, the most that may be"
            return self._give_up(resource, seen, why)
        if (found := self._processes.worst(resource)) is None:
            return self._give_up(resource, seen, "no process that may be touched uses much of it")
        self._ended(self._endings.begin(resource, found, seen))
        return True

    # --- what came of it ----------------------------------------------------------------------

    def _did(self, done: _Done) -> None:
        if not self.dry_run:
            self._done.append(done)

    def _ended(self, ended: Ended | None) -> None:
        if ended is not None:
            process = ended.offender.process
            self._did(_Done(ended.resource, ended.action, ended.before, ended.outcome, process))

    def _judge(self, seen: Reading) -> None:
        """Say of what was done a few looks ago whether it helped."""
        waiting = []
        for done in self._done:
            done.looks += 1
            if done.outcome == "done" and done.looks < SUSTAINED:
                waiting.append(done)
                continue
            before, after = done.before.of(done.resource), seen.of(done.resource)
            known = before is not None and after is not None
            fell = not is_above(done.resource, seen, self.limits) if known and done.outcome == "done" else None
            self._evidence.settled(
                done.action, done.resource, done.before, seen, outcome=done.outcome, fell=fell, process=done.process
            )
        self._done = waiting

    def _give_up(self, resource: Resource, seen: Reading, why: str) -> bool:
        """Call a person, once and not before it has lasted; whether one was called."""
        now = self._clock.monotonic()
        if self._standing[resource].gave_up or now - self._above_since.get(resource, now) < GIVES_UP_AFTER_S:
            return self._standing[resource].gave_up
        self._standing[resource] = replace(self._standing[resource], gave_up=True)
        self._evidence.gave_up(resource, seen, why)
        return True

    def _relieve(self, resource: Resource, seen: Reading) -> None:
        if all(standing.rung == 0 for standing in self._standing.values()):
            self._lowered.clear()
        if resource in self._concerned:
            self._concerned.discard(resource)
            self._evidence.relieved(resource, seen)

    def _resume(self) -> None:
        if self._is_paused:
            if not self.dry_run:
                try:
                    self._own_work.resume()
                except StateError as error:
                    get_logger("protector").warning("protector.holds_on", reason=str(error))
                    return  # it is tried again with the next look
            self._is_paused = False


def reading(sample: HostSample) -> Reading:
    """What the protector looks at in a sample."""
    return Reading(sample.cpu_percent, sample.memory_percent, sample.disk_percent, sample.pressure_cpu)
