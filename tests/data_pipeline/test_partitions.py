"""Which pieces of a table are due."""

from datetime import UTC, datetime, timedelta

import pytest

from config.datasets import PartitionSettings
from data_pipeline.partitions import MOST_AT_ONCE, due

NOW = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)


def keys(*, now: datetime = NOW, newest: str | None = None, **settings: object) -> list[str]:
    return [piece.key for piece in due(PartitionSettings.model_validate(settings), now=now, newest=newest)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"by": "hour"}, "2026-03-10T06"),
        ({"by": "day"}, "2026-03-09"),
        ({"by": "month"}, "2026-02"),
        ({"by": "day", "lag": "7h"}, "2026-03-09"),
        ({"by": "day", "lag": "8h"}, "2026-03-08"),
        ({"by": "day", "zone": "Pacific/Auckland"}, "2026-03-09"),
        ({"by": "day", "zone": "America/Los_Angeles"}, "2026-03-09"),
        ({"by": "day", "zone": "America/Los_Angeles", "lag": "1h"}, "2026-03-08"),
    ],
    ids=["hour", "day", "month", "lag just over", "lag not over", "east", "west", "west with a lag"],
)
def test_the_first_run_takes_the_newest_complete_piece(settings: dict[str, object], expected: str) -> None:
    """Complete is what ended at least `lag` ago, in its own zone."""
    assert keys(**settings) == [expected]


def test_a_piece_knows_its_bounds_in_its_zone() -> None:
    """The day on which clocks go forward has 23 hours."""
    (piece,) = due(
        PartitionSettings(by="day", zone="Europe/Berlin"), now=datetime(2026, 3, 30, 5, tzinfo=UTC), newest=None
    )
    assert piece.key == "2026-03-29"
    assert piece.start is not None
    assert piece.end is not None
    assert piece.start.isoformat() == "2026-03-29T00:00:00+01:00"
    assert piece.end.isoformat() == "2026-03-30T00:00:00+02:00"
    assert piece.end.astimezone(UTC) - piece.start.astimezone(UTC) == timedelta(hours=23)


def test_the_hour_that_comes_twice_is_two_pieces() -> None:
    """When clocks go back, neither replaces the other, and their order is that of time."""
    found = keys(by="hour", zone="Europe/Berlin", now=datetime(2026, 10, 25, 2, 10, tzinfo=UTC), newest="2026-10-25T01")
    assert found == ["2026-10-25T02", "2026-10-25T02b"]


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("2026-03-09", ["2026-03-09"]),
        ("2026-03-08", ["2026-03-09"]),
        ("2026-03-06", ["2026-03-07", "2026-03-08", "2026-03-09"]),
    ],
    ids=["none is missing", "one", "several"],
)
def test_missing_pieces_come_oldest_first(newest: str, expected: list[str]) -> None:
    """When none is missing, the newest is collected once more."""
    assert keys(by="day", newest=newest) == expected


def test_after_a_long_time_the_oldest_come_first_and_not_too_many() -> None:
    """The next run goes on behind them, so no piece is ever left out."""
    seen: list[str] = ["2025-12-01"]
    for _ in range(4):
        found = keys(by="day", newest=seen[-1])
        assert len(found) <= MOST_AT_ONCE
        seen += [key for key in found if key != seen[-1]]
    first = datetime(2025, 12, 1, tzinfo=UTC)
    assert seen == [(first + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(99)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [("2026-03-08", ["2026-03-08", "2026-03-09"]), ("2020-01-01", ["2026-03-09"]), ("2026-03-10", [])],
    ids=["near", "too far for one run", "not there yet"],
)
def test_the_first_run_begins_at_start_if_that_is_near(start: str, expected: list[str]) -> None:
    """More than a run can take is for a backfill."""
    assert keys(by="day", start=start) == expected


def test_a_list_is_collected_whole() -> None:
    """Key by key, in the order of the configuration, whatever came before."""
    assert keys(by=["south", "north"], newest="south") == ["south", "north"]
