"""An installation that nobody looks after, on a clock that tests move: outages, kills, pauses, providers that are away.

Scheduler, leader, queue, operations and log are the real ones. What executes the runs is simulated: it writes to the
log what a run writes, at once, or after a while, so that a year takes minutes.
"""

import heapq
import json
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline.scheduling.plan import Told
from data_pipeline.scheduling.scheduler import Scheduler
from data_pipeline.scheduling.views import Schedules, Seen
from data_pipeline.store.run_views import Run
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.schedules import pause, resume
from operations.scheduling import scheduler_of
from tests.integration.wall_walk import DaysOff, Wall, due_times
from utils.clock import ManualClock
from utils.events import NewEvent
from utils.leases import this_process
from utils.resilience.shared_state import Verdict

SOMEBODY = Actor("ann")
STEP = timedelta(seconds=45)

DEAD = str(replace(this_process(), started="1"))
"""A process of this host that is there no more."""


class Killed(BaseException):
    """The process is gone, in the middle of what it did."""


class Stretch(NamedTuple):
    """A time, from a moment until another."""

    start: datetime
    end: datetime


@dataclass
class Happened:
    """What was done to the installation: the reasons that there may be for a skip."""

    outages: list[Stretch] = field(default_factory=list)
    kills: int = 0
    paused: dict[str, list[Stretch]] = field(default_factory=dict)
    shut: dict[str, list[Stretch]] = field(default_factory=dict)


class Unattended:
    """One installation from `start` on.

    Args:
        schedules: Dataset -> its `schedule` as written.
        days_off: Calendar -> its days, as `calendars` declares them, too.
        slow: Dataset -> the longest time that its runs take; others are over at once.
        bring_after: Dataset -> at which try of a window its data is there.
        sections: Of the configuration, beside.
        step: The least that time goes by between two ticks: who waits for deliveries would look every five seconds.

    Attributes:
        system: Another process than the leader: it executes runs, and people use it.
    """

    def __init__(
        self,
        folder: Path,
        schedules: Mapping[str, Mapping[str, Any]],
        *,
        start: datetime,
        days_off: Mapping[str, DaysOff] = {},
        slow: Mapping[str, timedelta] = {},
        bring_after: Mapping[str, int] = {},
        sections: Mapping[str, Any] = {},
        step: timedelta = STEP,
        seed: int = 7,
    ) -> None:
        self.clock = ManualClock(start)
        self.start = start
        self.schedules = schedules
        self.days_off = days_off
        self.happened = Happened()
        self.deliveries: Counter[str] = Counter()
        self._folder = folder
        self._slow, self._bring_after = slow, bring_after
        self._step = step
        self._dice = random.Random(seed)
        self._leading: IntegratedSystem | None = None  # the leader's
        self._scheduler: Scheduler | None = None
        self._plans: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running: dict[str, tuple[datetime, str]] = {}  # run -> when it will be over, and its dataset
        self._tries: Counter[tuple[str, date]] = Counter()
        self._waiting = False
        self._configure(sections)
        self.system = self._opened()

    # --- what a test does ---------------------------------------------------------------------

    def outage(self, at: datetime, lasts: timedelta) -> None:
        """Nobody is there for a while; what ran is over later."""
        self._plan(at, lambda: self._go_down(at + lasts))

    def kill(self, at: datetime, *, sleeps: bool = False) -> None:
        """The leader dies at what it writes next, before or after; another process follows within a second.

        `sleeps`: it does not know that it was taken for dead, and goes on later.
        """
        self._plan(at, lambda: self._arm(sleeps=sleeps))

    def pause(self, name: str, at: datetime, lasts: timedelta) -> None:
        """Somebody pauses a schedule, and resumes it."""
        self._plan(at, lambda: self._by_hand(pause, name))
        self._plan(at + lasts, lambda: self._by_hand(resume, name))
        self.happened.paused.setdefault(name, []).append(Stretch(at, at + lasts))

    def shut(self, name: str, at: datetime, lasts: timedelta) -> None:
        """The circuit of a dataset's provider is open for a while."""
        self._plan(at, lambda: self._open_circuit(name, at + lasts))
        self.happened.shut.setdefault(name, []).append(Stretch(at, at + lasts))

    def live(self, until: datetime) -> None:
        """Let time go by, with everything that was planned."""
        if self._scheduler is None:
            self._go_up()
        while (now := self.clock.now()) < until:
            while self._plans and self._plans[0][0] <= now:
                heapq.heappop(self._plans)[2]()
                now = self.clock.now()
            wait = self._tick()
            over = self._work()
            following = [until, *(moment for moment in (over, self._plans[0][0] if self._plans else None) if moment)]
            left = (min(following) - self.clock.now()).total_seconds()
            if left > 0 and wait > 0:
                self.clock.advance(min(max(wait, self._step.total_seconds()), left))
        self._tick()
        self._work()

    def close(self) -> None:
        """Everybody stops."""
        self._stop()
        self.system.close()

    # --- what came of it ----------------------------------------------------------------------

    def accounted(self, until: datetime) -> tuple[int, list[str]]:
        """How many occurrences there were up to `until`, and what is wrong with any, in words."""
        wrong: list[str] = []
        number = 0
        started, told = _started(self.system), _told(self.system)
        wrong += [f"occurrence {one} stands in the log {times} times" for one, times in told.items() if times > 1]
        walls: dict[str, Wall] = {}
        for name, asked in self.schedules.items():
            seen = Schedules(self.system.database).occurrences(schedule=name)
            if "after" in asked:
                number += len(seen)
                wanted = sum(self.deliveries[other] for other in asked["after"])
                if len(seen) != wanted:
                    wrong.append(f"{name}: {wanted} deliveries, {len(seen)} occurrences")
            else:
                seen = [one for one in seen if one.due <= until]
                zone = asked.get("zone", "UTC")
                wall = walls.get(zone) or walls.setdefault(zone, Wall.walk(zone, self.start, until))
                days = self.days_off.get(asked.get("calendar", ""), DaysOff())
                due = due_times(asked, wall, days, self.start, until)
                number += len(due)
                wrong += _compared(name, due, seen)
            wrong += self._without_reason(name, asked, seen, until)
            wrong += [
                f"{name}: the run of {one.due} began {started[one.id]} times"
                for one in seen
                if one.outcome == "queued" and started[one.id] > 1
            ]
        return number, wrong

    def _without_reason(self, name: str, asked: Mapping[str, Any], seen: Sequence[Seen], until: datetime) -> list[str]:
        """Skips for which nothing happened that explains them."""
        late = self._step + timedelta(seconds=1)
        paused = self._with_outages(self.happened.paused.get(name, []))
        there = {
            "missed": [*self.happened.outages, *(Stretch(when.start - late, when.start) for when in paused)],
            "paused": paused,
            "provider": self._with_outages(self.happened.shut.get(name, [])),
            "overlap": [Stretch(self.start, until)] if name in self._slow else [],
            "done": [Stretch(self.start, until)] if name in self._bring_after else [],
        }
        jitter = timedelta(minutes=1) if "jitter" in asked else timedelta(0)
        return [
            f"{name}: {one.due} was skipped ({one.outcome}: {one.words}), but nothing was the matter"
            for one in seen
            if one.outcome != "queued"
            and not any(where.start - jitter - late <= one.due <= where.end for where in there[one.outcome])
        ]

    def _with_outages(self, times: Sequence[Stretch]) -> list[Stretch]:
        """With the outages they touch: what was missed before is put off as well, and who is away cannot resume."""
        found = []
        for one in times:
            beside = [away for away in self.happened.outages if away.start <= one.end and one.start <= away.end]
            found.append(Stretch(min(both.start for both in (one, *beside)), max(both.end for both in (one, *beside))))
        return found

    # --- processes ----------------------------------------------------------------------------

    def _configure(self, sections: Mapping[str, Any]) -> None:
        datasets = [
            {"name": name, "collect": {"kind": "simulated"}, "schedule": dict(asked)}
            for name, asked in self.schedules.items()
        ]
        days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        calendars = {
            name: {
                "weekdays": [days[number] for number in sorted(off.open_days)],
                "holidays": [day.isoformat() for day in sorted(off.holidays)],
            }
            for name, off in self.days_off.items()
        }
        config = {**sections, "datasets": datasets, "calendars": calendars}
        (self._folder / "orchestrator.json").write_text(json.dumps(config))

    def _opened(self) -> IntegratedSystem:
        return IntegratedSystem(
            self._folder / "orchestrator.json", state_dir=self._folder / "state", environ={}, clock=self.clock
        )

    def _go_up(self) -> None:
        self._leading = self._opened()
        self._scheduler = scheduler_of(self._leading, told=self._heard)
        self._waiting = True  # a run that was queued by one that died, before it could say so

    def _stop(self) -> None:
        """As the service does."""
        if self._scheduler is not None and self._leading is not None:
            self._scheduler.close()
            self._leading.close()
            self._scheduler = self._leading = None

    def _go_down(self, until: datetime) -> None:
        self._stop()
        self.happened.outages.append(Stretch(self.clock.now(), until))
        self.clock.advance((until - self.clock.now()).total_seconds())
        self._go_up()

    def _arm(self, *, sleeps: bool) -> None:
        """From its next commit on the process is gone."""
        assert self._leading is not None
        events, real = self._leading.events, self._leading.events.append
        after = self._dice.random() < 0.5

        def dying(*given: Any, **named: Any) -> Any:
            setattr(events, "append", real)  # noqa: B010 - a method of its own, for one call
            if after:
                real(*given, **named)
            raise Killed

        if sleeps:
            self._follow(sleeping=True)
        else:
            setattr(events, "append", dying)  # noqa: B010

    def _tick(self) -> float:
        assert self._scheduler is not None
        try:
            return self._scheduler.tick()
        except Killed:
            self._follow(sleeping=False)
            return 0.0

    def _follow(self, *, sleeping: bool) -> None:
        """Another process leads in the place of this one, whose host says that it is gone."""
        gone, scheduler = self._leading, self._scheduler
        assert gone is not None
        assert scheduler is not None
        self.happened.kills += 1
        with gone.coordination.transaction() as connection:
            connection.execute("UPDATE leases SET owner = ? WHERE name = 'scheduler'", (DEAD,))
        self._go_up()
        assert self._scheduler is not None
        while self._scheduler.tick() == 0.0:
            pass
        assert self._scheduler.leads
        if sleeping:
            head = gone.events.head()
            self.clock.advance(0.5)
            scheduler.tick()  # it wakes up, and must not write as the leader
            assert [event.type for event in gone.events.read(after=head[0])] == []
        gone.close()

    # --- what happens to it -------------------------------------------------------------------

    def _plan(self, at: datetime, what: Callable[[], None]) -> None:
        heapq.heappush(self._plans, (at, next(self._numbers), what))

    def _by_hand(self, what: Callable[..., object], name: str) -> None:
        what(self.system, SOMEBODY, [name])

    def _open_circuit(self, name: str, until: datetime) -> None:
        verdict = Verdict("open", self.clock.time(), until.timestamp(), 1, "it did not answer")
        self.system.verdicts.change(name, lambda _: verdict)

    # --- the executor -------------------------------------------------------------------------

    def _work(self) -> datetime | None:
        """Begin what waits, end what is over; gives when the next run will be."""
        now = self.clock.now()
        events = [self._ended(run_id) for run_id, (over, _) in list(self._running.items()) if over <= now]
        if self._waiting or events:
            events += self._begin_what_waits(now)
        if events:
            self.system.events.append(events)
        return min((over for over, _ in self._running.values()), default=None)

    def _heard(self, told: Told) -> None:
        self._waiting |= told.run_id is not None

    def _begin_what_waits(self, now: datetime) -> list[NewEvent]:
        events: list[NewEvent] = []
        busy = {dataset for _, dataset in self._running.values()}
        self._waiting = False
        for run in reversed(self.system.views.runs(limit=5000, status="queued")):
            (dataset,) = run.request["datasets"]
            if dataset not in busy:
                events += self._begun(run, dataset, now)
                busy |= {dataset for _, dataset in self._running.values()}
        return events

    def _begun(self, run: Run, dataset: str, now: datetime) -> list[NewEvent]:
        data = {"actor": "w", "owner": DEAD, "datasets": [dataset], "fresh": False}
        events = [NewEvent("run.started", run.run_id, data)]
        if self._brings(dataset, now):
            self.deliveries[dataset] += 1
            body = {"version": run.run_id, "rows": 1, "size": 1, "path": f"held/{run.run_id}", "run_id": run.run_id}
            events.append(NewEvent("batch.accepted", dataset, body))
        longest = self._slow.get(dataset)
        if longest is not None:
            self._running[run.run_id] = (now + self._dice.random() * longest, dataset)
            return events
        return [*events, _finished(run.run_id)]

    def _brings(self, dataset: str, now: datetime) -> bool:
        if dataset not in self._bring_after:
            return False
        self._tries[dataset, now.date()] += 1
        return self._tries[dataset, now.date()] == self._bring_after[dataset]

    def _ended(self, run_id: str) -> NewEvent:
        del self._running[run_id]
        return _finished(run_id)


def _finished(run_id: str) -> NewEvent:
    return NewEvent("run.finished", run_id, {"status": "succeeded", "duration_s": 1.0, "counts": {}, "anomalies": {}})


def _started(system: IntegratedSystem) -> Counter[str]:
    rows = system.database.query("SELECT subject, count(*) FROM events WHERE type = 'run.started' GROUP BY subject")
    return Counter(dict(rows))


def _told(system: IntegratedSystem) -> Counter[str]:
    """How often the log has each occurrence; the views cannot have one twice."""
    rows = system.database.query(
        "SELECT type, subject, data FROM events WHERE type IN ('run.queued', 'schedule.skipped')"
    )
    return Counter(subject if kind == "run.queued" else json.loads(data)["id"] for kind, subject, data in rows)


def _compared(name: str, due: Sequence[datetime], seen: Sequence[Seen]) -> list[str]:
    """Where what was seen to differs from what was due."""
    wrong = []
    times: Counter[datetime] = Counter()
    for one in seen:
        if one.number == 1:
            times[one.due] += 1
            continue
        row = due[bisect_left(due, one.due) : bisect_left(due, one.last + timedelta(microseconds=1))]
        times.update(row)
        if len(row) != one.number:
            wrong.append(f"{name}: {one.number} skipped from {one.due} to {one.last}, but {len(row)} were due")
    wrong += [f"{name}: {moment} was seen to {number} times" for moment, number in times.items() if number > 1]
    wanted = set(due)
    wrong += [f"{name}: {moment} was lost" for moment in due if moment not in times]
    wrong += [f"{name}: {moment} was never due" for moment in times if moment not in wanted]
    return wrong
