"""The one source of time, injected everywhere; a manual clock for tests."""

import threading
import time as _time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and sleeps. Everything that waits or stamps takes one as an argument."""

    def now(self) -> datetime:
        """The moment, timezone-aware UTC."""
        ...

    def time(self) -> float:
        """Seconds since the epoch: for moments that must survive a restart."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards: for durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once when not positive."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    # The C functions themselves: hot paths (breaker, limiter) read the clock twice a call.
    time = staticmethod(_time.time)
    monotonic = staticmethod(_time.monotonic)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            _time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to, or when somebody sleeps on it.

    >>> clock = ManualClock()
    >>> clock.advance(90)
    >>> clock.now().isoformat()
    '2026-01-01T00:01:30+00:00'
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._time = start.timestamp()
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []  # every sleep asked for, in order: what a retry test asserts on

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._time, UTC)

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds`."""
        with self._lock:
            self._time += seconds
            self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """Move only the wall clock back, as an operator or NTP would."""
        self._time -= seconds

    def set_forward(self, seconds: float) -> None:
        """Move only the wall clock on."""
        self._time += seconds


SYSTEM_CLOCK = SystemClock()
