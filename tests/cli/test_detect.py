"""`detect` and `detect feedback` as they are typed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.installation import Installation
from utils.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATIENT = {"resilience": {"deadline": "2m"}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """40 usual points of `orders`, and one that sticks out."""
    made, clock = Installation(tmp_path), ManualClock(NOON)
    made.configure({"name": "fx", "provider": "ecb", "collect": {"kind": "simulated", "rows": 3}, **PATIENT})
    with made.system(clock) as system:
        for number in range(40):
            system.record("orders", 100.0 + number % 5)
            clock.advance(60)
        system.record("orders", 900.0)
    return made


def test_feedback_is_given_listed_and_taken_back(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number in the list is what takes it back; `detect` before a name is no command."""

    def typed(*arguments: str) -> str:
        assert installation.typed("detect", *arguments) == 0
        return capsys.readouterr().out

    assert "2026-11-20T12:40:00Z" in typed("orders")
    listed = typed("feedback", "orders", "--not-an-anomaly", "2026-11-20T12:40:00Z", "--reason", "a sale")
    assert "a sale" in listed
    assert "fine" in listed
    assert typed() == "Nothing unlikely in 1 series.\n"
    (one,) = json.loads(typed("feedback", "--json"))["feedback"]
    assert typed("feedback", "--take-back", str(one["number"])) == f"{one['number']} is taken back.\n"
    assert typed("feedback") == "Nothing was said yet.\n"
    assert "900" in typed("orders")


def test_two_things_at_once_are_refused(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is to guess in which order they are meant."""
    assert installation.typed("detect", "feedback", "orders", "--not-an-anomaly", "last", "--all-since", "now") == 2
    assert "one thing at a time" in capsys.readouterr().err


def test_a_backtest_is_a_table_of_sensitivities(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """What would have been told at the rate that is set, then a line for each rate."""
    assert installation.typed("detect", "orders", "--backtest") == 0
    words = capsys.readouterr().out
    assert installation.typed("detect", "--backtest", "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert "1 episode would have been told in 30 points." in words
    assert "per 1,000 points" in words
    assert [one["rate"] for one in found["sensitivities"]] == [0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
    assert (found["judged"], len(found["episodes"])) == (30, 1)


def test_what_lies_ahead_is_a_line(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """And a value of one's own is asked for by `--reaches`."""
    now = datetime.now(UTC).timestamp()  # the command's clock is the machine's
    hours = [now - 3600.0 * back for back in range(48, 0, -1)]
    with installation.system() as system:
        system.history.append("latency_s", hours, [float(hour) for hour in range(48)], {"dataset": "fx"})

    assert installation.typed("detect", "fx") == 0
    told = capsys.readouterr().out
    assert installation.typed("detect", "fx.latency_s", "--reaches", "1000") == 0
    asked = capsys.readouterr().out
    assert installation.typed("detect", "fx.latency_s", "--reaches", "60", "--backtest") == 2

    assert "ahead: fx.latency_s reaches its deadline (2 min) in about 71 h" in told
    assert asked == "fx.latency_s does not grow steadily towards 1000\n"


def test_an_incident_of_several_figures_shows_their_shares(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbered, in each what stands out most first; one figure alone is all of its incident."""
    with installation.system(ManualClock(NOON)) as system:
        for metric, last in (("rows", 0.0), ("bytes", 900.0)):
            values = [1000.0 + number % 5 for number in range(40)] + [last]
            times = [NOON.timestamp() + 3600.0 * number for number in range(41)]
            system.history.append(metric, times, values, {"dataset": "fx"})

    assert installation.typed("detect") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert lines[0][:4] == ["incident", "share", "dataset", "metric"]
    assert [line[:2] for line in lines[1:4]] == [["1", "orders"], ["2", "fx"], ["2", "fx"]]
    shares = [int(line[2].rstrip("%")) for line in lines[1:4]]
    assert shares[0] == 100
    assert shares[1] >= shares[2] > 0
