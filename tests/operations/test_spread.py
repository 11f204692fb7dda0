"""How figures were spread lately: median, P95 and P99 of what runs measured and of recorded numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.errors import PipelineError
from operations.actor import Actor
from operations.run import run
from operations.spread import POINTS, spread
from tests.integration.installation import Installation

FEED = {"name": "feed", "collect": {"kind": "simulated", "rows": 3}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(FEED)
    with made.system() as system:
        for _ in range(2):
            run(system, Actor("test"), fresh=True)
        times = 1e9 + np.arange(3000.0)
        system.history.append("orders", times, np.arange(3000.0), {"shop": "berlin"})
    return made


def test_quantiles_are_those_of_the_newest_points(installation: Installation) -> None:
    """A hundredth off at most; what is older does not count."""
    with installation.system() as system:
        (found,) = spread(system, ["orders"])

    newest = np.arange(3000.0)[-POINTS:]
    assert (found.series, found.count) == ('orders{shop="berlin"}', POINTS)
    assert (found.least, found.greatest, found.mean) == (newest[0], newest[-1], newest.mean())
    for told, share in ((found.p50, 0.50), (found.p95, 0.95), (found.p99, 0.99)):
        assert told == pytest.approx(np.quantile(newest, share), rel=0.01)


def test_without_a_name_it_is_how_long_providers_took_and_your_numbers(installation: Installation) -> None:
    """A name of a dataset means all of its figures, one of a figure that one."""
    with installation.system() as system:
        assert [one.series for one in spread(system)] == ["feed.latency_s", 'orders{shop="berlin"}']
        assert [(one.series, one.p99) for one in spread(system, ["feed.rows"])] == [("feed.rows", 3.0)]
        every = {one.series for one in spread(system, ["feed"])}
        assert {"feed.rows", "feed.latency_s", "feed.nulls(id)"} <= every
        with pytest.raises(PipelineError, match="nothing_like_it: no history"):
            spread(system, ["nothing_like_it"])


def test_a_command_shows_them(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, and as JSON; a name without a table is a mistake."""
    assert installation.typed("metrics", "--format", "table", "feed.rows") == 0
    head, row = (line.split() for line in capsys.readouterr().out.splitlines() if line.strip("─━- "))
    assert head == ["figure", "points", "mean", "least", "median", "p95", "p99", "greatest"]
    assert row == ["feed.rows", "2", *["3"] * 6]
    assert installation.typed("metrics", "--format", "table", "feed.rows", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["figures"]
    assert (told["series"], told["count"], told["p95"]) == ("feed.rows", 2, 3.0)
    assert installation.typed("metrics", "feed") == 2
    assert "--format table" in capsys.readouterr().err


def test_an_empty_history_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing ran yet."""
    installation = Installation(tmp_path / "new")
    installation.folder.mkdir()
    installation.configure(FEED)

    assert installation.typed("metrics", "--format", "table") == 0
    assert "There is no history yet" in capsys.readouterr().out
