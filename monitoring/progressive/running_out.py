"""When a program crashes if it goes on like this: memory, or the files that it may open, end within a day.

A leak is a line that sinks for an hour; what a run takes and gives back is none. So only the trends of the last ten
minutes and of the last hour count, as far ahead as `utils.ahead` trusts them.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from monitoring.progressive.filling import Nearing
from monitoring.progressive.notices import SOURCE, Notice
from monitoring.progressive.report import Report
from monitoring.progressive.snapshot import Snapshot
from utils.events.event import NewEvent
from utils.host.filling import Filling, filling

__all__ = ["KINDS", "Replenished", "RunningOut", "RunsOut"]

WINDOWS_S = (600.0, 3600.0)
EVERY_S = 60.0
"""How often it is looked ahead."""

_APART_S = 5.0  # closer snapshots tell nothing more of an hour
_NEWEST = 5  # snapshots that say how much is left now
_SLACK = 0.25  # of what went in the time that was looked at
_POINTS = int(WINDOWS_S[-1] / _APART_S) + 1


class Kind(NamedTuple):
    """Something that ends. `field`: of a snapshot, what is left of it."""

    field: str
    unit: str
    words: str


KINDS = {
    "memory": Kind("memory_available_bytes", "bytes", "the memory of this machine is used up"),
    "files": Kind("own_files_free", "files", "this process may open no more files"),
}
"""By the subject of the event."""


@dataclass(frozen=True, slots=True)
class RunsOut:
    """It ends within a day, by its trend. See `KINDS` for `resource`; hours with 90 % confidence between two."""

    resource: str
    hours_left: float
    earliest_hours: float
    latest_hours: float
    left: float
    per_hour: float

    type = "host.running_out"

    def to_event(self) -> NewEvent:
        data: dict[str, Any] = {
            "reason": self.words(),
            "hours_left": round(self.hours_left, 2),
            "earliest_hours": round(self.earliest_hours, 2),
            "latest_hours": round(self.latest_hours, 2),
            "left": round(self.left),
            "per_hour": round(self.per_hour),
            "unit": KINDS[self.resource].unit,
        }
        return NewEvent("host.running_out", self.resource, data, source=SOURCE)

    def words(self) -> str:
        return f"{KINDS[self.resource].words} in about {self.hours_left:.1f} h, if it goes on like this"


@dataclass(frozen=True, slots=True)
class Replenished:
    """There is no end in sight any more."""

    resource: str

    type = "host.replenished"

    def to_event(self) -> NewEvent:
        return NewEvent("host.replenished", self.resource, {"reason": self.words()}, source=SOURCE)

    def words(self) -> str:
        return f"no longer in sight: {KINDS[self.resource].words}"


class RunningOut:
    """Listens to the monitor, and looks ahead once a minute. While nothing sinks, no numpy is imported.

    Args:
        tell: Takes a notice.
    """

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self._points: dict[str, deque[tuple[float, float]]] = {name: deque(maxlen=_POINTS) for name in KINDS}
        self._nearing = {name: Nearing() for name in KINDS}
        self._looked: float | None = None

    def take_up(self, names: Iterable[str]) -> None:
        """These were told by a watch that is over."""
        for name in names:
            self._nearing[name].take_up()

    def take(self, one: Snapshot | Notice | Report) -> None:
        """Look at a snapshot, if it is one."""
        if not isinstance(one, Snapshot):
            return
        for name, kind in KINDS.items():
            points, left = self._points[name], getattr(one, kind.field)
            if left is not None and (not points or not 0.0 <= one.at - points[-1][0] < _APART_S):
                points.append((one.at, float(left)))
        if self._looked is None or not 0.0 <= one.at - self._looked < EVERY_S:
            self._looked = one.at
            for name in KINDS:
                self._look(name, one.at)

    def _look(self, name: str, at: float) -> None:
        found = self._soonest(name, at)
        news = self._nearing[name].see(None if found is None else found.hours_left, at)
        if news == "over":
            self._tell(Replenished(name))
        elif news and found is not None:
            figures = (found.hours_left, found.earliest_hours, found.latest_hours)
            self._tell(RunsOut(name, *figures, found.free_bytes, found.bytes_per_hour))

    def _soonest(self, name: str, at: float) -> Filling | None:
        points = self._points[name]
        now = median(value for _, value in list(points)[-_NEWEST:]) if points else 0.0
        found = [filling([point for point in points if at - point[0] <= seconds]) for seconds in WINDOWS_S]
        there = [one for one in found if one is not None and _goes_on(one, now)]
        return min(there, key=lambda one: one.hours_left, default=None)


def _goes_on(found: Filling, now: float) -> bool:
    """Whether there is no more left than the trend says: else something was given back since."""
    return now <= found.free_bytes + _SLACK * found.bytes_per_hour * found.over_hours
