"""Processes that are told to end: one at a time, so many an hour, each with a grace before it is killed."""

import signal
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitoring.protector.evidence import Evidence
from monitoring.protector.ladder import Action, Reading, Resource
from monitoring.protector.offender import Offender
from monitoring.protector.signals import Outcome, send
from monitoring.protector.watched import WatchedProcesses
from utils.clock import Clock
from utils.database import StateError
from utils.logger import get_logger

__all__ = ["COOLDOWN_S", "GRACE_S", "PER_HOUR", "Ended", "Endings"]

COOLDOWN_S = 120.0
"""Seconds from ending one process until the next may be ended."""

PER_HOUR = 3
"""Processes that are ended in an hour at most; then a person has to see to it."""

GRACE_S = 10.0
"""Seconds that a process has to end by itself."""

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a process that was told to end. `action`: the last that was needed."""

    resource: Resource
    offender: Offender
    before: Reading
    action: Action
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Told:
    resource: Resource
    offender: Offender
    before: Reading
    since: float
    action: Action = "terminate"


class Endings:
    """Ends processes, never one that cannot be written down before.

    Args:
        earlier: Wall seconds at which processes were ended before this start; they count for the hour.
    """

    def __init__(
        self,
        processes: WatchedProcesses,
        evidence: Evidence,
        clock: Clock,
        *,
        cooldown_s: float = COOLDOWN_S,
        per_hour: int = PER_HOUR,
        grace_s: float = GRACE_S,
        earlier: Iterable[float] = (),
    ) -> None:
        self.per_hour = per_hour
        self._processes, self._evidence, self._clock = processes, evidence, clock
        self._cooldown_s, self._grace_s = cooldown_s, grace_s
        now = clock.monotonic()
        ago = (max(0.0, clock.time() - moment) for moment in earlier)
        self._times = deque(sorted(now - seconds for seconds in ago if seconds < _HOUR))
        self._told: _Told | None = None

    @property
    def waits(self) -> bool:
        """Whether one was ended so short a time ago that it may help yet."""
        cools = bool(self._times) and self._clock.monotonic() - self._times[-1] < self._cooldown_s
        return self._told is not None or cools

    @property
    def used_up(self) -> bool:
        """Whether as many were ended in the last hour as may be."""
        while self._times and self._clock.monotonic() - self._times[0] >= _HOUR:
            self._times.popleft()
        return len(self._times) >= self.per_hour

    def begin(self, resource: Resource, offender: Offender, seen: Reading) -> Ended | None:
        """Tell a process to end. Gives what came of it where that is known at once: it was gone, or is immune."""
        told = _Told(resource, offender, seen, self._clock.monotonic())
        if not self._noted(told):
            return None
        self._times.append(told.since)
        return None if self._evidence.dry_run else self._send(told, signal.SIGTERM)

    def follow(self) -> Ended | None:
        """What came of the one that was told to end; kills it where its grace is over. None: nothing new."""
        told = self._told
        if told is None:
            return None
        if not self._processes.lives(told.offender.process):
            return self._end(told, "done")
        if self._clock.monotonic() - told.since < self._grace_s:
            return None
        if told.action == "kill":  # it waits for a disk that does not answer: nothing more can be done
            return self._end(told, "refused")
        killed = replace(told, action="kill", since=self._clock.monotonic())
        return self._send(killed, signal.SIGKILL) if self._noted(killed) else None

    def _send(self, told: _Told, number: signal.Signals) -> Ended | None:
        outcome = send(told.offender.process.identity, number, self._processes.one, self._processes.may)
        if outcome != "done":
            return self._end(told, outcome)
        self._told = told
        return None

    def _end(self, told: _Told, outcome: Outcome) -> Ended:
        self._told = None
        return Ended(told.resource, told.offender, told.before, told.action, outcome)

    def _noted(self, told: _Told) -> bool:
        try:
            self._evidence.touches(told.action, told.resource, told.before, told.offender)
        except StateError as error:
            why = "nobody is ended without a word in the log"
            get_logger("protector").warning("protector.waits", reason=str(error), why=why)
            return False
        return True
