"""Promises of a whole installation: what is told of them, once, and what status says."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.maintain import maintain
from operations.promises import PromiseWatch, judge_promises
from operations.queue import run_due
from operations.run import queue, run
from operations.schedules import pause
from operations.status import DatasetStatus, status
from operations.why import why
from tests.integration.installation import Installation
from tests.utils.test_holiday_files import calendar, event
from utils.clock import ManualClock
from utils.events import NewEvent

HOUR, DAY = 3600.0, 86_400.0
FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
"""Four in the afternoon in Berlin."""

DUE = {"due": "16:30", "zone": "Europe/Berlin", "calendar": "bank"}
BANK = {"weekdays": "mon-fri", "holidays": ["2026-12-25"]}


class House:
    """A file of daily rates on a clock of its own; beside it a dataset that promises nothing."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.clock = ManualClock(FRIDAY)
        self.send("2026-11-20")
        self.declare()

    def declare(self, promise: dict[str, Any] | None = None, **more: Any) -> None:
        collect = {"kind": "file", "path": "fx.csv", "reread": "always"}
        dated = {"name": "fx", "collect": collect, "columns": {"day": "date"}, "data_time": "day", **more}
        dated |= {"zone": "Europe/Berlin", "promise": DUE if promise is None else promise}
        plain = {"name": "plain", "collect": {"kind": "simulated", "rows": 1}}
        self.installation.configure(dated, plain, calendars={"bank": BANK})

    def send(self, day: str) -> None:
        (self.installation.folder / "fx.csv").write_text(f"day,rate\n{day},1.08\n")

    def run(self, *names: str) -> str:
        """The status of the run."""
        with self.installation.system(self.clock) as system:
            return run(system, Actor("test"), names or ["fx"], fresh=True).status

    def look(self) -> int:
        with self.installation.system(self.clock) as system:
            return judge_promises(system)

    def fx(self) -> DatasetStatus:
        with self.installation.system(self.clock) as system:
            return next(one for one in status(system).datasets if one.dataset == "fx")

    def sentence(self) -> str:
        with self.installation.system(self.clock) as system:
            return status(system).sentence

    def told(self) -> list[str]:
        with self.installation.system(self.clock) as system:
            events = system.events.read(type="promise.*")
            return [event.type.removeprefix("promise.") for event in events]


@pytest.fixture
def house(installation: Installation) -> House:
    return House(installation)


def test_a_promise_breaks_and_is_kept_again_and_each_is_told_once(house: House) -> None:
    """Over a weekend nothing is due; on Monday at half past four the data of Monday is."""
    assert house.run() == "succeeded"
    house.clock.advance(3 * DAY)
    assert (house.look(), house.fx().status) == (0, "succeeded")

    house.clock.advance(HOUR)
    assert [house.look(), house.look()] == [1, 0]
    assert house.fx().status == "failed"
    assert house.run() == "failed"

    house.send("2026-11-23")
    assert house.run() == "succeeded"
    assert house.look() == 0
    assert house.told() == ["broken", "kept"]


def test_what_is_told_says_how_it_stands(house: House) -> None:
    """Until when it was kept, how old the data is, what is promised, how it stood before."""
    house.run()
    house.clock.advance(3 * DAY + HOUR)
    house.look()

    (told,) = house.installation.events("promise.broken")

    assert told == {
        "state": "broken",
        "before": "kept",
        "until": "2026-11-23T15:30:00.000000Z",
        "left_s": -1800.0,
        "age_s": 3 * DAY + 17 * HOUR,
        "due": "16:30",
        "zone": "Europe/Berlin",
        "calendar": "bank",
        "reason": "promise broken: the data of 2026-11-23 was due at 16:30 (Europe/Berlin) and is not there",
    }


def test_a_promise_is_at_risk_before_it_breaks(house: House) -> None:
    """The only try of Monday brought nothing new; status says it in its sentence, `why` in its answer."""
    house.declare(schedule={"cron": "5 16 * * mon-fri", "zone": "Europe/Berlin"})
    house.run()
    house.clock.advance(3 * DAY + 360)
    house.run()

    fx = house.fx()
    assert fx.promise is not None
    assert (fx.status, fx.promise.state, fx.promise.left_s) == ("succeeded", "at_risk", 1440.0)
    assert "1 promise at risk (fx breaks in 24 min)" in house.sentence()
    with house.installation.system(house.clock) as system:
        found = why(system, "fx")
    assert "promise at risk: it breaks in 24 min, and the next try is not before" in found.sentence
    assert found.next_try["at"] == "2026-11-24T15:05:00.000000Z"
    assert found.next_try["words"].startswith("by its schedule at 24 Nov 2026 15:05 UTC")
    house.send("2026-11-23")
    house.run()
    assert house.told() == ["at_risk", "kept"]


def test_a_try_that_waits_in_the_queue_may_still_mend_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody is told yet."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)
    house.declare(schedule={"cron": "5 16 * * mon-fri", "zone": "Europe/Berlin"})
    house.run()
    house.clock.advance(3 * DAY + 360)
    with house.installation.system(house.clock) as system:
        queue(system, Actor("test"), ["fx"])

        assert judge_promises(system) == 0


def test_a_promise_that_broke_is_told_by_whatever_runs_next(house: House) -> None:
    """An installation that only has a crontab: a run of another dataset, or maintenance."""
    house.run()
    house.clock.advance(4 * DAY)
    house.run("plain")
    assert house.told() == ["broken"]

    house.send("2026-11-24")
    house.run()
    house.clock.advance(DAY + HOUR)
    with house.installation.system(house.clock) as system:
        maintain(system, Actor("test"))

    assert house.told() == ["broken", "kept", "broken"]


def test_of_processes_that_look_at_once_one_tells_it(house: House) -> None:
    """Who comes second finds it told."""
    house.run()
    house.clock.advance(4 * DAY)
    with house.installation.system(house.clock) as one, house.installation.system(house.clock) as other:
        both = threading.Barrier(2)

        def look(system: IntegratedSystem) -> int:
            both.wait(120)
            return judge_promises(system)

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(look, [one, other]))

    assert sorted(told) == [0, 1]
    assert house.told() == ["broken"]


def test_a_watch_sees_what_others_did_since_it_looked_last(house: House) -> None:
    """It passes over what cannot have changed: not what came in, or was told by another process."""
    house.run()
    with house.installation.system(house.clock) as system:
        watch = PromiseWatch(system)
        assert [watch.look(), watch.look()] == [0, 0]
        house.clock.advance(4 * DAY)
        assert house.look() == 1
        assert watch.look() == 0
        house.send("2026-11-24")
        house.run()
        assert watch.look() == 0
        house.clock.advance(DAY + HOUR)
        assert [watch.look(), watch.look()] == [1, 0]

    assert house.told() == ["broken", "kept", "broken"]


def test_a_promise_that_is_made_no_more_ends(house: House) -> None:
    """Nobody waits for it for ever."""
    house.run()
    house.clock.advance(4 * DAY)
    house.look()
    house.declare(promise={})

    assert [house.look(), house.look()] == [1, 0]
    (told,) = house.installation.events("promise.kept")
    assert told["reason"] == "it is promised no more"


def test_what_never_ran_has_promised_nothing_yet(house: House) -> None:
    """And where nothing is promised nothing is read or written."""
    house.clock.advance(30 * DAY)

    assert house.look() == 0
    assert house.fx().promise is None


def test_the_age_without_days_off_is_promised_too(house: House) -> None:
    """26 hours from Friday at four: until Monday at six."""
    house.declare(promise={"max_age": "26h", "calendar": "bank", "zone": "Europe/Berlin"}, data_time=None)
    house.run()
    house.clock.advance(3 * DAY + 2 * HOUR)
    assert house.fx().status == "succeeded"

    house.clock.advance(60)

    assert house.fx().reason == "promise broken: the data is 3 d old, promised is 26 h without the days off of `bank`"


def test_an_objective_of_freshness_follows_the_promise(house: House) -> None:
    """The weekend was fresh; from Monday at half past four on it was not."""
    house.declare(objective={"fresh": 0.9, "over": "10d"})
    house.run()
    house.clock.advance(3 * DAY + HOUR)

    objective = house.fx().objective

    assert objective is not None
    fresh = next(one for one in objective.objectives if one.objective == "fresh")
    assert fresh.missed_s == HOUR / 2


def test_the_view_is_what_the_log_says(house: House) -> None:
    """Told live and told again from the first event on."""
    house.run()
    house.clock.advance(4 * DAY)
    house.look()
    with house.installation.system(house.clock) as system:
        sql = "SELECT * FROM promises ORDER BY dataset"
        live = system.database.query(sql)
        system.events.rebuild()

        assert system.database.query(sql) == live
        assert [row[:2] for row in live] == [("fx", "broken")]


def test_what_an_earlier_release_told_is_understood(house: House) -> None:
    """It told each broken delivery, and never that a promise was kept again."""
    house.run()
    with house.installation.system(house.clock) as system:
        data = {"run_id": "r", "age_s": 90_000.0, "max_age_s": 86_400.0}
        system.events.append([NewEvent("promise.broken", "fx", data, source="pipeline") for _ in range(2)])

        assert [judge_promises(system), judge_promises(system)] == [1, 0]

    assert house.told() == ["broken", "broken", "kept"]


def test_a_calendar_that_cannot_be_read_is_told_before_anything_runs(house: House) -> None:
    """With the key and the file."""
    house.installation.configure(
        {"name": "fx", "collect": {"kind": "simulated"}, "promise": {"due": "16:30", "calendar": "bank"}},
        calendars={"bank": {"holidays": ["file:none.ics"]}},
    )

    with pytest.raises(Exception, match=r"calendars.bank.holidays\[0\].*there is no file"):
        house.run()


def test_when_nothing_is_due_promises_are_judged_all_the_same(house: House) -> None:
    """`run --due` from a crontab, between two tries."""
    house.declare(schedule={"cron": "5 16 * * fri", "zone": "Europe/Berlin"})
    house.run()
    house.clock.advance(DAY)
    with house.installation.system(house.clock) as system:
        run_due(system, Actor("test"))  # the first look sets the schedule
    house.clock.advance(3 * DAY)

    with house.installation.system(house.clock) as system:
        assert not run_due(system, Actor("test")).runs

    assert house.told() == ["at_risk", "broken"]


def test_a_holiday_that_is_added_while_it_is_watched_counts(house: House) -> None:
    """Monday turns out to be one: nothing is due before Tuesday."""
    off = house.installation.folder / "off.ics"
    off.write_text(calendar(event("DTSTART;VALUE=DATE:20261225")))
    days = {"weekdays": "mon-fri", "holidays": ["file:off.ics"]}
    dated = {"columns": {"day": "date"}, "data_time": "day", "zone": "Europe/Berlin", "promise": DUE}
    fx = {"name": "fx", "collect": {"kind": "file", "path": "fx.csv", "reread": "always"}, **dated}
    house.installation.configure(fx, calendars={"bank": days})
    house.run()
    with house.installation.system(house.clock) as system:
        watch = PromiseWatch(system)
        assert watch.look() == 0
        off.write_text(calendar(event("DTSTART;VALUE=DATE:20261225"), event("DTSTART;VALUE=DATE:20261123", name="new")))
        house.clock.advance(3 * DAY + HOUR)
        assert watch.look() == 0
        house.clock.advance(DAY)

        assert watch.look() == 1


def test_while_its_schedule_is_paused_a_promise_is_at_risk(house: House) -> None:
    """Nobody tries: `why` says what to do about it."""
    house.declare(schedule={"cron": "5 16 * * mon-fri", "zone": "Europe/Berlin"})
    house.run()
    with house.installation.system(house.clock) as system:
        run_due(system, Actor("test"))
        pause(system, Actor("test"), ["fx"])
        judge_promises(system)
        within = why(system, "fx").next_try
        house.clock.advance(HOUR)  # the TTL is over
        found = why(system, "fx")

    assert within["at"] is not None
    assert within["words"].endswith("its schedule is paused (`schedules resume fx`)")
    assert "its schedule is paused" in found.sentence
    assert found.next_try["words"] == "by the next run; its schedule is paused (`schedules resume fx`)"
    assert house.told() == ["at_risk"]
