"""What a limiter answers, and its figures."""

from dataclasses import dataclass

__all__ = ["AT_ONCE", "Grant", "LimiterFigures", "Turn"]


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to `acquire`: true when the call may be made.

    Args:
        allowed: Whether it may.
        waited: Seconds that were slept for it.
        retry_after: Seconds until the next try makes sense; 0.0 when allowed.
    """

    allowed: bool
    waited: float = 0.0
    retry_after: float = 0.0

    def __bool__(self) -> bool:
        return self.allowed


AT_ONCE = Grant(True)


@dataclass(frozen=True, slots=True)
class LimiterFigures:
    """A limiter in numbers since its start; seconds are summed over all callers.

    `clients`: those whose buckets are kept. `shared_errors`: how often the shared rate was out of reach.
    """

    name: str
    granted: int
    refused: int
    waits: int
    waited: float
    clients: int
    paused_for: float
    shared_errors: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot, and how long to sleep until it can be used (0.0: it was used). `late`: how much later it still can."""

    client_id: str | None
    slot: float
    delay: float
    late: float
