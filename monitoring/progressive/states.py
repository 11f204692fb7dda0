"""How one resource stands: stable, warning or critical; and whether it has been overloaded for a while. Pure.

Up at once, down only below the threshold by a margin: a reading that trembles around a threshold is one state.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["DEFAULT_THRESHOLDS", "RESOURCES", "Resource", "ResourceState", "Standing", "Thresholds", "stands"]

Resource = Literal["cpu", "memory", "disk"]
RESOURCES: tuple[Resource, ...] = ("cpu", "memory", "disk")

ResourceState = Literal["stable", "warning", "critical"]

MARGIN = 5.0
"""Points by which a reading must lie below a threshold to be out of its state; a tenth of a low threshold."""

CPU_OVERLOAD = 90.0
"""Percent above which a processor that stays there is told, whatever its thresholds; the others: their critical one."""

OVERLOAD_S, OVERLOAD_READINGS = 15.0, 3
"""An overload is told once it has lasted this long, over at least so many readings: a spike is none."""

FORGET_S = 300.0
"""Seconds without a reading after which nothing is known of a resource."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Percent per resource: from the first on it is a warning, from the second on critical.

    Raises:
        ValueError: a pair is not two percentages in order.
    """

    cpu: tuple[float, float] = (70.0, 85.0)
    memory: tuple[float, float] = (75.0, 90.0)
    disk: tuple[float, float] = (80.0, 95.0)

    def __post_init__(self) -> None:
        for resource in RESOURCES:
            warning, critical = self.of(resource)
            if not 0.0 <= warning <= critical <= 100.0:
                raise ValueError(f"{resource}: {warning} and {critical} are not two percentages in order")

    def of(self, resource: Resource) -> tuple[float, float]:
        found: tuple[float, float] = getattr(self, resource)
        return found

    def overload(self, resource: Resource) -> float:
        """Percent above which the resource is overloaded."""
        critical = self.of(resource)[1]
        return max(CPU_OVERLOAD, critical) if resource == "cpu" else critical


DEFAULT_THRESHOLDS = Thresholds()


class Standing(NamedTuple):
    """How a resource stands. Moments are monotonic seconds.

    Attributes:
        state: None: nothing is known of it.
        percent: The newest reading.
        read_at: When that was.
        over_at: Since when it has been above its overload without falling below by the margin; None: it is not.
        over_readings: How many readings that was.
        overloaded: That has lasted; it is over after the calm time below.
        under_at: While overloaded: since when it is below again; None: it is not.
    """

    state: ResourceState | None = None
    percent: float | None = None
    read_at: float = 0.0
    over_at: float | None = None
    over_readings: int = 0
    overloaded: bool = False
    under_at: float | None = None


def stands(
    before: Standing,
    percent: float | None,
    at: float,
    *,
    limits: tuple[float, float],
    overload: float,
    calm_s: float,
    slept: bool = False,
) -> Standing:
    """How a resource stands after a reading.

    Args:
        percent: 0..100; None: it could not be read, and is taken to be as it was for a while.
        at: Monotonic seconds.
        limits: Percent of warning and critical.
        overload: Percent above which it is overloaded.
        calm_s: Seconds below after which an overload is over.
        slept: Nobody looked for long: nothing is said to have lasted over that time.
    """
    if percent is None:
        known = before.state is not None or before.overloaded
        return before if known and at - before.read_at < FORGET_S else Standing(read_at=at)
    now = before._replace(state=_state(before.state, percent, limits), percent=percent, read_at=at)
    if slept:
        now = now._replace(under_at=None) if now.overloaded else now._replace(over_at=None, over_readings=0)
    if percent > overload:
        over_at = at if now.over_at is None else now.over_at
        readings = now.over_readings + 1
        lasted = at - over_at >= OVERLOAD_S and readings >= OVERLOAD_READINGS
        return now._replace(over_at=over_at, over_readings=readings, overloaded=now.overloaded or lasted, under_at=None)
    if percent > overload - _margin(overload):
        return now._replace(under_at=None)  # neither: it trembles
    if not now.overloaded:
        return now._replace(over_at=None, over_readings=0)
    under_at = at if now.under_at is None else now.under_at
    if at - under_at >= calm_s:
        return now._replace(over_at=None, over_readings=0, overloaded=False, under_at=None)
    return now._replace(under_at=under_at)


def _state(before: ResourceState | None, percent: float, limits: tuple[float, float]) -> ResourceState:
    warning, critical = limits
    if percent >= critical or (before == "critical" and percent > critical - _margin(critical)):
        return "critical"
    if percent >= warning or (before in {"warning", "critical"} and percent > warning - _margin(warning)):
        return "warning"
    return "stable"


def _margin(threshold: float) -> float:
    return min(MARGIN, threshold / 10.0)
