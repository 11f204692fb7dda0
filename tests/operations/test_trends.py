"""How the figures of all datasets moved, in one answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.run import run
from operations.trends import Trend, trends
from tests.dashboard.configuration import write_configuration

ACTOR = Actor("tester")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    with IntegratedSystem(write_configuration(tmp_path), state_dir=tmp_path / "state", environ={}) as system:
        yield system


def test_every_dataset_has_a_trend_also_without_a_run(system: IntegratedSystem) -> None:
    """A fresh state is empty, and nothing is wrong with it."""
    assert trends(system) == tuple(Trend(name, (), ()) for name in ("orders", "partner", "nothing"))


def test_rows_and_score_come_from_the_history_oldest_first(system: IntegratedSystem) -> None:
    """A dataset that was served from elsewhere has no figures of its own."""
    run(system, ACTOR)
    run(system, ACTOR, fresh=True)

    found = {trend.dataset: trend for trend in trends(system)}

    assert found["orders"] == Trend("orders", (50.0, 50.0), (100.0, 100.0))
    assert found["nothing"] == Trend("nothing", (), ())


def test_only_so_many_points_as_were_asked_for(system: IntegratedSystem) -> None:
    """The newest."""
    for _ in range(3):
        run(system, ACTOR, ["orders"], fresh=True)

    assert len(trends(system, points=2)[0].rows) == 2


def test_of_a_past_moment_only_what_was_measured_by_then(system: IntegratedSystem) -> None:
    """Time travel shows no future."""
    run(system, ACTOR, ["orders"])
    between = system.events.read(limit=1, newest_first=True)[0].time
    run(system, ACTOR, ["orders"], fresh=True)

    assert [len(trends(system, as_of=at)[0].rows) for at in ("2020-01-01T00:00:00Z", between)] == [0, 1]


def test_a_moment_to_come_is_refused(system: IntegratedSystem) -> None:
    """Nobody knows it."""
    with pytest.raises(UsageError, match="has not come yet"):
        trends(system, as_of="2999-01-01T00:00:00Z")
