"""Feedback as people give it: kept as events, heeded by what is judged next, listed, taken back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations import feedback
from operations.actor import Actor, NotAllowedError, UsageError
from operations.detect import backtest, detect
from tests.integration.installation import Installation
from utils.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Actor("me")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return configured(tmp_path)


def configured(folder: Path, url: str = "") -> Installation:
    made = Installation(folder)
    made.configure(
        {"name": "fx", "provider": "ecb", "collect": {"kind": "simulated", "rows": 3}}, database={"url": url}
    )
    return made


def usual(system: IntegratedSystem, clock: ManualClock, name: str = "orders", points: int = 40) -> None:
    for number in range(points):
        system.record(name, 100.0 + number % 5, tags={"shop": "berlin"})
        clock.advance(60)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    return configured(tmp_path, str(request.getfixturevalue("postgres")) if request.param == "PostgreSQL" else "")


def test_what_was_fine_is_told_no_more_until_it_is_taken_back(either: Installation) -> None:
    """An event with who said it; the view is the same when it is made anew from the log."""
    clock = ManualClock(NOON)
    with either.system(clock) as system:
        usual(system, clock)
        system.record("orders", 130.0, tags={"shop": "berlin"})
        (before,) = detect(system, ["orders"]).anomalies

        (said,) = feedback.not_an_anomaly(system, ME, ["orders"], reason="a sale").said
        silent = detect(system, ["orders"]).anomalies
        (event,) = system.events.read(type="feedback.given")
        live = feedback.given(system)
        system.events.rebuild()
        rebuilt = feedback.given(system)
        feedback.take_back(system, ME, said.number)
        after = detect(system, ["orders"]).anomalies
        (taken,) = system.events.read(type="feedback.taken_back")
        system.events.rebuild()
        left = feedback.given(system)

    assert silent == ()
    assert after == (before,)
    assert (event.subject, event.data["actor"], event.data["reason"]) == ('orders{shop="berlin"}', "me", "a sale")
    assert event.data["told"] == [{key: before[key] for key in ("time", "direction", "score")}]
    assert live == rebuilt
    assert live.said == (said,)
    assert (taken.data, left.said) == ({"feedback": said.number, "actor": "me"}, ())


def test_the_like_of_it_is_recorded_without_an_event(installation: Installation) -> None:
    """What comes later is judged by what was said: as far out is quiet, much further is told."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock)
        system.record("orders", 130.0, tags={"shop": "berlin"})
        clock.advance(60)
        feedback.not_an_anomaly(system, ME, ['orders{shop="berlin"}'])
        usual(system, clock)
        like = system.record("orders", 128.0, tags={"shop": "berlin"})
        clock.advance(60)
        usual(system, clock, points=10)
        worse = system.record("orders", 900.0, tags={"shop": "berlin"})

    assert like.anomalies == ()
    assert len(worse.anomalies) == 1


def test_a_run_heeds_what_was_said(tmp_path: Path) -> None:
    """Of a dataset: its figures within an excluded time bring no `anomaly.detected`, those after it do."""
    clock, made = ManualClock(NOON), Installation(tmp_path)

    def rows(number: int) -> int:
        made.configure(
            {"name": "fx", "provider": "p", "collect": {"kind": "simulated", "rows": number, "seed": number}}
        )
        clock.advance(3600)
        return made.run_one(fresh=True, clock=clock).anomalies

    for number in range(20):
        rows(100 + number % 3)
    with made.system(clock) as system:
        until = (clock.now() + timedelta(hours=1.5)).isoformat()
        feedback.exclude(system, ME, ["fx"], f"{clock.now().isoformat()}..{until}", reason="they move")
    within, after = rows(900), rows(900)

    assert within == 0
    assert after >= 1


def test_all_since_then_is_fine_at_once(installation: Installation) -> None:
    """One event a series that had something told; what was told before stays."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock, "orders")
        usual(system, clock, "clicks")
        system.record("orders", 500.0, tags={"shop": "berlin"})
        clock.advance(60)
        since = clock.now().isoformat()
        system.record("clicks", 500.0, tags={"shop": "berlin"})

        nothing = feedback.fine_since(system, ME, ["orders"], since)
        said = feedback.fine_since(system, ME, [], since)
        left = [a["series"] for a in detect(system).anomalies]

    assert nothing.said == ()
    assert [(one.shown, len(one.told)) for one in said.said] == [('clicks{shop="berlin"}', 1)]
    assert left == ['orders{shop="berlin"}']


def test_a_new_normal_learns_from_there(installation: Installation) -> None:
    """The listing says so, and how far it is says `detect`."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock)
        feedback.normal_since(system, ME, ["orders"], clock.now().isoformat())
        usual(system, clock, points=3)
        found = detect(system, ["orders"])

    assert found.learning == {'orders{shop="berlin"}': "learning: 3 of 12 points"}


def test_a_backtest_counts_what_would_have_been_told(installation: Installation) -> None:
    """Two incidents of one series: both at every rate; one of them was fine, and is none any more."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        for value in (900.0, 1900.0):
            usual(system, clock)
            system.record("orders", value, tags={"shop": "berlin"})
            clock.advance(60)
        usual(system, clock, points=5)
        told = [event.data["time"] for event in system.events.read(type="anomaly.detected")]
        found = backtest(system, ["orders"])
        feedback.not_an_anomaly(system, ME, ["orders"], datetime.fromtimestamp(told[1], UTC).isoformat())
        quieter = backtest(system, ["orders"])

    assert found.judged == 87 - 11
    assert [one["time"] for one in found.episodes] == told
    assert [(one.rate, one.episodes) for one in found.sensitivities][1] == (0.5, 2)
    assert [one.episodes for one in found.sensitivities] == sorted(one.episodes for one in found.sensitivities)
    assert found.sensitivities[1].per_1000 == round(2000 / 76, 3)
    assert [one["time"] for one in quieter.episodes] == told[:1]


def test_a_backtest_of_one_figure_counts_its_points_only(tmp_path: Path) -> None:
    """A dataset has many figures; the share belongs to the one that was asked for."""
    clock, made = ManualClock(NOON), configured(tmp_path)
    for _ in range(14):
        clock.advance(3600)
        made.run_one(fresh=True, clock=clock)
    with made.system(clock) as system:
        one, all_of_them = backtest(system, ["fx.rows"]), backtest(system, ["fx"])

    assert one.judged == 3
    assert all_of_them.judged > 10


@pytest.mark.parametrize(
    ("names", "option", "text", "message"),
    [
        ([], "not_an_anomaly", "last", "--not-an-anomaly needs the name of a series"),
        ([], "normal_since", "2026-11-20", "--normal-since needs the name of a series"),
        (["orders"], "not_an_anomaly", "soon", "'soon' is not a time"),
        (["orders"], "normal_since", "2026-11-21", "2026-11-21 lies ahead"),
        (["orders"], "exclude", "2026-11-20", "'2026-11-20' is not a period"),
        (["orders"], "exclude", "2026-11-20..2026-11-19", "ends before it begins"),
        (["orders"], "exclude", "2026-11-20..soon", "'soon' is not a time"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    installation: Installation, names: list[str], option: str, text: str, message: str
) -> None:
    """With what is wrong and how it is written; nothing is kept."""
    with installation.system(ManualClock(NOON)) as system:
        system.record("orders", 1.0)
        with pytest.raises(UsageError, match=message) as caught:
            getattr(feedback, option)(system, ME, names, text)
        assert feedback.given(system).said == ()

    assert caught.value.hint


def test_what_was_never_told_cannot_be_fine(installation: Installation) -> None:
    """The hint names the times of those that were; and who may only look may not say it."""
    clock = ManualClock(NOON)
    with installation.system(clock) as system:
        usual(system, clock)
        with pytest.raises(PipelineError, match="no anomaly was told"):
            feedback.not_an_anomaly(system, ME, ["orders"])
        system.record("orders", 900.0, tags={"shop": "berlin"})
        with pytest.raises(PipelineError, match="no anomaly was told at 2026-11-19") as caught:
            feedback.not_an_anomaly(system, ME, ["orders"], "2026-11-19")
        with pytest.raises(UsageError, match="there is no feedback 7"):
            feedback.take_back(system, ME, 7)
        with pytest.raises(NotAllowedError):
            feedback.exclude(system, Actor("guest", "viewer"), [], "2026-11-19..2026-11-20")

    assert "2026-11-20T12:40:00" in caught.value.hint
