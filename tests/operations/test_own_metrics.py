"""Numbers of the user's own: kept, judged as they come, asked for again, told to programs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.detect import detect
from operations.metrics import as_json, as_prometheus
from tests.integration.installation import Installation
from utils.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    url = str(request.getfixturevalue("postgres")) if request.param == "PostgreSQL" else ""
    made.configure(
        {"name": "fx", "provider": "ecb", "collect": {"kind": "simulated", "rows": 3}}, database={"url": url}
    )
    return made


def usual(system: IntegratedSystem, clock: ManualClock, name: str = "orders", points: int = 40) -> None:
    """Around a hundred, once a minute."""
    for number in range(points):
        system.record(name, 100.0 + number % 5, "EUR", {"shop": "berlin"})
        clock.advance(60)


def test_a_number_comes_back_with_its_unit_and_tags(installation: Installation) -> None:
    """From the history, at the time when it was told."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        told = system.record("orders", 12.5, "EUR", {"shop": "berlin"})
        read = system.history.range(
            "orders", {"shop": "berlin"}, since=NOON.timestamp(), until=NOON.timestamp() + 1, points=1
        )
        (series,) = system.history.series()

    assert told.to_json() == {
        "name": "orders",
        "value": 12.5,
        "unit": "EUR",
        "tags": {"shop": "berlin"},
        "time": "2026-11-20T12:00:00.000000Z",
        "anomalies": [],
        "learning": "learning: 1 of 12 points",
    }
    assert (read.times.tolist(), read.last.tolist()) == ([NOON.timestamp()], [12.5])
    assert (str(series), series.unit, series.newest) == ('orders{shop="berlin"}', "EUR", NOON.timestamp())


def test_a_series_keeps_its_unit(installation: Installation) -> None:
    """Another unit is refused; none at all is taken for the one that it has."""
    with installation.system(ManualClock(NOON)) as system:
        system.record("orders", 12.5, "EUR")
        with pytest.raises(UsageError, match="orders: is kept in `EUR`, not in `USD`"):
            system.record("orders", 12.5, "USD")
        system.record("orders", 13.0)
        system.record("orders", 12.5, "USD", {"shop": "berlin"})

        assert {str(one): one.unit for one in system.history.series()} == {
            "orders": "EUR",
            'orders{shop="berlin"}': "USD",
        }


def test_a_number_that_sticks_out_is_an_event(installation: Installation) -> None:
    """Once, with its series and what was expected; and `detect` says so too."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock)
        calm = system.events.read(type="anomaly.detected")
        told = system.record("orders", 900.0, "EUR", {"shop": "berlin"})
        (event,) = system.events.read(type="anomaly.detected")
        everywhere, by_name = detect(system), detect(system, ["orders"])
        by_tags = detect(system, ['orders{shop="berlin"}'])

    assert calm == []
    (anomaly,) = told.anomalies
    assert (anomaly["metric"], anomaly["value"]) == ("orders", 900.0)
    assert (event.subject, event.data["value"], event.data["unit"]) == ('orders{shop="berlin"}', 900.0, "EUR")
    for found in (everywhere, by_name, by_tags):
        assert [(a["series"], a["value"]) for a in found.anomalies] == [('orders{shop="berlin"}', 900.0)]


def test_a_number_of_a_dataset_is_judged_with_it(installation: Installation) -> None:
    """By its tag it belongs to the dataset, and is found by the dataset's name."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        for number in range(40):
            system.record("clicks", 50.0 + number % 3, tags={"dataset": "fx"})
            clock.advance(60)
        system.record("clicks", 5000.0, tags={"dataset": "fx"})
        (event,) = system.events.read(type="anomaly.detected")
        found = detect(system, ["fx.clicks"])

    assert event.subject == "fx"
    assert [(a["dataset"], a["metric"]) for a in found.anomalies] == [("fx", "clicks")]


def test_recorded_numbers_are_told_to_programs(installation: Installation) -> None:
    """The newest of each series, with all tags of its name; and how much history there is."""
    with installation.system(ManualClock(NOON)) as system:
        system.record("orders", 1.0, "EUR", {"shop": "berlin"})
        system.record("orders", 2.0, tags={"area": "north"})
        system.record("orders", 3.0, tags={"area": "north"})
        text, metrics = as_prometheus(system), as_json(system)

    lines = text.splitlines()
    assert 'orchestrator_recorded_orders{area="",shop="berlin"} 1' in lines
    assert 'orchestrator_recorded_orders{area="north",shop=""} 3' in lines
    assert "# HELP orchestrator_recorded_orders Recorded by record-metric, in EUR" in lines
    assert "orchestrator_history_series 2" in lines
    assert "orchestrator_recorded_orders" in str(metrics)


@pytest.mark.parametrize(
    ("name", "value", "tags", "words"),
    [
        ("two words", 1.0, {}, "'two words' is no name for a metric"),
        ("orders", 1.0, {"a-b": "c"}, "'a-b' is no name for a tag"),
        ("orders", 1.0, {"shop": ""}, "tag shop: '' cannot be kept"),
        ("orders", float("nan"), {}, "nan cannot be kept"),
        ("orders", "many", {}, "'many' is no number"),
        ("rows", 1.0, {"dataset": "fx"}, "is measured by every run of that dataset"),
        ("orders", 1.0, {f"t{n}": "v" for n in range(17)}, "17 tags are too many"),
    ],
    ids=["name", "tag", "empty tag", "no number", "text", "figure of a run", "tags"],
)
def test_what_cannot_be_kept_is_refused_in_words(
    installation: Installation, name: str, value: float, tags: "dict[str, str]", words: str
) -> None:
    """With what to do; nothing of it is kept."""
    with installation.system() as system:
        with pytest.raises(UsageError, match=words) as refused:
            system.record(name, value, tags=tags)
        assert system.history.subjects() == []

    assert refused.value.hint


def test_maintenance_rolls_up_and_says_so(installation: Installation) -> None:
    """What was recorded long ago is still there by the hour."""
    from operations.actor import Actor
    from operations.maintain import maintain

    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock, points=400)
        clock.advance(3 * 86_400)
        system.record("orders", 1.0, "EUR", {"shop": "berlin"})
        dry = maintain(system, Actor("test"), dry_run=True)
        done = maintain(system, Actor("test"))
        day = system.history.aggregates(
            "orders", {"shop": "berlin"}, since=NOON.timestamp(), until=NOON.timestamp() + 1, by="day"
        )

    (step,) = [step for step in done.steps if step.name == "history"]
    assert step.detail == "metric points past their retention removed; 400 rolled up"
    assert step.count == 128
    assert [step.count for step in dry.steps if step.name == "history"] == [0]
    assert day.count.tolist() == [400]
