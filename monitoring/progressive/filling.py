"""When the disk is full within a day, if it goes on like this: told, told again when it is near, and its end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitoring.progressive.notices import SOURCE, Notice
from monitoring.progressive.report import Report
from monitoring.progressive.snapshot import Snapshot
from utils.database import StateError
from utils.events.event import NewEvent
from utils.host.filling import DiskForecast, Filling
from utils.host.recent import Recent
from utils.logger import get_logger

if TYPE_CHECKING:
    from utils.history import History

__all__ = ["DiskAhead", "DiskFilling", "DiskRelieved", "DiskWatch", "Nearing"]

TOLD_AT_H = (24.0, 6.0, 1.0)
"""Hours that are left when it is told, and told again."""

OVER_H = 36.0
"""More hours than these, for as long as `OVER_S`: it does not fill any more."""

OVER_S = 900.0


@dataclass(frozen=True, slots=True)
class DiskFilling:
    """The disk of the state is full within a day, by its trend.

    Attributes:
        path: Of the state.
        hours_left: Until nothing is free; `earliest_hours`, `latest_hours`: between them with 90 % confidence.
    """

    path: str
    hours_left: float
    earliest_hours: float
    latest_hours: float
    free_bytes: float
    bytes_per_hour: float

    type = "host.disk_filling"

    def to_event(self) -> NewEvent:
        data: dict[str, Any] = {
            "path": self.path,
            "hours_left": round(self.hours_left, 2),
            "earliest_hours": round(self.earliest_hours, 2),
            "latest_hours": round(self.latest_hours, 2),
            "free_bytes": round(self.free_bytes),
            "bytes_per_hour": round(self.bytes_per_hour),
        }
        return NewEvent("host.disk_filling", "disk", data, source=SOURCE)

    def words(self) -> str:
        return f"the disk of {self.path} is full in about {self.hours_left:.1f} h"


@dataclass(frozen=True, slots=True)
class DiskRelieved:
    """It does not fill any more, or so slowly that it is far from full."""

    path: str

    type = "host.disk_relieved"

    def to_event(self) -> NewEvent:
        return NewEvent("host.disk_relieved", "disk", {"path": self.path}, source=SOURCE)

    def words(self) -> str:
        return f"the disk of {self.path} does not fill any more"


class Nearing:
    """Which forecasts of one end are news. Not thread-safe."""

    def __init__(self) -> None:
        self._told: float | None = None  # of TOLD_AT_H the last one that was told
        self._well_at: float | None = None

    def take_up(self) -> None:
        """It was told by a watch that is over: its end is told when it is over, and it again only when it is nearer."""
        if self._told is None:
            self._told = TOLD_AT_H[0]

    def see(self, hours_left: float | None, at: float) -> Literal["nearer", "over", ""]:
        """What a forecast changes; `hours_left` None: there is no end in sight. `at`: monotonic seconds."""
        if hours_left is not None and hours_left <= OVER_H:
            self._well_at = None
            near = min((hours for hours in TOLD_AT_H if hours_left <= hours), default=None)
            if near is None or (self._told is not None and near >= self._told):
                return ""
            self._told = near
            return "nearer"
        if self._told is None:
            return ""
        if self._well_at is None or at < self._well_at:
            self._well_at = at
        if at - self._well_at < OVER_S:
            return ""
        self._told = self._well_at = None
        return "over"


class DiskWatch:
    """Turns forecasts into notices. Not thread-safe.

    Args:
        path: Of the disk, as told.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._nearing = Nearing()

    def take_up(self) -> None:
        """It was told by a watch that is over."""
        self._nearing.take_up()

    def see(self, found: Filling | None, at: float) -> Notice | None:
        """What a forecast changes; `found` None: it does not fill. `at`: monotonic seconds."""
        news = self._nearing.see(None if found is None else found.hours_left, at)
        if news == "over":
            return DiskRelieved(self._path)
        if news == "" or found is None:
            return None
        return DiskFilling(
            self._path,
            found.hours_left,
            found.earliest_hours,
            found.latest_hours,
            found.free_bytes,
            found.bytes_per_hour,
        )


class DiskAhead:
    """Listens to the monitor, and looks ahead once a minute.

    Args:
        path: Whose disk it is.
        history: For what sinks so slowly that an hour does not tell.
        tell: Takes a notice.
    """

    def __init__(self, path: Path, history: "Callable[[], History]", tell: Callable[[Notice], None]) -> None:
        self._recent = Recent()
        self._forecast = DiskForecast(self._recent, history)
        self._watch = DiskWatch(str(path))
        self._tell = tell

    def take_up(self) -> None:
        """It was told by a watch that is over."""
        self._watch.take_up()

    def take(self, one: Snapshot | Notice | Report) -> None:
        """Look at a snapshot, if it is one."""
        if not isinstance(one, Snapshot):
            return
        self._recent.note(one, one.at)
        try:
            found = self._forecast.look(one.at, one.time.timestamp())
        except StateError as error:  # the history cannot be read now: the next look will do
            get_logger("monitor").debug("host.not_forecast", reason=str(error))
            return
        if (notice := self._watch.see(found, one.at)) is not None:
            self._tell(notice)
