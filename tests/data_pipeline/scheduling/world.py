"""Schedulers on one log with a clock of their own: what the tests of this folder set up."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from config.settings import Settings
from data_pipeline.run_queue.queue import RunQueue
from data_pipeline.scheduling import pausing
from data_pipeline.scheduling.closing import Windows
from data_pipeline.scheduling.entry import Shut
from data_pipeline.scheduling.leader import Leader
from data_pipeline.scheduling.plan import Told
from data_pipeline.scheduling.scheduled import Scheduled, scheduled
from data_pipeline.scheduling.scheduler import LEADER_GRACE_S, Scheduler
from data_pipeline.scheduling.triggers import Triggers
from data_pipeline.scheduling.views import Schedules, Seen
from data_pipeline.store.views import Views
from operations.kept import MIGRATIONS, projections
from tests.databases import opened_at
from utils.clock import ManualClock
from utils.events import Event, EventStore, NewEvent
from utils.leases import BEAT_SCHEMA, SCHEMA, Leases
from utils.sqlite import SqliteDatabase

START = datetime(2026, 3, 2, 11, 59, 30, tzinfo=UTC)  # a Monday


def at(text: str, day: str = "2026-03-02") -> datetime:
    """A time of that Monday: `12:00`."""
    return datetime.fromisoformat(f"{day}T{text}+00:00")


class World:
    """A log, its views, and any number of schedulers as processes have them.

    Attributes:
        shut: Dataset -> the provider whose circuit is open, and until when.
        holds: What `done_when` says now.
        before_writing: Called when it was decided that something runs, before that is written.
    """

    def __init__(self, folder: Path, address: str | None = None, *, start: datetime = START) -> None:
        self.clock = ManualClock(start)
        self.database = opened_at(address or str(folder / "log.db"), MIGRATIONS)
        self.coordination = SqliteDatabase(folder / "coordination.db", migrations=[SCHEMA, BEAT_SCHEMA])
        self.store = EventStore(self.database, projections=projections(), clock=self.clock)
        self.views = Views(self.database)
        self.schedules = Schedules(self.database)
        self.queue = RunQueue(self.store, self.views, clock=self.clock)
        self.settings = Settings()
        self.shut: dict[str, Shut] = {}
        self.holds: Callable[[str, datetime], bool] = lambda _, __: False
        self.before_writing: Callable[[], None] = lambda: None
        self.told: list[Told] = []
        self._open: list[Callable[[], None]] = []
        self._leases: list[Leases] = []

    def declare(self, calendars: Mapping[str, Any] = {}, /, **schedules: Mapping[str, Any]) -> None:
        """The configuration from now on: the datasets with their schedules, and `priority` beside.

        Those that a schedule comes after are declared, too.
        """
        datasets: list[dict[str, Any]] = []
        others = dict.fromkeys(other for asked in schedules.values() for other in _listed(asked.get("after", [])))
        datasets += [{"name": other, "collect": {"kind": "simulated"}} for other in others if other not in schedules]
        for name, schedule in schedules.items():
            asked = dict(schedule)
            block = {"priority": asked.pop("priority", 0)}
            datasets.append({"name": name, "collect": {"kind": "simulated"}, "schedule": asked, **block})
        self.settings = Settings.model_validate({"datasets": datasets, "calendars": calendars})

    def process(self, *, grace_s: float = LEADER_GRACE_S) -> Scheduler:
        """A scheduler with connections and leases of its own."""
        store = EventStore(self.database, projections=projections(), clock=self.clock)
        leases = Leases(self.coordination, clock=self.clock)
        self._leases.append(leases)
        self._open += [leases.close, store.close]
        return Scheduler(
            lambda: scheduled(self.settings),
            leader=Leader(leases, store, clock=self.clock),
            queue=RunQueue(store, self.views, clock=self.clock),
            events=store,
            schedules=self.schedules,
            windows=Windows(self.schedules, self._holds, lambda _: "no answer"),
            triggers=Triggers(store, self.schedules, clock=self.clock),
            clock=self.clock,
            changing=lambda: scheduled(self.settings, of_files=True),
            shut=self._shut,
            told=self.told.append,
            grace_s=grace_s,
        )

    def _holds(self, name: str, now: datetime) -> bool:
        return self.holds(name, now)

    def _shut(self, name: str) -> Shut | None:
        self.before_writing()
        found = self.shut.get(name)
        return None if found is None or (found.until is not None and found.until <= self.clock.now()) else found

    def beat(self) -> None:
        """Every process says that it lives, as a thread of it does every five seconds."""
        for leases in self._leases:
            leases.renew()

    def move_to(self, moment: datetime) -> None:
        """Let time go by until a moment."""
        self.clock.advance((moment - self.clock.now()).total_seconds())

    def work(self, scheduler: Scheduler, until: datetime, *, step: float = 30.0) -> None:
        """Tick as the service does until a moment: when the scheduler asks for it, at least every `step` seconds."""
        while True:
            while (wait := scheduler.tick()) == 0.0:
                pass
            left = (until - self.clock.now()).total_seconds()
            if left <= 0:
                return
            self.clock.advance(min(wait, left, step))

    def finish(self, run_id: str, status: str = "succeeded") -> None:
        """A run begins and ends, as a worker tells it."""
        self.begin(run_id)
        self.add("run.finished", run_id, status=status, duration_s=1.0, counts={}, anomalies={})

    def begin(self, run_id: str) -> None:
        """A run begins, and says what was asked for."""
        run = self.views.run(run_id)
        assert run is not None
        self.add("run.started", run_id, **{**run.request, "actor": "w", "owner": "dead|b|n|1|2"})

    def finish_all(self) -> None:
        """All that waits, or is at work, ends well."""
        for run in self.views.runs(limit=10_000, status="queued"):
            self.finish(run.run_id)
        for run in self.views.runs(limit=10_000, status="running"):
            self.add("run.finished", run.run_id, status="succeeded", duration_s=1.0, counts={}, anomalies={})

    def deliver(self, dataset: str, run_id: str) -> Event:
        """A batch of a dataset is accepted."""
        data = {"version": run_id, "rows": 1, "size": 1, "path": f"held/{run_id}", "run_id": run_id}
        return self.store.append([NewEvent("batch.accepted", dataset, data)])[0]

    def pause(self, *names: str) -> None:
        """As the operation does."""
        pausing.pause(self.store, names, actor="ann", now=self.clock.now())

    def resume(self, *names: str) -> int:
        """As the operation does; gives how many occurrences were skipped."""
        moving = [one for one in self.scheduled() if one.dataset in names]
        return pausing.resume(self.store, moving, actor="ann", now=self.clock.now())

    def scheduled(self) -> list[Scheduled]:
        """What is declared."""
        return scheduled(self.settings)

    def add(self, kind: str, subject: str, **data: object) -> None:
        """Tell the log of something."""
        self.store.append([NewEvent(kind, subject, data)])

    def runs(self, name: str) -> list[datetime]:
        """The due times of the occurrences of a schedule that became runs."""
        return [seen.due for seen in self.schedules.occurrences(schedule=name) if seen.outcome == "queued"]

    def skipped(self, name: str) -> list[tuple[datetime, str]]:
        """The due times of those that were skipped, with the reason."""
        found = self.schedules.occurrences(schedule=name)
        return [(seen.due, seen.outcome) for seen in found if seen.outcome != "queued"]

    def seen(self, name: str) -> list[Seen]:
        """What became of every occurrence of a schedule."""
        return self.schedules.occurrences(schedule=name)

    def events(self, kind: str) -> list[Event]:
        """All events of a type, oldest first."""
        return self.store.read(type=kind, limit=10_000)

    def waiting(self, name: str) -> list[str]:
        """The runs of a schedule that wait in the queue."""
        return list(self.schedules.busy()[name].waiting)

    def close(self) -> None:
        """Close every process and the log."""
        for close in self._open:
            close()
        self.store.close()
        self.coordination.close()
        self.database.close()


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)
