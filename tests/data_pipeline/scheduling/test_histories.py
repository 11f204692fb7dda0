"""Whatever happens to clocks, processes and schedules: each occurrence is seen to once, and none is invented."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from data_pipeline.scheduling.entry import Shut
from data_pipeline.scheduling.scheduler import Scheduler
from tests.data_pipeline.scheduling.world import World

NAMES = ("cron", "every", "window")
START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # half an hour before clocks change in Berlin


class Killed(BaseException):
    """The process is gone."""


class Histories(RuleBasedStateMachine):
    """Schedulers that come, die, sleep and go; pauses; runs that last; circuits that open; a clock that is set."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.world = World(Path(self.folder.name), start=START)
        self.schedulers: list[Scheduler] = []
        self.last = START  # the latest moment that any leader may have seen
        self.paused: set[str] = set()

    @initialize(missed=st.sampled_from(["skip", "last", "all"]), overlap=st.sampled_from(["skip", "queue", "replace"]))
    def begin(self, missed: str, overlap: str) -> None:
        """Three schedules with the same policies."""
        policies = {"missed": missed, "overlap": overlap}
        self.world.declare(
            cron={"cron": "*/20 * * * *", "zone": "Europe/Berlin", **policies},
            every={"every": "7m", "jitter": "3m", **policies},
            window={"every": "10m", "from": "03:10", "until": "04:00", "zone": "Europe/Berlin", **policies},
        )
        self.schedulers.append(self.world.process())
        self.schedulers[0].tick()

    @rule(minutes=st.integers(0, 90), step=st.sampled_from([15.0, 600.0]))
    def time_goes_by(self, minutes: int, step: float) -> None:
        """While all processes live and look."""
        until = self.world.clock.now() + timedelta(minutes=minutes)
        step = max(step, minutes * 60 / 20)
        while self.world.clock.now() < until:
            self.world.clock.advance(min(step, (until - self.world.clock.now()).total_seconds()))
            self.world.beat()
            self.look()
        self.look()

    @rule(hours=st.integers(1, 30))
    def nobody_is_there(self, hours: int) -> None:
        """All processes sleep."""
        self.world.clock.advance(hours * 3600)

    @rule(seconds=st.integers(1, 7200))
    def the_clock_is_set_back(self, seconds: int) -> None:
        """By an operator, or NTP."""
        self.world.clock.set_back(seconds)

    @rule(seconds=st.integers(1, 7200))
    def the_clock_is_set_forward(self, seconds: int) -> None:
        """Likewise."""
        self.world.clock.set_forward(seconds)

    @rule()
    def another_process_starts(self) -> None:
        """At most three."""
        if len(self.schedulers) < 3:
            self.schedulers.append(self.world.process())
        self.look()

    @precondition(lambda self: len(self.schedulers) > 1)
    @rule()
    def the_leader_stops(self) -> None:
        """In order."""
        self.schedulers.pop(0).close()

    @rule(after=st.booleans(), minutes=st.integers(1, 60))
    def the_leader_is_killed(self, after: bool, minutes: int) -> None:
        """In the middle of its next commit: before it, or after."""
        leader = next((one for one in self.schedulers if one.leads), None)
        if leader is None:
            return
        queue = leader._queue
        real = queue.put

        def dying(*given, **named):
            if after:
                real(*given, **named)
            raise Killed

        queue.put = dying  # type: ignore[method-assign]
        self.world.clock.advance(minutes * 60)
        with suppress(Killed):
            leader.tick()
        queue.put = real  # type: ignore[method-assign]
        self.schedulers.remove(leader)
        leader._leader.resign()  # as its host says that it is gone
        self.schedulers.append(self.world.process())
        self.look()

    @rule(name=st.sampled_from(NAMES))
    def somebody_pauses(self, name: str) -> None:
        """One schedule."""
        if name not in self.paused:
            self.world.pause(name)
            self.paused.add(name)

    @rule(name=st.sampled_from(NAMES))
    def somebody_resumes(self, name: str) -> None:
        """With what lay in the pause."""
        if name in self.paused:
            self.world.resume(name)
            self.paused.discard(name)

    @rule(data=st.data())
    def runs_end(self, data: st.DataObject) -> None:
        """Some begin, some end, some bring something new."""
        for run in self.world.views.runs(limit=100, status="queued"):
            what = data.draw(st.sampled_from(["waits", "begins", "ends", "delivers"]))
            if what == "begins":
                self.world.begin(run.run_id)
            elif what != "waits":
                if what == "delivers":
                    self.world.deliver(run.request["datasets"][0], run.run_id)
                self.world.finish(run.run_id)

    @rule(name=st.sampled_from(NAMES), minutes=st.integers(1, 120))
    def a_circuit_opens(self, name: str, minutes: int) -> None:
        """For a while, or until somebody closes it."""
        self.world.shut[name] = Shut("p", self.world.clock.now() + timedelta(minutes=minutes))

    @rule()
    def circuits_close(self) -> None:
        """All of them."""
        self.world.shut.clear()

    def look(self) -> None:
        """Every process looks, until none has anything to do at once."""
        for scheduler in self.schedulers:
            while scheduler.tick() == 0.0:
                pass

    @invariant()
    def every_occurrence_has_one_row(self) -> None:
        """Up to where the schedule was seen to: all that its timetable names, nothing else, none twice."""
        for one in self.world.scheduled():
            stands = self.world.schedules.of(one.dataset)
            if stands is None:
                continue
            due = [occurrence.due for occurrence in one.timetable.between(START, stands.handled)]
            seen = self.world.seen(one.dataset)
            told = [moment for row in seen if row.number == 1 for moment in [row.due]]
            rows = [(row.due, row.last, row.number) for row in seen if row.number > 1]
            inside = [moment for moment in due if any(first <= moment <= last for first, last, _ in rows)]
            assert sum(number for *_, number in rows) == len(inside)
            assert sorted([*told, *inside]) == due

    @invariant()
    def nothing_is_told_twice(self) -> None:
        """The log has one event for each row."""
        queued = [event.subject for event in self.world.events("run.queued")]
        skipped = [event.data["id"] for event in self.world.events("schedule.skipped")]
        assert len(set(queued + skipped)) == len(queued) + len(skipped)
        overdue = [(event.subject, event.data["opens"]) for event in self.world.events("dataset.overdue")]
        assert len(set(overdue)) == len(overdue)

    def teardown(self) -> None:
        """At the end everything that was due is seen to."""
        self.world.shut.clear()
        for name in sorted(self.paused):
            self.world.resume(name)
        self.world.clock.advance(86_400)
        self.schedulers.append(self.world.process())
        self.look()
        self.every_occurrence_has_one_row()
        for one in self.world.scheduled():
            stands = self.world.schedules.of(one.dataset)
            assert stands is not None
            last = one.timetable.previous(self.world.clock.now() - timedelta(minutes=4))
            assert last is None or last.due <= stands.handled
        self.world.close()
        self.folder.cleanup()


def test_whatever_happens_each_occurrence_is_seen_to_once() -> None:
    """And what the timetable does not name is not seen to."""
    quick = settings(max_examples=6, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(Histories, settings=quick)  # type: ignore[no-untyped-call]  # hypothesis has no types here


@pytest.mark.prove
def test_whatever_happens_each_occurrence_is_seen_to_once_proven() -> None:
    """The same at length."""
    long = settings(max_examples=200, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(Histories, settings=long)  # type: ignore[no-untyped-call]  # as above
