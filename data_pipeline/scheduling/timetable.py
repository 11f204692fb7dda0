"""When a dataset is due: the occurrences that its schedule names, the same in every process that computes them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from config.settings import DatasetSettings, Settings
from data_pipeline.scheduling.cron import CronTimes
from data_pipeline.scheduling.interval import IntervalTimes
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.window import Window, WindowTimes
from utils.calendars import EVERY_DAY, Calendar

__all__ = ["Timetable"]

_STEPS = tuple(timedelta(seconds=60 * 8**power) for power in range(9))


class Times(Protocol):
    """The moments of one schedule."""

    def next(self, after: datetime) -> datetime | None:
        """The first moment after another, UTC; None: there is none."""
        ...


class Timetable:
    """The occurrences of one dataset. Pure: no clock, nothing read, nothing remembered; any thread may ask.

    A dataset that is collected after another one, when a file comes, or only when it is asked for has none.
    """

    __slots__ = ("_jitter", "_times", "_zone", "schedule")

    def __init__(self, schedule: str, times: Times | None, *, zone: tzinfo = UTC, jitter: float = 0.0) -> None:
        self.schedule = schedule
        self._times = times
        self._zone = zone
        self._jitter = jitter

    @classmethod
    def of(cls, dataset: DatasetSettings, settings: Settings, calendars: Mapping[str, Calendar]) -> "Timetable":
        """What the dataset's `schedule` says.

        Args:
            calendars: `calendars(settings)`.
        """
        asked = dataset.schedule
        if asked is None or asked.kind in ("after", "on_file"):
            return cls(dataset.name, None)
        zone = ZoneInfo(asked.zone or settings.app.zone)
        calendar = EVERY_DAY if asked.calendar is None else calendars[asked.calendar]
        times: Times
        if asked.cron is not None:
            times = CronTimes(asked.cron, zone, calendar)
        elif asked.every is not None and asked.opens is not None and asked.until is not None:
            times = WindowTimes(asked.every, asked.opens, asked.until, zone, calendar)
        else:
            times = IntervalTimes(asked.every or 0.0, zone, calendar)
        return cls(dataset.name, times, zone=zone, jitter=asked.jitter)

    @property
    def zone(self) -> tzinfo:
        """The zone of the schedule's wall times and days."""
        return self._zone

    def next(self, after: datetime) -> Occurrence | None:
        """The first occurrence after a moment (not at it); None: there is none."""
        found = None if self._times is None else self._times.next(after)
        return None if found is None else Occurrence(found, self.schedule)

    def between(self, after: datetime, until: datetime) -> Iterator[Occurrence]:
        """The occurrences after one moment, up to and with another, in order."""
        found = self.next(after)
        while found is not None and found.due <= until:
            yield found
            found = self.next(found.due)

    def previous(self, until: datetime) -> Occurrence | None:
        """The last occurrence at or before a moment; None: there was none in the 255 years before."""
        for step in _STEPS:
            try:
                found = self.next(until - step)
            except OverflowError:
                return None
            if found is not None and found.due <= until:
                return self._last(found, until)
        return None

    def starts_at(self, occurrence: Occurrence) -> datetime:
        """When it shall begin: its due time and a share of the schedule's `jitter` that follows from its run id.

        Never at or after the next occurrence, nor, in a window, when that has closed.
        """
        if not self._jitter:
            return occurrence.due
        room = timedelta(seconds=self._jitter)
        following = self.next(occurrence.due)
        if following is not None:
            room = min(room, following.due - occurrence.due)
        if isinstance(self._times, WindowTimes):
            room = min(room, self._times.of(occurrence.due).closes - occurrence.due)
        # The low bits of the run id come from a hash of schedule and due time: even, and the same in every process.
        share = int(occurrence.run_id[-12:], 16)
        return occurrence.due + timedelta(microseconds=(room // timedelta(microseconds=1)) * share >> 48)

    def next_start(self, after: datetime) -> datetime | None:
        """When the first occurrence begins that has not begun yet; None: there is none."""
        # No occurrence begins behind the next one, so only the last one can still be to begin.
        last = self.previous(after) if self._jitter else None
        if last is not None and (start := self.starts_at(last)) > after:
            return start
        following = self.next(after)
        return None if following is None else self.starts_at(following)

    def window(self, occurrence: Occurrence) -> Window:
        """When the window of an occurrence opens and closes.

        Raises:
            ValueError: the schedule has no windows, or the occurrence lies in none.
        """
        if not isinstance(self._times, WindowTimes):
            raise ValueError(f"the schedule of {self.schedule} has no windows")
        return self._times.of(occurrence.due)

    def _last(self, found: Occurrence, until: datetime) -> Occurrence:
        """The last one up to `until`, of which `found` is an earlier one."""
        low, high = found.due, until
        # Half the way each time, so that a long way back costs no walk over all that lies between.
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            following = self.next(middle)
            if following is not None and following.due <= until:
                found, low = following, following.due
            else:
                high = middle
        following = self.next(low)
        return following if following is not None and following.due <= until else found
