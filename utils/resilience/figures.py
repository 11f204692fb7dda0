"""A breaker in numbers."""

from dataclasses import dataclass

from utils.resilience.shared_state import State


@dataclass(frozen=True, slots=True)
class BreakerFigures:
    """A breaker in numbers. The rates and `calls` are of the current window or trial; `None`: nothing measured."""

    name: str
    state: State
    held: bool  # forced open or forced closed, until a person ends it
    reason: str
    calls: int
    failure_rate: float | None
    slow_rate: float | None
    failures: int  # since the start or the last reset, as are the next two
    rejected: int
    opened: int
    times_opened: int  # in a row, without a recovery
    retry_after: float
    shared_errors: int
    listener_errors: int
