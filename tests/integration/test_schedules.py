"""Schedules of a whole installation: shown, paused, resumed; put off while a provider is down; ended by their data."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from config.errors import ConfigError
from data_pipeline.errors import PipelineError
from operations import breakers
from operations.actor import Actor, NotAllowedError
from operations.queue import run_due
from operations.schedules import listed, pause, resume
from operations.scheduling import DUE_GRACE_S, due, is_led, scheduler_of
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.resilience.shared_state import Verdict

ANN = Actor("ann")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def simulated(name: str, **schedule: Any) -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "simulated", "rows": 2}, "schedule": schedule}


def run_all_due(installation: Installation, clock: ManualClock) -> list[str]:
    """What `run --due` runs, by name."""
    with installation.system(clock) as system:
        return sorted(part.dataset for one in run_due(system, ANN).runs for part in one.datasets)


def test_a_schedule_shows_when_it_is_due_in_its_own_zone(installation: Installation) -> None:
    """Also before anybody saw to it, and that nobody does."""
    installation.configure(
        simulated("rates", cron="5 16 * * *", zone="Europe/Berlin"),
        simulated("often", every="15m"),
        simulated("report", after=["rates"]),
        simulated("files", on_file=str(installation.folder / "in" / "*.csv")),
        simulated("window", every="10m", **{"from": "16:00", "until": "18:00"}),
        {"name": "by-hand", "collect": {"kind": "simulated"}},
    )
    with installation.system(ManualClock(NOON)) as system:
        found = listed(system)

    rows = {one.dataset: one for one in found.schedules}
    assert found.led_by == ""
    assert list(rows) == ["rates", "often", "report", "files", "window"]
    assert rows["rates"].next_due == "2026-05-04T16:05:00+02:00"
    assert rows["often"].next_due == "2026-05-04T12:15:00+00:00"
    assert (rows["report"].next_due, rows["report"].schedule) == (None, "after rates")
    assert rows["window"].schedule == "every 10 min from 16:00 until 18:00"
    assert (rows["rates"].status, rows["rates"].failures, rows["rates"].skipped) == (None, 0, {})


def test_a_schedule_shows_what_came_of_it(installation: Installation) -> None:
    """The last run, failures one after the other, and what was skipped in the last day with its reason."""
    failing = {"kind": "file", "path": "nowhere.csv"}
    installation.configure(
        simulated("well", every="1h", missed="last"),
        {"name": "ill", "collect": failing, "schedule": {"every": "1h"}},
    )
    clock = ManualClock(NOON)
    assert run_all_due(installation, clock) == []
    for _ in range(2):
        clock.advance(3 * 3600)
        assert run_all_due(installation, clock) == ["ill", "well"]
    with installation.system(clock) as system:
        rows = {one.dataset: one for one in listed(system).schedules}

    assert (rows["well"].status, rows["well"].failures) == ("succeeded", 0)
    assert (rows["ill"].status, rows["ill"].failures) == ("failed", 2)
    assert rows["well"].skipped == {"missed": 4}
    assert "nobody was there" in (rows["well"].why or "")
    assert rows["well"].last_due == "2026-05-04T18:00:00.000000Z"


def test_what_is_due_and_was_not_seen_to_is_due_now(installation: Installation) -> None:
    """Nobody was there since."""
    installation.configure(simulated("fx", every="1h"))
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(2 * 3600)

    with installation.system(clock) as system:
        (row,) = listed(system).schedules

    assert row.waits


def test_a_paused_schedule_says_who_paused_it_and_never_makes_up_for_the_pause(installation: Installation) -> None:
    """Others go on; resumed, it is due again from then on."""
    installation.configure(simulated("fx", every="1h", missed="all"), simulated("other", every="1h"))
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    with installation.system(clock) as system:
        assert pause(system, ANN, ["fx"], reason="they move").schedules == ("fx",)
        assert pause(system, ANN, ["fx"]).already == ("fx",)
    clock.advance(3 * 3600)
    ran = run_all_due(installation, clock)
    with installation.system(clock) as system:
        paused, _ = listed(system).schedules
        moved = resume(system, ANN)
    again = run_all_due(installation, clock)
    clock.advance(3600)
    later = run_all_due(installation, clock)

    assert (ran, again, later) == (["other"], [], ["fx", "other"])
    assert (paused.paused_by, paused.next_due) == ("ann", None)
    assert (moved.schedules, moved.already, moved.skipped) == (("fx",), ("other",), 3)
    assert [event["reason"] for event in installation.events("schedule.skipped") if event["reason"] == "paused"] == [
        "paused"
    ] * 3
    (told,) = installation.events("schedule.paused")
    assert (told["actor"], told["reason"]) == ("ann", "they move")


def test_what_was_missed_before_a_pause_is_not_called_paused(installation: Installation) -> None:
    """Nobody was there; then somebody paused it."""
    installation.configure(simulated("fx", every="1h"))
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    for step in (pause, resume):
        clock.advance(2 * 3600)
        with installation.system(clock) as system:
            step(system, ANN, ["fx"])

    assert [event["reason"] for event in installation.events("schedule.skipped")] == ["missed"] * 2 + ["paused"] * 2


def test_a_clock_that_was_far_ahead_is_overcome_by_a_pause(installation: Installation) -> None:
    """Its schedules are due in that future; resumed, they begin now."""
    installation.configure(simulated("fx", every="1h"))
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.set_forward(400 * 86_400)
    assert run_all_due(installation, clock) == ["fx"]
    clock.set_back(400 * 86_400)
    clock.advance(3600)
    assert run_all_due(installation, clock) == []

    with installation.system(clock) as system:
        pause(system, ANN)
        resume(system, ANN)
    clock.advance(3600)

    assert run_all_due(installation, clock) == ["fx"]


def test_names_that_are_wrong_are_refused(installation: Installation) -> None:
    """With what to do."""
    installation.configure(simulated("fx", every="1h"), {"name": "by-hand", "collect": {"kind": "simulated"}})
    with installation.system() as system:
        for step in (pause, resume):
            with pytest.raises(ConfigError, match="fxx"):
                step(system, ANN, ["fxx"])
            with pytest.raises(PipelineError, match="by-hand has no schedule"):
                step(system, ANN, ["fx", "by-hand"])
        with pytest.raises(NotAllowedError):
            pause(system, Actor("eve", "viewer"))

    assert installation.events("schedule.paused") == []


def test_looking_for_what_is_due_writes_nothing(installation: Installation) -> None:
    """A crontab line looks every minute: only what it finds stands in the log."""
    installation.configure(
        simulated("fx", every="1h"),
        simulated("report", after=["fx"]),
        simulated("files", on_file=str(installation.folder / "in" / "*.csv")),
        simulated("window", every="10m", **{"from": "16:00", "until": "18:00"}),
    )
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    with installation.system(clock) as system:
        before = system.events.head()
    for _ in range(5):
        clock.advance(60)
        with installation.system(clock) as system:
            assert due(system, ANN).run_ids == ()

    with installation.system(clock) as system:
        assert system.events.head() == before


def test_a_crontab_that_looks_rarely_does_not_miss(installation: Installation) -> None:
    """What was due within a quarter of an hour is on time, also for `missed: skip`."""
    installation.configure(simulated("fx", every="1h", missed="skip"))
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(3600 + DUE_GRACE_S - 1)
    first = run_all_due(installation, clock)
    clock.advance(3600 + 2)
    second = run_all_due(installation, clock)

    assert (first, second) == (["fx"], [])


def test_causes_are_seen_to_without_anybody_who_stays(installation: Installation) -> None:
    """A delivery by hand, and a file: each by the next `run --due`."""
    inbox = installation.folder / "in"
    inbox.mkdir()
    (installation.folder / "orders.csv").write_text("a\n1\n")
    orders = {"name": "orders", "collect": {"kind": "file", "path": "orders.csv"}}
    installation.configure(
        orders,
        simulated("report", after=["orders"]),
        {"name": "files", "collect": {"kind": "file", "path": "in/*.csv"}, "schedule": {"on_file": "in/*.csv"}},
    )
    clock = ManualClock(NOON)
    assert run_all_due(installation, clock) == []
    installation.run("orders", clock=clock)
    (inbox / "a.csv").write_text("a\n1\n")
    first = run_all_due(installation, clock)
    clock.advance(60)
    second = run_all_due(installation, clock)
    clock.advance(60)
    third = run_all_due(installation, clock)

    assert sorted(first + second) == ["files", "report"]
    assert third == []


def test_a_dataset_is_put_off_while_all_its_addresses_are_shut(installation: Installation) -> None:
    """One that may be asked is enough; so is a circuit that may be tried again."""
    http = {"kind": "http", "url": "http://one.example.org/x", "mirrors": ["http://two.example.org/x"]}
    installation.configure({"name": "fx", "collect": http, "schedule": {"every": "1h"}})
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(3600)

    def shut(name: str, until: float) -> None:
        with installation.system(clock) as system:
            system.verdicts.change(name, lambda _: Verdict("open", clock.time(), clock.time() + until, 1, "down"))

    def found() -> tuple[int, str | None]:
        with installation.system(clock) as system:
            ids = due(system, ANN).run_ids
            (row,) = listed(system).schedules
            return len(ids), row.put_off

    shut("one.example.org", 600)
    shut("two.example.org", 300)
    assert found() == (0, "2026-05-04T13:05:00.000000Z")
    clock.advance(200)
    assert found() == (0, "2026-05-04T13:05:00.000000Z")
    clock.advance(100)
    assert found() == (1, None)
    assert len(installation.events("schedule.put_off")) == 1


def test_a_circuit_that_is_held_open_skips_with_its_reason(installation: Installation) -> None:
    """Nobody knows until when."""
    http = {"kind": "http", "url": "http://one.example.org/x"}
    installation.configure({"name": "fx", "collect": http, "schedule": {"every": "1h"}})
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    with installation.system(clock) as system:
        breakers.force_open(system, ANN, "one.example.org")
    clock.advance(3600)

    assert run_all_due(installation, clock) == []
    (told,) = installation.events("schedule.skipped")
    assert told["reason"] == "provider"
    assert "one.example.org" in told["words"]


def test_a_window_ends_with_the_data_that_it_waits_for(installation: Installation) -> None:
    """`done_when` is asked of what readers get: yesterday's file is new, and not enough."""
    installation.configure(
        {
            "name": "rates",
            "collect": {"kind": "file", "path": "rates.csv"},
            "schedule": {"every": "10m", "from": "16:00", "until": "17:00", "done_when": "max(day) == today"},
        }
    )
    rates = installation.folder / "rates.csv"
    rates.write_text("day,rate\n2026-05-03,1.1\n")
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(4 * 3600)
    first = run_all_due(installation, clock)
    rates.write_text("day,rate\n2026-05-04,1.2\n")
    clock.advance(600)
    second = run_all_due(installation, clock)
    clock.advance(600)
    third = run_all_due(installation, clock)

    assert (first, second, third) == (["rates"], ["rates"], [])
    assert [event["reason"] for event in installation.events("schedule.skipped")] == ["done"] * 4
    clock.advance(3600)
    assert run_all_due(installation, clock) == []
    assert installation.events("dataset.overdue") == []


def test_a_window_without_data_is_overdue_once(installation: Installation) -> None:
    """Also where nobody stays; `schedules list` says so until data comes."""
    window = {"every": "30m", "from": "16:00", "until": "17:00"}
    installation.configure({"name": "fx", "collect": {"kind": "file", "path": "fx.csv"}, "schedule": window})
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(4 * 3600)
    for _ in range(10):
        run_all_due(installation, clock)
        clock.advance(600)
    with installation.system(clock) as system:
        (before,) = listed(system).schedules
    (installation.folder / "fx.csv").write_text("a\n1\n")
    installation.run("fx", clock=clock)
    with installation.system(clock) as system:
        (after,) = listed(system).schedules

    (told,) = installation.events("dataset.overdue")
    assert told["tries"] == 2
    assert "fx.csv" in told["reason"]
    assert (before.overdue, after.overdue) == ("2026-05-04T17:00:00.000000Z", None)


# --- commands -------------------------------------------------------------------------------------


def test_the_commands_speak_to_people(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """In lines that say what is so."""
    installation.configure(simulated("fx", every="1h"), simulated("gold", cron="0 6 * * *", zone="Europe/Berlin"))

    assert installation.typed("schedules", "pause", "fx", "--reason", "they move") == 0
    assert capsys.readouterr().out == "fx: paused\n"
    assert installation.typed("schedules", "list") == 0
    shown = capsys.readouterr().out
    assert "paused by local:" in shown
    assert "Europe/Berlin" in shown
    assert "Nobody sees to them" in shown
    assert installation.typed("schedules", "resume") == 0
    assert capsys.readouterr().out == "fx: goes on\ngold: not paused\n"
    assert installation.typed("schedules", "pause", "silver") == 2
    assert "silver" in capsys.readouterr().err


def test_the_commands_speak_to_programs(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """One document each, with the fields that the papers name."""
    installation.configure(simulated("fx", every="1h"))

    installation.typed("schedules", "pause", "--json")
    assert json.loads(capsys.readouterr().out) == {"schedules": ["fx"], "already": [], "skipped": 0}
    installation.typed("schedules", "list", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["led_by"] is None
    assert found["schedules"][0]["paused_by"].startswith("local:")
    installation.typed("schedules", "resume", "fx", "--json")
    assert json.loads(capsys.readouterr().out) == {"schedules": ["fx"], "already": [], "skipped": 0}


def test_the_line_of_a_run_names_its_dataset(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever looks at `schedule` sees what it does."""
    installation.configure(simulated("fx", every="1h"), simulated("gold", every="1h"))

    installation.typed("run", "fx")
    (alone,) = [line for line in capsys.readouterr().err.splitlines() if "run.finished" in line]
    installation.typed("run", "--fresh")
    (both,) = [line for line in capsys.readouterr().err.splitlines() if "run.finished" in line]

    assert "dataset=fx datasets=1" in alone
    assert "dataset=" not in both.replace("datasets=2", "")


def test_without_a_schedule_the_list_says_how_to_give_one(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty table helps nobody."""
    installation.configure({"name": "by-hand", "collect": {"kind": "simulated"}})

    assert installation.typed("schedules", "list") == 0
    assert "schedule: {every: 15m}" in capsys.readouterr().out


def test_who_leads_is_named(installation: Installation) -> None:
    """By its process, as long as it lives."""
    installation.configure(simulated("fx", every="1h"))
    with installation.system() as system:
        scheduler = scheduler_of(system)
        scheduler.tick()
        led = is_led(system)
        scheduler.close()
        after = is_led(system)

    assert led.startswith("process ")
    assert after == ""


def test_what_depends_on_another_is_run_after_it(installation: Installation) -> None:
    """Both are due at the same time, each in a run of its own: the one that is needed comes first, a chain in order."""
    names = ["c", "b", "a", "d"]
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": ["a"]}
    installation.configure(
        *(
            {**simulated(name, every="1h"), "depends_on": needs[name], "priority": 9 - at}
            for at, name in enumerate(names)
        )
    )
    clock = ManualClock(NOON)
    run_all_due(installation, clock)
    clock.advance(3600)
    with installation.system(clock) as system:
        done = run_due(system, ANN)
        order = [event.data["datasets"][0] for event in system.events.read(type="run.started")]

    assert {run.status for run in done.runs} == {"succeeded"}
    assert order.index("a") == 0
    assert order.index("b") < order.index("c")
    assert sorted(order) == sorted(names)
