"""What happens makes datasets due: another one delivered, or files came; each of it once."""

import os
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.scheduling.arrivals import LONGEST_BURST_S, LOOK_EVERY_S, Arrivals
from data_pipeline.scheduling.policy import Busy
from data_pipeline.scheduling.triggers import CONSUMER
from tests.data_pipeline.scheduling.world import World, at
from utils.leases import TAKEN_FOR_DEAD_AFTER


def ticks(world: World, scheduler: object, seconds: float = 0.0) -> None:
    """The scheduler hears what there is to hear, for some seconds."""
    world.work(scheduler, at("11:59:30"), step=1.0)  # type: ignore[arg-type]  # a scheduler
    for _ in range(int(seconds)):
        world.clock.advance(1.0)
        world.work(scheduler, at("11:59:30"), step=1.0)  # type: ignore[arg-type]


def test_each_new_delivery_is_an_occurrence(each_world: World) -> None:
    """Known by the event that told of it; others that deliver are nobody's cause."""
    world = each_world
    world.declare(report={"after": ["orders", "customers"]}, orders={"every": "1d"})
    scheduler = world.process()
    ticks(world, scheduler)
    for name, run in (("orders", "v1"), ("others", "v2"), ("customers", "v3")):
        world.deliver(name, run)
        ticks(world, scheduler)
        world.finish_all()

    assert len(world.runs("report")) == 2
    because = [run.request["because"] for run in world.views.runs()]
    assert {(one["kind"], one["schedule"], one["what"]) for one in because} == {
        ("after", "report", "orders"),
        ("after", "report", "customers"),
    }


def test_what_is_delivered_while_a_run_is_not_over_is_taken_by_the_next(world: World) -> None:
    """One waits, whatever comes meanwhile: it will find all of it."""
    world.declare(report={"after": "orders"})
    scheduler = world.process()
    ticks(world, scheduler)
    world.deliver("orders", "v1")
    ticks(world, scheduler)
    (first,) = world.waiting("report")
    world.begin(first)
    for version in ("v2", "v3", "v4"):
        world.deliver("orders", version)
    ticks(world, scheduler)

    assert len(world.runs("report")) == 2
    assert [reason for _, reason in world.skipped("report")] == ["overlap", "overlap"]


def test_what_was_delivered_while_nobody_was_there_is_seen_to(world: World) -> None:
    """The place in the log is kept; and what was seen to is not seen to again."""
    world.declare(report={"after": "orders"})
    first = world.process()
    ticks(world, first)
    world.deliver("orders", "v1")
    ticks(world, first)
    world.finish_all()
    first.close()

    world.deliver("orders", "v2")
    second = world.process()
    ticks(world, second)

    assert len(world.runs("report")) == 2


def test_a_leader_that_dies_before_its_place_is_kept_fires_nothing_twice(world: World) -> None:
    """The next one reads the event again, and knows that its occurrence was seen to."""
    world.declare(report={"after": "orders", "overlap": "skip"})
    first = world.process()
    ticks(world, first)
    place = world.database.query("SELECT seq FROM cursors WHERE name = ?", (CONSUMER,))[0][0]
    world.deliver("orders", "v1")
    ticks(world, first)
    world.finish_all()
    first.close()
    with world.database.transaction() as connection:
        connection.execute("UPDATE cursors SET seq = ? WHERE name = ?", (place, CONSUMER))

    second = world.process()
    ticks(world, second)

    assert len(world.runs("report")) == 1
    assert world.skipped("report") == []


def test_a_delivery_in_a_pause_is_skipped_with_its_reason(world: World) -> None:
    """Resuming does not make up for it."""
    world.declare(report={"after": "orders"})
    scheduler = world.process()
    ticks(world, scheduler)
    world.pause("report")
    world.deliver("orders", "v1")
    ticks(world, scheduler)
    world.resume("report")
    ticks(world, scheduler)

    assert world.runs("report") == []
    assert [reason for _, reason in world.skipped("report")] == ["paused"]


class Asked(dict[str, Busy]):
    """Counts how often it is asked."""

    times = 0

    def get(self, name: str, default: object = None) -> Any:
        self.times += 1
        return super().get(name, default)


def test_one_delivery_may_set_off_any_number(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs the same: what is under way is not counted anew for all that came before it."""
    world.declare({}, **{f"report_{number}": {"after": "orders"} for number in range(200)})
    scheduler = world.process()
    ticks(world, scheduler)
    world.deliver("orders", "v1")
    busy = Asked()
    monkeypatch.setattr(world.schedules, "busy", lambda: busy)
    ticks(world, scheduler)

    assert len(world.views.runs(limit=1000)) == 200
    assert busy.times == 200


def test_any_number_of_occurrences_is_asked_for(each_world: World) -> None:
    """More than one statement can name."""
    world = each_world
    world.declare(report={"after": "orders"})
    scheduler = world.process()
    ticks(world, scheduler)
    world.deliver("orders", "v1")
    ticks(world, scheduler)
    (run,) = world.views.runs()

    assert world.schedules.known([f"none-{number}" for number in range(70_000)] + [run.run_id]) == {run.run_id}


def test_the_log_is_followed_only_where_a_schedule_asks_for_it(world: World) -> None:
    """Who has none keeps no place in the log, and holds back no part of it."""
    world.declare(fx={"every": "1h"})
    world.work(world.process(), at("12:00"))

    assert world.database.query("SELECT name FROM cursors") == []


def test_a_silent_leader_keeps_the_followers_place_until_it_wakes_up(world: World) -> None:
    """Times are seen to at once; what was delivered is seen to as soon as its process is heard of again."""
    world.declare(report={"after": "orders"}, fx={"every": "1m"})
    asleep, awake = world.process(), world.process()
    ticks(world, asleep)
    world.clock.advance(TAKEN_FOR_DEAD_AFTER + 1)
    awake.tick()
    world.deliver("orders", "v1")
    world.work(awake, at("12:00:30"), step=1.0)
    world.beat()
    asleep.tick()
    world.work(awake, at("12:00:40"), step=1.0)

    assert world.runs("fx") == [at("12:00")]
    assert len(world.runs("report")) == 1


# --- files ----------------------------------------------------------------------------------------


def write(path: Path, text: str = "a\n1\n") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_a_file_that_comes_is_an_occurrence_once_it_is_whole(world: World, tmp_path: Path) -> None:
    """Two looks must find it the same; and it is one, also for the next process."""
    inbox = tmp_path / "in"
    world.declare(orders={"on_file": f"{inbox}/*.csv"})
    scheduler = world.process()
    ticks(world, scheduler)
    write(inbox / "a.csv")
    ticks(world, scheduler, LOOK_EVERY_S)
    assert world.runs("orders") == []
    write(inbox / "a.csv", "a\n1\n2\n")
    ticks(world, scheduler, LOOK_EVERY_S)
    assert world.runs("orders") == []

    ticks(world, scheduler, LOOK_EVERY_S)
    world.finish_all()
    scheduler.close()
    ticks(world, world.process(), 3 * LOOK_EVERY_S)

    (run,) = world.views.runs()
    assert run.request["because"]["kind"] == "on_file"
    assert run.request["because"]["what"] == f"{inbox}/a.csv"


def test_files_that_come_together_are_one_occurrence(world: World, tmp_path: Path) -> None:
    """A changed one, too, but not one that only went away."""
    inbox = tmp_path / "in"
    world.declare(orders={"on_file": f"{inbox}/*.csv"})
    scheduler = world.process()
    ticks(world, scheduler)
    for number in range(30):
        write(inbox / f"{number}.csv")
        ticks(world, scheduler, 1)
    ticks(world, scheduler, 2 * LOOK_EVERY_S)
    world.finish_all()
    (inbox / "0.csv").unlink()
    ticks(world, scheduler, 3 * LOOK_EVERY_S)
    assert len(world.runs("orders")) == 1

    write(inbox / "1.csv", "changed")
    write(inbox / "0.csv")
    ticks(world, scheduler, 3 * LOOK_EVERY_S)

    assert len(world.runs("orders")) == 2
    assert world.schedules.files("orders").keys() == {f"{inbox}/{number}.csv" for number in range(30)}


def test_files_in_a_pause_are_seen_and_skipped(world: World, tmp_path: Path) -> None:
    """Each burst is a row."""
    inbox = tmp_path / "in"
    world.declare(orders={"on_file": f"{inbox}/*.csv"})
    scheduler = world.process()
    ticks(world, scheduler)
    world.pause("orders")
    write(inbox / "a.csv")
    ticks(world, scheduler, 3 * LOOK_EVERY_S)
    world.resume("orders")
    ticks(world, scheduler, 3 * LOOK_EVERY_S)

    assert world.runs("orders") == []
    assert [reason for _, reason in world.skipped("orders")] == ["paused"]


def test_a_file_whose_name_is_no_text_is_a_file(world: World, tmp_path: Path) -> None:
    """It is an occurrence, once; and it keeps no other schedule from being seen to."""
    write(tmp_path / "in" / os.fsdecode(b"caf\xe9.csv"))
    world.declare(orders={"on_file": f"{tmp_path}/in/*.csv"}, rates={"every": "1m"})
    scheduler = world.process()
    ticks(world, scheduler, 40)
    world.finish_all()
    scheduler.close()
    ticks(world, world.process(), 3 * LOOK_EVERY_S)

    assert [run.request["because"]["what"] for run in world.views.runs() if run.request["datasets"] == ["orders"]] == [
        f"{tmp_path}/in/caf\\xe9.csv"
    ]
    assert len(world.runs("rates")) == 1


def test_files_that_never_stop_coming_do_not_keep_the_others_waiting(tmp_path: Path) -> None:
    """After a minute those that are whole are given."""
    arrivals = Arrivals(f"{tmp_path}/*.csv", {})
    came = []
    now = 1000.0
    while not came:
        write(tmp_path / f"{now}.csv")
        came, _ = arrivals.look(now)
        now += LOOK_EVERY_S

    assert now - 1000.0 == pytest.approx(LONGEST_BURST_S + LOOK_EVERY_S)
    assert len(came) == LONGEST_BURST_S / LOOK_EVERY_S


def test_what_is_given_is_given_again_until_it_is_kept(tmp_path: Path) -> None:
    """The commit may have failed."""
    write(tmp_path / "a.csv")
    arrivals = Arrivals(f"{tmp_path}/*.csv", {})
    arrivals.look(0.0)
    first, _ = arrivals.look(2.0)
    again, _ = arrivals.look(4.0)
    arrivals.keep(again, [])

    assert [file.path for file in first] == [file.path for file in again] == [f"{tmp_path}/a.csv"]
    assert arrivals.look(6.0) == ([], [])


def test_only_files_are_files(tmp_path: Path) -> None:
    """Not folders, not pipes; and a name with brackets is that file."""
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    write(tmp_path / "a[1].csv")
    found = []
    for pattern in ("*.csv", "a[1].csv"):
        arrivals = Arrivals(f"{tmp_path}/{pattern}", {})
        arrivals.look(0.0)
        found.append([Path(file.path).name for file in arrivals.look(2.0)[0]])

    assert found == [["a[1].csv"], ["a[1].csv"]]
