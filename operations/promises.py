"""Promises of the declared datasets: how they stand at this moment, and the event when that changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.promise import FOR_EVER, Judgement, Promise, State, Tries
from data_pipeline.promise_views import Holding, Promised, Told, told_states
from data_pipeline.promises import Promises
from data_pipeline.store.views import Views
from integrated_system import IntegratedSystem
from utils.calendars import Calendar
from utils.database import Connection, Database, StateError
from utils.events import NewEvent, rfc3339

if TYPE_CHECKING:
    from data_pipeline.scheduling.timetable import Timetable

__all__ = ["Attempts", "PromiseStand", "PromiseWatch", "Promising", "judge_promises"]

_TYPES: dict[State, str] = {"kept": "promise.kept", "at_risk": "promise.at_risk", "broken": "promise.broken"}
_LIVE = ("queued", "running")
_MOST_RUNS = 1000
_TRIES = 3
"""How often a moment is looked at again because another process told something meanwhile."""


@dataclass(frozen=True, slots=True)
class PromiseStand:
    """How the promise of a dataset stands at a moment."""

    promise: Promise
    judged: Judgement
    now: datetime

    @property
    def state(self) -> State:
        return self.judged.state

    @property
    def left_s(self) -> float | None:
        """Seconds until it breaks; None: nobody knows, or it never does."""
        return self.judged.left_s(self.now)

    def to_json(self) -> dict[str, Any]:
        """Times RFC 3339; `until`: the last moment at which it is kept, None: nobody knows, or always."""
        judged = self.judged
        known = judged.until is not None and judged.until != FOR_EVER
        return {
            "state": judged.state,
            "until": rfc3339(judged.until) if known and judged.until is not None else None,
            "left_s": self.left_s,
            "age_s": judged.age_s,
            **self.promise.to_json(),
            "reason": judged.words or None,
        }


class Attempts:
    """What is known of attempts to bring new data: which are due, which are under way. Looked up when first asked."""

    def __init__(self, system: IntegratedSystem, database: Database) -> None:
        self._settings = system.settings
        self._database = database
        self._calendars: dict[str, Calendar] | None = None
        self._timetables: dict[str, Timetable] = {}
        self.look_again()

    def look_again(self) -> None:
        """Forget what may be another way by now."""
        self._paused: frozenset[str] | None = None
        self._at_work: frozenset[str] | None = None

    def judged(self, promise: Promise, dataset: DatasetSettings, has: Holding, now: datetime) -> tuple[Judgement, bool]:
        """How the promise of a dataset stands, and whether a try is under way that may still mend it."""
        tries = self.of(dataset, now, last_failed=has.status != "succeeded")
        judged = promise.judge(has.collected_at, has.data_time, now, tries)
        if judged.state != "at_risk" or not self._is_at_work(dataset.name):
            return judged, False
        return promise.judge(has.collected_at, has.data_time, now, tries._replace(at_work=True)), True

    def _is_at_work(self, name: str) -> bool:
        if self._at_work is None:
            views = Views(self._database)
            live = [run for state in _LIVE for run in views.runs(limit=_MOST_RUNS, status=state)]
            self._at_work = frozenset(name for run in live for name in run.request.get("datasets", ()))
        return name in self._at_work

    def of(self, dataset: DatasetSettings, now: datetime, *, last_failed: bool) -> Tries:
        """The tries of a dataset, but for those that are under way."""
        tries = Tries(last_failed=last_failed)
        if dataset.schedule is None:
            return tries
        if self._paused is None:
            from data_pipeline.scheduling.views import Schedules

            self._paused = Schedules(self._database).paused()
            self._read_calendars()
        if dataset.name in self._paused:
            return tries._replace(paused=True)
        return tries._replace(following=self._timetable(dataset).next_start(now))

    def _read_calendars(self) -> None:
        from data_pipeline.scheduling.calendars import calendars

        found = calendars(self._settings)
        if found != self._calendars:
            self._calendars = found
            self._timetables.clear()

    def _timetable(self, dataset: DatasetSettings) -> "Timetable":
        from data_pipeline.scheduling.timetable import Timetable

        made = self._timetables.get(dataset.name)
        if made is None:
            made = self._timetables[dataset.name] = Timetable.of(dataset, self._settings, self._calendars or {})
        return made


class Promising:
    """Judges promises at one moment.

    Args:
        database: Where the views are: of today, or of a past moment.
    """

    def __init__(self, system: IntegratedSystem, database: Database, now: datetime) -> None:
        self._promises = Promises(system.settings)
        self._attempts = Attempts(system, database)
        self._now = now

    def judged(self, dataset: DatasetSettings, has: Holding) -> PromiseStand | None:
        """How the promise of a dataset stands with what its readers get; None: it makes none."""
        promise = self._promises.of(dataset)
        if promise is None:
            return None
        judged, _ = self._attempts.judged(promise, dataset, has, self._now)
        return PromiseStand(promise, judged, self._now)


class _Known(NamedTuple):
    """What was judged last: of which rows, and until when it stays so."""

    holding: Holding
    state: State
    changes_at: datetime


class PromiseWatch:
    """Looks at all promises, again and again: what cannot have changed since the last time is passed over.

    Not thread-safe. Datasets that never ran are not judged: nobody has got anything of them yet.

    Args:
        names: Only of these datasets; None: of all.
    """

    def __init__(self, system: IntegratedSystem, names: Collection[str] | None = None) -> None:
        self._system = system
        self._of_all = names is None
        # After a run of one dataset nobody looks at the other ten thousand.
        mine = system.settings.datasets if names is None else map(system.settings.find, names)
        self._datasets = {one.name: one for one in mine if one is not None and one.promise.made}
        self._promises = Promises(system.settings)
        self._attempts = Attempts(system, system.database)
        self._known: dict[str, _Known] = {}
        self._calendars: dict[str, Calendar] = {}
        self._ever_told = True

    def look(self) -> int:
        """Write an event for each promise that is at risk now, broken, or kept again; how many.

        It is told once, also when several processes look at the same moment. Of a promise that is not made any more the
        end is told.
        """
        if not self._datasets and not self._ever_told:
            return 0
        for _ in range(_TRIES):
            told = Promised(self._system.database).told(None if self._of_all else list(self._datasets))
            self._ever_told = bool(told)
            events = self._news(told)
            if not events or self._append(events, told):
                return len(events)
        return 0

    def _news(self, told: dict[str, Told]) -> list[NewEvent]:
        now = self._system.clock.now()
        events = []
        self._attempts.look_again()
        self._look_at_calendars()
        holdings = Promised(self._system.database).holdings(list(self._datasets)) if self._datasets else ()
        for holding in holdings:
            if (dataset := self._datasets.get(holding.dataset)) is None:
                continue
            before = told.get(holding.dataset)
            was = "kept" if before is None else before.state
            known = self._known.get(holding.dataset)
            if known is not None and (known.holding, known.state) == (holding, was) and now < known.changes_at:
                continue
            stand = self._judged(dataset, holding, now)
            if stand is None or stand.state == was:
                continue
            told_now = {**stand.to_json(), "before": was}
            events.append(NewEvent(_TYPES[stand.state], dataset.name, told_now, source="operations"))
        for name, before in told.items():
            if self._of_all and name not in self._datasets:
                data = {**before.body, "state": "kept", "before": before.state, "reason": "it is promised no more"}
                events.append(NewEvent("promise.kept", name, data, source="operations"))
        return events

    def _look_at_calendars(self) -> None:
        """A file of holidays that changed moves what was judged."""
        if not self._system.settings.calendars:
            return
        from data_pipeline.scheduling.calendars import calendars

        found = calendars(self._system.settings)
        if found != self._calendars:
            self._calendars = found
            self._known.clear()

    def _judged(self, dataset: DatasetSettings, holding: Holding, now: datetime) -> PromiseStand | None:
        promise = self._promises.of(dataset)
        if promise is None:
            return None
        judged, at_work = self._attempts.judged(promise, dataset, holding, now)
        if not at_work:
            self._known[dataset.name] = _Known(holding, judged.state, judged.changes_at)
        return PromiseStand(promise, judged, now)

    def _append(self, events: Sequence[NewEvent], told: dict[str, Told]) -> bool:
        """Whether it was news: nobody else told any of it meanwhile."""
        names = {event.subject for event in events}
        expected = {name: one.state for name, one in told.items() if name in names}

        def as_it_was(connection: Connection) -> None:
            if told_states(connection, names) != expected:
                raise _ToldAlready("another process told of promises")

        try:
            self._system.events.append(list(events), guard=as_it_was)
        except _ToldAlready:
            return False
        return True


def judge_promises(system: IntegratedSystem, names: Collection[str] | None = None) -> int:
    """Write an event for each promise whose state has changed; how many. See `PromiseWatch`."""
    return PromiseWatch(system, names).look()


class _ToldAlready(StateError):
    """Another process looked at the same moment."""
