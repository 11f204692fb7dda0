"""What is due becomes a run or a skip, each occurrence once, whatever clocks, pauses and processes do."""

from datetime import timedelta
from pathlib import Path

import pytest

from data_pipeline.scheduling.entry import Shut
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.scheduler import LONGEST_S
from tests.data_pipeline.scheduling.world import World, at, hours
from utils.events import rfc3339


def test_what_is_due_is_queued_with_its_schedule_and_time(each_world: World) -> None:
    """By the id that the occurrence has wherever it is computed, with the dataset's priority."""
    world = each_world
    world.declare(fx={"cron": "0 12 * * *", "priority": 7})
    scheduler = world.process()

    assert scheduler.tick() == 30.0
    world.work(scheduler, at("12:00"))

    (run,) = world.views.runs(status="queued")
    assert run.run_id == Occurrence(at("12:00"), "fx").run_id
    assert run.request["datasets"] == ["fx"]
    assert run.request["priority"] == 7
    assert run.request["because"] == {"kind": "schedule", "schedule": "fx", "due": rfc3339(at("12:00"))}
    assert [(one.outcome, one.run_id) for one in world.told] == [("queued", run.run_id)]


def test_it_sleeps_until_something_is_due(world: World) -> None:
    """But never longer than a minute, so that a clock that was set forward is noticed."""
    world.declare(soon={"every": "1h"}, late={"cron": "0 0 1 1 *"})
    scheduler = world.process()

    world.move_to(at("12:30"))
    assert scheduler.tick() == LONGEST_S
    world.move_to(at("12:59:50"))
    assert scheduler.tick() == 10.0


def test_a_new_schedule_begins_now(world: World) -> None:
    """And one that was changed begins anew: what either would have had before is not made up for."""
    world.declare(fx={"every": "1h", "missed": "all"})
    first = world.process()
    for hour in (12, 13):
        world.work(first, at(f"{hour}:00"))
        world.finish_all()
    first.close()

    world.move_to(at("17:30"))
    world.declare(fx={"every": "30m", "missed": "all"})
    second = world.process()
    world.work(second, at("18:00"))

    assert world.runs("fx") == [at("12:00"), at("13:00"), at("18:00")]
    assert world.skipped("fx") == []
    assert [event.data["since"] for event in world.events("schedule.set")] == [
        rfc3339(at("11:59:30")),
        rfc3339(at("17:30")),
    ]


def test_a_changed_policy_is_no_new_schedule(world: World) -> None:
    """What is due stays what it was: only what is done about it changes."""
    world.declare(fx={"every": "1h"})
    first = world.process()
    world.work(first, at("12:00"))
    world.finish_all()
    first.close()

    world.move_to(at("15:30"))
    world.declare(fx={"every": "1h", "missed": "all", "overlap": "queue", "jitter": "1s"})
    world.work(world.process(), at("15:31"))

    assert world.runs("fx") == [at("12:00"), at("13:00"), at("14:00"), at("15:00")]


def test_a_schedule_that_comes_back_begins_anew(world: World) -> None:
    """It was not there meanwhile: nothing of it was missed."""
    for moment, declared in ((at("12:10"), {"fx": {"every": "1h"}}), (at("13:10"), {}), (at("15:10"), {})):
        world.declare(**declared)
        scheduler = world.process()
        world.work(scheduler, moment)
        world.finish_all()
        scheduler.close()
    world.declare(fx={"every": "1h", "missed": "all"})
    world.work(world.process(), at("16:10"))

    assert world.runs("fx") == [at("12:00"), at("16:00")]
    assert [event.subject for event in world.events("schedule.removed")] == ["fx"]


@pytest.mark.parametrize(
    ("missed", "run"),
    [
        pytest.param("skip", [16], id="skip: what is due next"),
        pytest.param("last", [15, 16], id="last"),
        pytest.param("all", [13, 14, 15, 16], id="all"),
    ],
)
def test_what_was_missed_is_made_up_for_as_the_policy_says(world: World, missed: str, run: list[int]) -> None:
    """Nobody was there from noon until half past three; each occurrence is a run, or a row with its reason."""
    world.declare(fx={"every": "1h", "missed": missed})
    first = world.process()
    world.work(first, at("12:00"))
    world.finish_all()
    first.close()

    world.move_to(at("15:30"))
    second = world.process()
    world.work(second, at("15:59"))
    world.finish_all()
    world.work(second, at("16:00"))

    assert world.runs("fx") == [at("12:00"), *(at(f"{hour}:00") for hour in run)]
    assert world.skipped("fx") == [(at(f"{hour}:00"), "missed") for hour in range(13, 16) if hour not in run]


def test_what_is_taken_up_within_a_minute_is_not_missed(world: World) -> None:
    """A leader died, another one came: that is no downtime, also for `missed: skip`."""
    world.declare(fx={"every": "1h", "missed": "skip"})
    world.work(world.process(), at("11:59:50"))

    world.move_to(at("12:00:40"))
    world.work(world.process(), at("12:00:41"))

    assert world.runs("fx") == [at("12:00")]


def test_a_year_without_anybody_is_one_row(world: World) -> None:
    """A long row of what was missed is told once, with its first, its last and their number."""
    world.declare(fx={"every": "1m"})
    first = world.process()
    world.work(first, at("12:00"))
    world.finish_all()
    first.close()

    days = timedelta(days=10)
    world.clock.advance((days + timedelta(seconds=30)).total_seconds())
    world.work(world.process(), world.clock.now())

    last = at("12:00") + days
    assert world.runs("fx") == [at("12:00"), last]
    assert sum(seen.number for seen in world.seen("fx")) == days // timedelta(minutes=1) + 1
    told = world.events("schedule.skipped")
    assert len(told) == 2
    assert told[0].data["first"] == rfc3339(at("12:01"))
    assert told[-1].data["last"] == rfc3339(last - timedelta(minutes=1))


def test_overlap_replace_calls_off_the_run_before(world: World) -> None:
    """The new run is there before the old one is told to stop."""
    world.declare(fx={"every": "1h", "overlap": "replace"})
    scheduler = world.process()
    world.work(scheduler, at("12:00"))
    (before,) = world.waiting("fx")
    world.begin(before)

    world.work(scheduler, at("13:00"))

    assert world.views.run(before).status == "cancelled"  # type: ignore[union-attr]
    assert world.runs("fx") == [at("12:00"), at("13:00")]
    assert [event.data["actor"] for event in world.events("run.cancelled")] == ["schedule"]


def test_a_run_that_is_not_over_keeps_the_next_one_away(world: World) -> None:
    """Until it ends; each that was left out has a row."""
    world.declare(fx={"every": "1h"})
    scheduler = world.process()
    world.work(scheduler, at("14:30"))
    world.finish_all()
    world.work(scheduler, at("15:00"))

    assert world.runs("fx") == [at("12:00"), at("15:00")]
    assert world.skipped("fx") == [(at("13:00"), "overlap"), (at("14:00"), "overlap")]


def test_nothing_of_a_paused_schedule_runs_and_the_past_is_not_made_up_for(world: World) -> None:
    """Others go on; what is due after it was resumed is run."""
    world.declare(fx={"every": "1h", "missed": "all"}, other={"every": "1h"})
    scheduler = world.process()
    world.work(scheduler, at("12:30"))
    world.finish_all()
    world.pause("fx")
    world.work(scheduler, at("15:30"))
    world.finish_all()
    world.resume("fx")
    world.work(scheduler, at("16:00"))

    assert world.runs("fx") == [at("12:00"), at("16:00")]
    assert world.runs("other") == [at("12:00"), at("13:00"), at("16:00")]  # between, that of one o'clock was not over


def test_a_pause_holds_from_the_moment_it_was_committed(world: World) -> None:
    """Also when the leader decided before it heard of it: what it would have written is refused."""
    world.declare(fx={"every": "1h"}, other={"every": "1h"})
    scheduler = world.process()
    scheduler.tick()
    paused = iter([True])
    world.before_writing = lambda: world.pause("fx") if next(paused, False) else None

    world.work(scheduler, at("12:00:02"))

    assert next(paused, None) is None
    assert world.runs("fx") == []
    assert world.runs("other") == [at("12:00")]


def test_a_clock_that_is_set_back_fires_nothing_twice(world: World) -> None:
    """What was seen to at three is not seen to again when it is two once more."""
    world.declare(fx={"every": "1h"})
    scheduler = world.process()
    for hour in (12, 13, 14):
        world.work(scheduler, at(f"{hour}:00"))
        world.finish_all()
    world.clock.set_back(3600 * 2)
    for hour in (13, 14, 15):
        world.work(scheduler, at(f"{hour}:00"))
        world.finish_all()

    assert world.runs("fx") == [at(f"{hour}:00") for hour in (12, 13, 14, 15)]
    assert world.skipped("fx") == []


def test_a_schedule_that_is_changed_while_the_clock_is_set_back_sees_to_nothing_twice(world: World) -> None:
    """It begins where the one before ended, for an occurrence of both is one."""
    world.declare(fx={"every": "10m"})
    scheduler = world.process()
    world.work(scheduler, at("13:00"))  # the first run is never over, so the others are skipped
    world.finish_all()
    scheduler.close()
    world.clock.advance(-1800)
    world.declare(fx={"every": "5m"})
    world.work(world.process(), at("13:10"))

    seen = [event.subject for event in world.events("run.queued")]
    seen += [event.data["id"] for event in world.events("schedule.skipped")]
    assert len(seen) == len(set(seen)) == 9
    assert world.seen("fx")[-1].due == at("13:10")


def test_a_clock_that_is_set_forward_loses_nothing_silently(world: World) -> None:
    """It is as if nobody had been there."""
    world.declare(fx={"every": "1h"})
    scheduler = world.process()
    world.work(scheduler, at("12:00"))
    world.finish_all()
    world.clock.set_forward(3600 * 5)
    world.work(scheduler, at("17:00:30"))

    assert world.runs("fx") == [at("12:00"), at("17:00")]
    assert world.skipped("fx") == [(at(f"{hour}:00"), "missed") for hour in (13, 14, 15, 16)]


def test_a_jitter_moves_the_start_and_not_the_due_time(world: World) -> None:
    """The run is known by what the schedule named."""
    world.declare(fx={"every": "1h", "jitter": "30m"})
    scheduler = world.process()
    world.work(scheduler, at("12:59:59"))

    (run,) = world.views.runs(status="queued")
    assert world.runs("fx") == [at("12:00")]
    assert at("12:00") < at(run.queued_at[11:19]) < at("12:30")  # type: ignore[index]  # it was queued


def test_an_open_circuit_puts_off_what_is_due(world: World) -> None:
    """Until its provider may be tried; then one run makes up for all, and a new leader knows."""
    world.declare(fx={"every": "10m", "missed": "skip"}, other={"every": "1h"})
    world.shut["fx"] = Shut("api.example.org", at("12:35"))
    scheduler = world.process()
    world.work(scheduler, at("12:20"))
    assert world.runs("fx") == []
    assert world.schedules.of("fx").put_off == at("12:35")  # type: ignore[union-attr]
    scheduler.close()

    world.move_to(at("12:35"))
    world.shut.clear()
    world.work(world.process(), at("12:35:01"))

    assert world.runs("fx") == [at("12:30")]
    assert world.skipped("fx") == [(at("12:00"), "provider"), (at("12:10"), "provider"), (at("12:20"), "provider")]
    assert len(world.events("schedule.put_off")) == 1
    assert world.runs("other") == [at("12:00")]
    assert world.schedules.of("fx").put_off is None  # type: ignore[union-attr]


def test_a_circuit_that_opens_again_puts_off_again(world: World) -> None:
    """To the new moment; each time it stands in the log."""
    world.declare(fx={"every": "1h"})
    world.shut["fx"] = Shut("api.example.org", at("12:10"))
    scheduler = world.process()
    world.work(scheduler, at("12:05"))
    world.shut["fx"] = Shut("api.example.org", at("12:30"))
    world.work(scheduler, at("12:20"))
    world.shut.clear()
    world.work(scheduler, at("12:30"))

    assert world.runs("fx") == [at("12:00")]
    assert [event.data["until"] for event in world.events("schedule.put_off")] == [
        rfc3339(at("12:10")),
        rfc3339(at("12:30")),
    ]


def test_a_circuit_held_open_by_hand_is_a_skip(world: World) -> None:
    """Nobody knows when it ends: each occurrence has its row."""
    world.declare(fx={"every": "1h"})
    world.shut["fx"] = Shut("api.example.org", None)
    scheduler = world.process()
    world.work(scheduler, at("13:00"))
    world.shut.clear()
    world.work(scheduler, at("14:00"))

    assert world.skipped("fx") == [(at("12:00"), "provider"), (at("13:00"), "provider")]
    assert world.runs("fx") == [at("14:00")]


def test_many_that_are_due_at_once_are_seen_to_in_pieces(world: World) -> None:
    """No tick takes long; the next one goes on at once, and all are seen to."""
    world.declare(**{f"d{number}": {"every": "1h"} for number in range(250)})
    scheduler = world.process()
    scheduler.tick()
    world.move_to(at("12:00"))

    waits = [scheduler.tick() for _ in range(5)]

    assert waits[:4] == [0.0] * 4
    assert waits[4] > 0.0
    assert len(world.views.runs(limit=1000, status="queued")) == 250


def test_what_was_forgotten_with_its_runs_is_gone(world: World) -> None:
    """Rows of occurrences are kept as long as runs are."""
    world.declare(fx={"every": "1h"})
    world.work(world.process(), at("14:00"))
    world.finish_all()

    world.add("maintenance.finished", "maintenance", runs_before=rfc3339(at("13:30")), removed=[])

    assert [seen.due for seen in world.seen("fx")] == [at("14:00")]


def test_the_views_are_those_of_the_log(each_world: World) -> None:
    """Emptied and replayed they have the same rows."""
    world = each_world
    world.declare(fx={"every": "1h"}, other={"cron": "30 12 * * *"})
    scheduler = world.process()
    world.work(scheduler, at("13:00"))
    world.pause("other")
    world.shut["fx"] = Shut("p", at("15:00") + hours(1))
    world.work(scheduler, at("14:00"))
    world.finish_all()
    world.work(scheduler, at("15:30"))
    tables = ("schedules", "occurrences", "leaders", "schedule_files")
    before = [sorted(world.database.query(f"SELECT * FROM {table}"), key=str) for table in tables]

    world.store.rebuild()

    assert [sorted(world.database.query(f"SELECT * FROM {table}"), key=str) for table in tables] == before
    assert all(before[:3])


def test_a_file_of_holidays_that_changes_is_read_again(world: World, tmp_path: Path) -> None:
    """Within the hour, without a restart."""
    holidays = tmp_path / "holidays.ics"
    event = "BEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:{0}\r\nEND:VEVENT\r\n"
    frame = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{}END:VCALENDAR\r\n"
    holidays.write_text(frame.format(event.format("20260304")))
    office = {"office": {"weekdays": "mon-fri", "holidays": [f"file:{holidays}"]}}
    world.declare(office, fx={"cron": "0 12 * * *", "calendar": "office"})
    scheduler = world.process()
    world.work(scheduler, at("12:00"))
    world.finish_all()

    holidays.write_text(frame.format(event.format("20260303") + event.format("20260304")))
    world.work(scheduler, at("12:00", day="2026-03-05"), step=600.0)

    assert world.runs("fx") == [at("12:00"), at("12:00", day="2026-03-05")]
    assert world.skipped("fx") == []


def test_what_is_asked_of_the_views_is_answered_by_each_database(each_world: World) -> None:
    """What runs before a dataset, what was seen to, what was skipped, and what was delivered within a time."""
    world = each_world
    world.declare(orders={"every": "1h"}, report={"every": "1h"})
    scheduler = world.process()
    world.work(scheduler, at("13:00"))
    (first,) = world.schedules.busy()["orders"].runs
    world.begin(first)
    world.deliver("orders", first)
    schedules = world.schedules

    assert schedules.is_before(["orders", "others"], at("12:00"))
    assert not schedules.is_before(["orders"], at("11:59"))
    assert schedules.known([first, "another"]) == {first}
    assert schedules.skipped(at("12:30"))["orders"].counts == {"overlap": 1}
    assert first in schedules.skipped(at("12:30"))["orders"].words
    assert schedules.skipped(at("13:30")) == {}
    assert schedules.delivered("orders", at("12:00"), at("12:30"))  # later, but of an occurrence in that time
    assert not schedules.delivered("orders", at("13:30"), at("14:00"))
    assert schedules.busy()["orders"].running == (first,)
    world.finish_all()
    assert not schedules.is_before(["orders"], at("14:00"))
    assert schedules.leader() is not None
