"""What the processes of one machine tell each other about a circuit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from utils.resilience.trial import Trial

State = Literal["closed", "open", "half_open"]
STATES: tuple[State, ...] = ("closed", "open", "half_open")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a circuit last, in a form that outlives its process.

    Args:
        state: `closed`, `open` or `half_open`.
        opened_at: When the circuit opened last, seconds since the epoch; 0.0 while it is closed.
        open_until: When trial calls may begin, seconds since the epoch; `inf` when opened by hand.
        times_opened: Openings in a row without a recovery in between; decides how long the next one lasts.
        reason: Why, in words.
        held: Forced open or forced closed: only a person ends it.
        trial: The permits and outcomes of the half-open phase; while open, the permits whose calls did not come back.
    """

    state: State
    opened_at: float = 0.0
    open_until: float = 0.0
    times_opened: int = 0
    reason: str = ""
    held: bool = False
    trial: Trial | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"a circuit's state is one of {', '.join(STATES)}; got {self.state!r}")

    def same_opening(self, other: "Verdict") -> bool:
        """Whether both are open since the same moment, and until the same one."""
        return self.state == other.state == "open" and (self.opened_at, self.open_until, self.times_opened) == (
            other.opened_at,
            other.open_until,
            other.times_opened,
        )


Step = Callable[[Verdict], Verdict]


class SharedState(Protocol):
    """Keeps one verdict a name. Whatever it raises, the breaker's own decision stands."""

    def load(self, name: str) -> Verdict | None:
        """The verdict that was decided last; `None` when there is none."""
        ...

    def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
        """Replace the verdict of `name` by what `step` makes of it, with nobody in between.

        `step` is quick and asks nobody. It may be called again when the first time was in vain.
        """
        ...

    def version(self) -> int:
        """A number that differs once any verdict was changed by somebody else. Asked often, so it must be cheap."""
        ...
