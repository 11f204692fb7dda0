"""What troubles the host, from samples: sustained, with its figure, and what has been tried against it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from monitoring.healing.treatment import Trouble

__all__ = ["SUSTAINED", "Course", "Finding", "Next", "by_count", "by_percent", "course"]

SUSTAINED = 3
"""Looks in a row that a trouble lasts until something is done, and that it is away until it is over."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look says of a trouble.

    Attributes:
        there: None: this look tells nothing.
        critical: It is as bad as it gets: what costs something may be done, and a person is called in the end.
        words: Figure and limit.
        limit: Percent below which it is over; None: it is counted, not measured.
    """

    there: bool | None
    critical: bool = False
    words: str = ""
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a trouble goes on. `tried`: treatments since it began, and how bad it was; `told`: a person was called."""

    looks: int = 0
    calm: int = 0
    tried: frozenset[tuple[str, bool]] = field(default_factory=frozenset)
    told: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What follows: a treatment to try, a person to call, or that it is over after something was done."""

    course: Course
    action: str | None = None
    call: bool = False
    over: bool = False


def course(before: Course, found: Finding, ladder: Sequence[str]) -> Next:
    """One look further.

    Each treatment is tried once as long as the trouble lasts, and once more when it has become critical; the next comes
    after `SUSTAINED` looks. What has not helped does not help because it is done again.

    Args:
        ladder: The treatments that may be tried, in order.
    """
    if found.there is None:
        return Next(before)
    if not found.there:
        calm = before.calm + 1
        if calm < SUSTAINED:
            return Next(replace(before, looks=0, calm=calm))
        return Next(Course(calm=SUSTAINED), over=before.told)
    looks = before.looks + 1
    if looks < SUSTAINED:
        return Next(replace(before, looks=looks, calm=0))
    left = [action for action in ladder if not {(action, found.critical), (action, True)} & before.tried]
    if left:
        tried = before.tried | {(left[0], found.critical)}
        return Next(replace(before, looks=0, calm=0, tried=tried), action=left[0])
    if found.critical and not before.told:
        return Next(replace(before, looks=0, calm=0, told=True), call=True)
    return Next(replace(before, looks=SUSTAINED, calm=0))


def by_percent(name: Trouble, value: float | None, limits: tuple[float, float], hysteresis: float, on: bool) -> Finding:
    """A figure against its limits (warning, critical). `on`: it is there by now, and is over only well below."""
    warning, critical = limits
    if value is None or not 0.0 <= value <= 100.0:
        return Finding(None)
    there = value >= (warning - hysteresis if on else warning)
    return Finding(there, value >= critical, f"{name} at {value:.0f} % (limit {warning:g} %)", warning)


def by_count(name: str, number: int) -> Finding:
    """Something of which there should be none."""
    return Finding(number > 0, False, f"{number} {name}")
