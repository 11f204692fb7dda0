"""Windows: tried until the data is there; one that closes without is told of once."""

from datetime import timedelta

import pytest

from data_pipeline.scheduling.entry import Shut
from tests.data_pipeline.scheduling.world import World, at
from utils.events import rfc3339

WINDOW = {"every": "10m", "from": "16:00", "until": "17:00"}


def overdue(world: World) -> list[tuple[int, str]]:
    """What was told: how many tries, and the reason."""
    return [(event.data["tries"], event.data["reason"]) for event in world.events("dataset.overdue")]


def test_a_window_is_over_once_something_new_came(each_world: World) -> None:
    """No more tries that day, each with its row; the next day begins anew."""
    world = each_world
    world.declare(fx=WINDOW)
    scheduler = world.process()
    world.work(scheduler, at("16:10"))
    first, *_ = world.waiting("fx")
    world.finish(first)
    world.work(scheduler, at("16:20"))
    (second,) = world.waiting("fx")
    world.deliver("fx", second)
    world.finish(second)
    world.work(scheduler, at("16:00", day="2026-03-03"))

    assert world.runs("fx") == [at("16:00"), at("16:20"), at("16:00", day="2026-03-03")]
    assert world.skipped("fx") == [(at("16:10"), "overlap")] + [(at(f"16:{minute}"), "done") for minute in (30, 40, 50)]
    assert overdue(world) == []


def test_a_window_with_done_when_goes_on_until_it_holds(world: World) -> None:
    """New data that is not the one waited for is no end."""
    world.declare(fx={**WINDOW, "done_when": "max(date) == today"})
    scheduler = world.process()
    world.work(scheduler, at("16:05"))
    (run,) = world.waiting("fx")
    world.deliver("fx", run)
    world.finish(run)
    world.work(scheduler, at("16:15"))
    world.finish_all()
    world.holds = lambda name, today: (name, today) == ("fx", at("16:00"))
    world.work(scheduler, at("16:25"))

    assert world.runs("fx") == [at("16:00"), at("16:10")]
    assert {reason for _, reason in world.skipped("fx")} == {"done"}


def test_a_window_that_closes_without_data_is_told_of_once(world: World) -> None:
    """With when it opened and closed, how often it was tried, and what came of the last try."""
    world.declare(fx=WINDOW)
    scheduler = world.process()
    for minute in (0, 10, 20, 30, 40, 50):
        world.work(scheduler, at(f"16:{minute:02}"))
        world.finish_all()
    world.work(scheduler, at("18:00"))

    (event,) = world.events("dataset.overdue")
    assert event.subject == "fx"
    assert event.data == {
        "opens": rfc3339(at("16:00")),
        "closes": rfc3339(at("17:00")),
        "tries": 6,
        "reason": "no answer",
    }
    assert world.schedules.of("fx").overdue == at("17:00")  # type: ignore[union-attr]


def test_the_last_try_may_end_after_the_window_closed(world: World) -> None:
    """It is waited for; what it brings counts for its window."""
    world.declare(late={**WINDOW}, never={**WINDOW})
    scheduler = world.process()
    world.work(scheduler, at("16:50"))
    runs = {name: world.schedules.busy()[name].runs[-1] for name in ("late", "never")}
    for run in runs.values():
        world.begin(run)
    world.work(scheduler, at("17:01"))
    assert overdue(world) == []

    world.deliver("late", runs["late"])
    world.finish_all()
    world.work(scheduler, at("17:05"))

    assert [event.subject for event in world.events("dataset.overdue")] == ["never"]


def test_a_window_that_closes_while_nobody_is_there_is_told_of_later(world: World) -> None:
    """By whoever leads next, once."""
    world.declare(fx=WINDOW)
    first = world.process()
    world.work(first, at("16:05"))
    world.finish_all()
    first.close()

    for hour in (20, 21):
        world.move_to(at(f"{hour}:00"))
        scheduler = world.process()
        world.work(scheduler, at(f"{hour}:01"))
        world.finish_all()
        scheduler.close()

    assert overdue(world) == [(2, "no answer")]
    assert world.runs("fx") == [at("16:00"), at("16:50")]


def test_each_window_that_nobody_tried_in_is_told_of(world: World) -> None:
    """Three days without anybody: three windows without data; the last try of the last one is made up for."""
    world.declare(fx=WINDOW)
    first = world.process()
    first.tick()
    first.close()

    world.move_to(at("12:00", day="2026-03-05"))
    scheduler = world.process()
    world.work(scheduler, at("12:01", day="2026-03-05"))
    world.finish_all()
    world.work(scheduler, at("12:02", day="2026-03-05"))

    told = [event.data["opens"] for event in world.events("dataset.overdue")]
    assert told == [rfc3339(at("16:00") + timedelta(days=days)) for days in range(3)]
    assert len(world.runs("fx")) == 1


def test_a_window_that_was_paused_is_not_overdue(world: World) -> None:
    """Nobody was to look."""
    world.declare(fx=WINDOW)
    scheduler = world.process()
    scheduler.tick()
    world.pause("fx")
    world.work(scheduler, at("18:00"))
    world.resume("fx")
    world.work(scheduler, at("19:00"))

    assert overdue(world) == []


@pytest.mark.parametrize("until", [at("16:45"), at("18:00")], ids=["tried later", "not tried in the window"])
def test_a_window_whose_provider_could_not_be_asked_says_so(world: World, until: object) -> None:
    """An open circuit keeps it from being tried, not from being overdue."""
    world.declare(fx=WINDOW)
    world.shut["fx"] = Shut("api.example.org", until)  # type: ignore[arg-type]  # a moment
    scheduler = world.process()
    world.work(scheduler, at("16:44"))
    if until == at("16:45"):
        world.shut.clear()
    world.work(scheduler, at("16:46"))
    world.finish_all()
    world.work(scheduler, at("17:10"))
    world.finish_all()
    world.work(scheduler, at("17:20"))

    ((tries, reason),) = overdue(world)
    assert bool(tries) is (until == at("16:45"))
    assert reason == ("no answer" if tries else "its provider could not be asked")


def test_a_window_over_midnight_is_one_window(world: World) -> None:
    """It belongs to the day on which it opens."""
    world.declare(fx={"every": "30m", "from": "23:30", "until": "00:30"})
    scheduler = world.process()
    for moment in (at("23:30"), at("00:00", day="2026-03-03")):
        world.work(scheduler, moment)
        world.finish_all()
    world.work(scheduler, at("01:00", day="2026-03-03"))

    ((tries, _),) = overdue(world)
    assert tries == 2
