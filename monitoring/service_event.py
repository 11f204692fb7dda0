"""What a watch tells: something was started or stopped, stopped answering, or answers again; and who hears it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from monitoring.stacks import ThreadStack
from utils.logger import get_logger

if TYPE_CHECKING:
    from utils.events.event import NewEvent

__all__ = ["Listener", "Listeners", "ServiceEvent", "What", "Why"]

What = Literal["started", "stopped", "unavailable", "recovered"]

Why = Literal["", "stalled", "deadlocked", "died", "slow_start", "permission", "given_up"]
"""Of what is unavailable: no heartbeat in time, a cycle of locks, its end, not ready in time, no right to start."""

_TYPES: dict[What, str] = {
    "started": "service.started",
    "stopped": "service.stopped",
    "unavailable": "service.unavailable",
    "recovered": "service.recovered",
}


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """What happened to something that is watched. What does not concern it is None or empty.

    Attributes:
        service: Its name.
        reason: In one sentence, for a person.
        at: When it was noticed, UTC.
        silent_s: Seconds without a heartbeat, or until it was ready; of what recovered: how long it was away.
        limit_s: Seconds that were allowed.
        threads: Names of the threads that are concerned; of a cycle each one waits for the next.
        locks: Of a cycle: the lock that each of them waits for.
        attempt: Which start it was, from 1.
        exit_code: Of a process that ended; negative: the signal that ended it.
        output: The last lines that a process wrote.
        stacks: Of all threads, those concerned first.
    """

    what: What
    service: str
    reason: str
    at: datetime
    why: Why = ""
    silent_s: float | None = None
    limit_s: float | None = None
    threads: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    attempt: int | None = None
    exit_code: int | None = None
    output: tuple[str, ...] = ()
    stacks: tuple[ThreadStack, ...] = ()

    @property
    def type(self) -> str:
        return _TYPES[self.what]

    def to_event(self, source: str = "watchdog") -> "NewEvent":
        """As it stands in a log of events."""
        from utils.events.event import NewEvent, rfc3339

        data: dict[str, Any] = {
            "kind": self.why,
            "since": None if self.silent_s is None else rfc3339(self.at - timedelta(seconds=self.silent_s)),
            "silent_s": None if self.silent_s is None else round(self.silent_s, 3),
            "limit_s": self.limit_s,
            "threads": list(self.threads),
            "locks": list(self.locks),
            "attempt": self.attempt,
            "exit_code": self.exit_code,
            "output": list(self.output),
            "stacks": [stack.to_json() for stack in self.stacks],
        }
        known = {key: value for key, value in data.items() if value not in (None, "", [])}
        return NewEvent(_TYPES[self.what], self.service, {"reason": self.reason, **known}, source=source)


class Told(Protocol):
    """What listeners hear: it says what it is."""

    @property
    def type(self) -> str: ...


E = TypeVar("E", bound=Told)
Listener = Callable[[ServiceEvent], object]


class Listeners(Generic[E]):
    """Whoever wants to hear. One that raises is told in the log file; the others hear it all the same."""

    def __init__(self) -> None:
        self._all: tuple[Callable[[E], object], ...] = ()
        self._lock = threading.Lock()

    def add(self, listener: Callable[[E], object]) -> None:
        with self._lock:
            self._all = (*self._all, listener)

    def tell(self, event: E) -> None:
        for listener in self._all:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a listener's fault must not end the watch
                get_logger("watchdog").error("listener.failed", event_type=event.type, reason=str(error), exc=error)
