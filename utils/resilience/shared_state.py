"""What the processes of one machine tell each other about a circuit."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["closed", "open", "half_open"]
STATES: tuple[State, ...] = ("closed", "open", "half_open")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a breaker decided last, in a form that outlives its process.

    Args:
        state: `closed`, `open` or `half_open`.
        opened_at: When the circuit opened last, seconds since the epoch; 0.0 while it is closed.
        open_until: When trial calls may begin, seconds since the epoch; `inf` when opened by hand.
        times_opened: Openings in a row without a recovery in between; decides how long the next one lasts.
        reason: Why, in words.
    """

    state: State
    opened_at: float = 0.0
    open_until: float = 0.0
    times_opened: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"a circuit's state is one of {', '.join(STATES)}; got {self.state!r}")


class SharedState(Protocol):
    """Keeps one verdict a name. Whatever it raises, the breaker's own decision stands."""

    def load(self, name: str) -> Verdict | None:
        """The verdict that was saved last; `None` when there is none."""
        ...

    def save(self, name: str, verdict: Verdict) -> None:
        """Replace the verdict of `name`."""
        ...

    def version(self) -> int:
        """A number that differs once any verdict was saved by somebody else. Asked often, so it must be cheap."""
        ...
