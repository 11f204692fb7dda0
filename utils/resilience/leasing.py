"""What a limiter asks of the shared rate, and how many slots at a time."""

from collections.abc import Callable
from typing import TypeVar

from utils.resilience.shared_rates import Claim, Lease, SharedRate, SharedRates, plausible

__all__ = ["Leasing"]

T = TypeVar("T")

# The theoretical time of one lease, in seconds: at ten calls a second each slot is leased by itself, at ten thousand up
# to 200 together. Also how much of the tolerance a lease may take to stay usable, when that is a small part of it.
HORIZON = 0.02
_PART_OF_TOLERANCE = 0.25


class Leasing:
    """One limiter's way to the shared rate. Not thread-safe: the limiter calls it under its lock.

    Who used all slots of a lease gets twice as many in the next one; who did not gets as many as it used. So what
    others lose by slots that nobody uses stays small.

    Attributes:
        errors: How often the shared rate was out of reach.
    """

    def __init__(self, name: str, shared: SharedRates, *, every: float, tolerance: float) -> None:
        self.errors = 0
        self._told = False
        self._name, self._shared = name, shared
        self._every, self._tolerance = every, tolerance
        self._most = max(1, int(HORIZON / every))
        self._lifetime = min(HORIZON, tolerance * _PART_OF_TOLERANCE)
        self._slots = 1
        self._used_before = 0

    def lease(
        self, *, used: int, floor: float, held: float, patience: float, late: float, paused_until: float
    ) -> Lease | None:
        """Ask for slots; `None`: out of reach. `used`: slots given away since the limiter was made. See `Claim`."""
        since, slots = used - self._used_before, self._slots
        slots = min(2 * slots, self._most) if since >= slots else max(1, since)
        claim = Claim(
            floor=floor,
            held=held,
            every=self._every,
            tolerance=self._tolerance,
            slots=slots,
            lifetime=self._lifetime if slots > 1 else 0.0,
            patience=patience,
            late=late,
            paused_until=paused_until,
        )
        lease = self._tried(lambda: self._shared.lease(self._name, claim))
        if lease is not None and lease.granted:
            self._slots, self._used_before = slots, used
        return lease

    def look(self, now: float) -> SharedRate | None:
        """How the row stands; `None`: out of reach."""
        rate = self._tried(lambda: self._shared.look(self._name))
        return None if rate is None else plausible(rate, every=self._every, tolerance=self._tolerance, now=now)

    def pause(self, until: float) -> None:
        """Tell the others. Who cannot be told now is told with the next lease."""
        self._tried(lambda: self._shared.pause(self._name, until))

    def _tried(self, ask: Callable[[], T]) -> T | None:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 - whatever became of the shared rate, our own one stands
            self.errors += 1
            if not self._told:  # once, not with every call
                self._told = True
                from utils.logger import get_logger

                get_logger("resilience").warning("limiter.alone", provider=self._name, error=str(error))
            return None
        self._told = False
        return answer
