"""Objectives of a whole installation: what status shows of them, and what the log is told, once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from data_pipeline.objective import Standing
from data_pipeline.objective_views import ObjectiveViews
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.gate import accept, rollback
from operations.maintain import maintain
from operations.objectives import tell_burning
from operations.run import run
from operations.status import Status, status
from tests.integration.installation import Installation
from utils.clock import ManualClock

HOUR = 3600.0
ROWS = "id,value\n1,5\n2,6\n"


class House:
    """One file, read on a clock of its own. Its data shall be fresh 99 % and good 90 % of ten days."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.clock = ManualClock()
        self.send(ROWS)
        self.declare()

    def declare(self, **more: Any) -> None:
        asked = {"fresh": 0.99, "quality": 0.9, "over": "10d"}
        fx = {
            "name": "fx",
            "collect": {"kind": "file", "path": "fx.csv", "reread": "always"},
            "rules": [{"range": {"column": "value", "min": 0, "severity": "critical"}}],
            "promise": {"max_age": "2h"},
            "objective": asked,
        }
        plain = {"name": "plain", "collect": {"kind": "simulated", "rows": 1}}
        self.installation.configure({**fx, **more}, plain)

    def send(self, text: str) -> None:
        (self.installation.folder / "fx.csv").write_text(text)

    def run(self, *, hours: int = 1) -> None:
        """Run at once, and once an hour, so that `hours` go by."""
        for _ in range(hours):
            with self.installation.system(self.clock) as system:
                run(system, Actor("test"), ["fx"], fresh=True)
            self.clock.advance(HOUR)

    def keep(self) -> None:
        with self.installation.system(self.clock) as system:
            maintain(system, Actor("test"))

    def status(self, as_of: str | None = None) -> Status:
        with self.installation.system(self.clock) as system:
            return status(system, as_of=as_of)

    def objectives(self) -> tuple[Standing, ...]:
        (fx,) = [dataset for dataset in self.status().datasets if dataset.dataset == "fx"]
        assert fx.objective is not None
        return fx.objective.objectives

    def told(self) -> list[tuple[str, str, str | None]]:
        """What the log says of burning objectives."""
        return [(e["objective"], e["state"], e["pace"]) for e in self.installation.events("objective.burning")]


@pytest.fixture
def house(installation: Installation) -> House:
    return House(installation)


def test_status_shows_how_an_objective_stands(house: House) -> None:
    """Only where one is declared, with its share and what is left of the budget."""
    house.run(hours=4)
    fx, plain = (next(d for d in house.status().datasets if d.dataset == name) for name in ("fx", "plain"))
    assert plain.objective is None
    assert plain.to_json()["objective"] is None
    assert fx.objective is not None
    told = fx.to_json()["objective"]
    assert told["state"] == "kept"
    assert [(one["objective"], one["share"], one["measured_s"]) for one in told["objectives"]] == [
        ("fresh", 1.0, 4 * HOUR),
        ("quality", 1.0, 4 * HOUR),
    ]


def test_data_that_nobody_renews_burns_and_it_is_told_once(house: House) -> None:
    """Nothing runs: the data grows old, and maintenance tells it; the next one does not tell it again."""
    house.run(hours=3)
    assert house.told() == []
    house.clock.advance(4 * HOUR)
    house.keep()
    house.keep()
    assert house.told() == [("fresh", "burning", "fast")]
    (told,) = house.installation.events("objective.burning")
    assert told["since"] == "2026-01-01T07:00:00.000000Z"
    assert "the error budget is spent" in told["reason"]  # 1 % of ten days is 2.4 hours; 3 have gone


def test_the_end_of_burning_is_told_by_a_run(house: House) -> None:
    """Fresh again, and the short windows have forgotten."""
    house.run(hours=3)
    house.clock.advance(3.2 * HOUR)
    house.keep()
    house.run(hours=4)
    assert house.told() == [("fresh", "burning", "fast"), ("fresh", "ended", None)]
    house.keep()
    assert len(house.told()) == 2


def test_a_held_batch_is_not_good_until_a_good_one_comes(house: House) -> None:
    """Readers keep last good, and the time counts all the same: what was delivered was not good."""
    house.run(hours=2)
    house.send("id,value\n1,-5\n2,6\n")
    house.run(hours=2)
    house.send(ROWS)
    house.run(hours=1)
    fresh, quality = house.objectives()
    assert (quality.missed_s, quality.measured_s) == (2 * HOUR, 5 * HOUR)
    assert fresh.missed_s == HOUR  # the last good copy was two hours old for the second hour on


def test_the_past_is_told_as_it_was(house: House) -> None:
    """`status --as-of` knows only what had happened by then."""
    house.run(hours=2)
    house.clock.advance(10 * HOUR)
    (fx,) = [d for d in house.status("2026-01-01T02:00:00Z").datasets if d.dataset == "fx"]
    assert fx.objective is not None
    assert [one.share for one in fx.objective.objectives] == [1.0, 1.0]


def test_an_objective_that_is_withdrawn_burns_no_more(house: House) -> None:
    house.run(hours=1)
    house.clock.advance(9 * HOUR)
    house.keep()
    house.declare(objective={"fresh": None, "over": "10d"})
    house.keep()
    assert house.told() == [("fresh", "burning", "fast"), ("fresh", "ended", None)]


def test_a_person_sees_the_word_and_the_sentence(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The column is there for those who declared an objective; what is short is a line of words."""
    house = House(installation)
    house.run(hours=1)  # long ago: the clock of the house stands at the beginning of 2026
    assert installation.typed("status") == 0
    shown = capsys.readouterr().out
    assert "objective" in shown.splitlines()[2]
    assert "fx: fresh " in shown
    assert "the error budget is spent" in shown
    house.declare(objective=None)
    assert installation.typed("status") == 0
    assert "objective" not in capsys.readouterr().out


def test_what_a_person_decides_changes_how_fresh_the_data_is_not_how_good(house: House) -> None:
    """Accepted over an objection, the data is new and doubted; rolled back, it is as old as the version is."""
    house.run(hours=1)
    house.send("id,value\n1,-5\n2,6\n")
    house.run(hours=3)
    with house.installation.system(house.clock) as system:
        accept(system, Actor("test"), "fx", reason="we know")
    house.clock.advance(HOUR)
    fresh, quality = house.objectives()
    assert (fresh.missed_s, quality.missed_s) == (2 * HOUR, 4 * HOUR)  # stale from 02:00 to 04:00, held from 01:00 on
    with house.installation.system(house.clock) as system:
        rollback(system, Actor("test"), "fx")
    house.clock.advance(HOUR)
    fresh, quality = house.objectives()
    assert (fresh.missed_s, quality.missed_s) == (3 * HOUR, 5 * HOUR)


def test_live_views_are_those_of_the_log(house: House) -> None:
    """Spans and burning objectives are the same after a replay, decisions by hand included."""
    test_what_a_person_decides_changes_how_fresh_the_data_is_not_how_good(house)
    house.clock.advance(5 * HOUR)
    house.keep()
    with house.installation.system(house.clock) as system:
        tables = [f"SELECT * FROM {table}" for table in ObjectiveViews.tables]
        live = [sorted(system.database.query(sql)) for sql in tables]
        system.events.rebuild()
        assert [sorted(system.database.query(sql)) for sql in tables] == live
        assert all(live)


def test_of_processes_that_look_at_once_one_tells_it(house: House) -> None:
    """Who comes second finds it told, by the state that it saw before."""
    house.run(hours=1)
    house.clock.advance(9 * HOUR)
    with house.installation.system(house.clock) as one, house.installation.system(house.clock) as other:
        both = threading.Barrier(2)

        def look(system: IntegratedSystem) -> int:
            both.wait(120)
            return tell_burning(system)

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(look, [one, other]))
    assert sum(told) == 1
    assert house.told() == [("fresh", "burning", "fast")]
