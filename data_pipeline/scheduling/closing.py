"""Windows: whether one has brought its data, and what is told when it closes without."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.plan import SOURCE, Plan
from data_pipeline.scheduling.policy import Busy
from data_pipeline.scheduling.scheduled import Scheduled
from data_pipeline.scheduling.views import Schedules, Seen
from data_pipeline.scheduling.window import Window
from utils.events import NewEvent, rfc3339

__all__ = ["Holds", "Windows"]

LOOK_AGAIN = timedelta(seconds=1)
"""How soon a window is looked at again whose last try is not over when it closes."""

Holds = Callable[[str, datetime], bool]
"""Whether a dataset's `done_when` holds of what readers see; `today` is the day of the moment that is given."""


class _Open(NamedTuple):
    """A window that nobody has judged yet. `look`: when to."""

    look: datetime
    scheduled: Scheduled
    window: Window


class Windows:
    """The windows that were tried in and are not judged.

    Args:
        reason: What came of a dataset's last run, in words.
    """

    def __init__(self, schedules: Schedules, holds: Holds, reason: Callable[[str], str | None]) -> None:
        self._schedules = schedules
        self._holds = holds
        self._reason = reason
        self._open: dict[tuple[str, datetime], _Open] = {}

    def of(self, one: Scheduled, occurrence: Occurrence) -> Window | None:
        """The window of a try; None when the schedule has none."""
        return one.timetable.window(occurrence) if one.asked.kind == "window" else None

    def tried(self, one: Scheduled, window: Window) -> None:
        """Judge it once it has closed."""
        self._open.setdefault((one.dataset, window.opens), _Open(window.closes, one, window))

    def is_done(self, one: Scheduled, window: Window) -> bool:
        """Whether its data is there: `done_when` holds or, without one, something new came in it."""
        if one.asked.done_when is not None:
            # Over midnight, too, a window waits for the data of the day on which it opened.
            return self._holds(one.dataset, window.opens)
        return self._schedules.delivered(one.dataset, window.opens, window.closes)

    @property
    def next(self) -> datetime | None:
        """When the next one is to be judged."""
        return min((one.look for one in self._open.values()), default=None)

    def judge(self, now: datetime, busy: Mapping[str, Busy], plan: Plan) -> list[tuple[str, datetime]]:
        """Tell of those that have closed without data; gives the keys of those that are judged, for `settle`."""
        judged = []
        for key, (look, one, window) in list(self._open.items()):
            if look > now:
                continue
            if one.dataset in busy and not self._is_later(one, window, busy[one.dataset]):
                self._open[key] = _Open(now + LOOK_AGAIN, one, window)
                continue
            judged.append(key)
            if not self.is_done(one, window) and (told := self._overdue(one, window)):
                missed = Occurrence(window.opens, one.dataset, "overdue")
                plan.note(NewEvent("dataset.overdue", one.dataset, told, source=SOURCE, id=missed.run_id))
        return judged

    def settle(self, judged: list[tuple[str, datetime]]) -> None:
        """These are told of."""
        for key in judged:
            self._open.pop(key, None)

    def forget(self) -> None:
        """Another process judges them."""
        self._open.clear()

    def _is_later(self, one: Scheduled, window: Window, busy: Busy) -> bool:
        """Whether what is not over began in another window."""
        mine = {seen.id for seen in self._tries(one, window)}
        return mine.isdisjoint(busy.runs)

    def _overdue(self, one: Scheduled, window: Window) -> dict[str, Any] | None:
        """What is told of a window without data; None when it was paused."""
        seen = self._tries(one, window)
        tries = [row for row in seen if row.outcome == "queued"]
        skipped = {row.outcome: row.words for row in seen if row.outcome != "queued"}
        if not tries and set(skipped) == {"paused"}:
            return None
        reason = self._reason(one.dataset) if tries else next(iter(skipped.values()), "its provider could not be asked")
        return {
            "opens": rfc3339(window.opens),
            "closes": rfc3339(window.closes),
            "tries": len(tries),
            "reason": reason or "what came was not new",
        }

    def _tries(self, one: Scheduled, window: Window) -> list[Seen]:
        return self._schedules.occurrences(schedule=one.dataset, since=window.opens, until=window.closes)
