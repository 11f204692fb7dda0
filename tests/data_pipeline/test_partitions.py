"""Which pieces of a table are due."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.datasets import PartitionSettings
from data_pipeline.partitions import MOST_AT_ONCE, NoSuchPiece, all_of, asked_for, due, reached, span
from tests.counts import few

NOW = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)


def keys(*, now: datetime = NOW, newest: str | None = None, **given_: object) -> list[str]:
    return [piece.key for piece in due(PartitionSettings.model_validate(given_), now=now, newest=newest)]


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


# --- pieces asked for by hand

LATER = datetime(2027, 1, 1, tzinfo=UTC)


def asked(begin: str | None, end: str | None, *, now: datetime = LATER, **settings: object) -> list[str]:
    found = span(PartitionSettings.model_validate(settings), begin, end, now=now, most=1000)
    return [piece.key for piece in found.pieces]


@pytest.mark.parametrize(
    ("settings", "begin", "end", "expected"),
    [
        ({"by": "day"}, "2026-03-01", "2026-03-03", ["2026-03-01", "2026-03-02"]),
        ({"by": "day"}, "2026-02", "2026-02-03", ["2026-02-01", "2026-02-02"]),
        ({"by": "month"}, "2025-12-01", "2026-02", ["2025-12", "2026-01"]),
        ({"by": "hour"}, "2026-03-01", "2026-03-01T02", ["2026-03-01T00", "2026-03-01T01"]),
        ({"by": "hour"}, "2026-03-01T05:00", "2026-03-01T06:00:00", ["2026-03-01T05"]),
        (
            {"by": "day", "zone": "Europe/Berlin"},
            "2026-02-28T23:00:00Z",
            "2026-03-03",
            ["2026-03-01", "2026-03-02"],
        ),
        ({"by": "hour", "zone": "Europe/Berlin"}, "2026-10-25T02b", "2026-10-25T03", ["2026-10-25T02b"]),
        ({"by": "day", "start": "2026-12-30"}, None, None, ["2026-12-30", "2026-12-31"]),
    ],
    ids=["days", "from a month", "months", "from a day", "minutes", "another zone", "the second of two hours", "all"],
)
def test_a_stretch_begins_and_ends_where_pieces_do(
    settings: dict[str, object], begin: str | None, end: str | None, expected: list[str]
) -> None:
    """The end is exclusive."""
    assert asked(begin, end, **settings) == expected


def test_what_is_before_the_start_or_not_complete_is_left_out() -> None:
    """And said, where somebody asked for it."""
    settings = PartitionSettings.model_validate({"by": "day", "start": "2026-03-02", "lag": "6h"})
    found = span(settings, "2026-03-01", "2026-03-12", now=datetime(2026, 3, 10, 5, tzinfo=UTC), most=100)
    assert found.before_start == ("2026-03-01",)
    assert found.incomplete == ("2026-03-09", "2026-03-10", "2026-03-11")
    assert [found.pieces[0].key, found.pieces[-1].key] == ["2026-03-02", "2026-03-08"]


@pytest.mark.parametrize(
    ("settings", "begin", "end", "said"),
    [
        ({"by": "month"}, "2026-01-15", "2026-03", "no month begins at 2026-01-15"),
        ({"by": "day"}, "2026-03-01T01", None, "no day begins at 2026-03-01T01"),
        ({"by": "day"}, "soon", None, "'soon' is not a date"),
        ({"by": "day"}, None, None, "nothing says where to begin"),
        ({"by": "day"}, "2026-03-02", "2026-03-01", "there is no day from"),
        ({"by": "hour"}, "2000-01-01", None, "more than 1,000 pieces"),
        ({"by": ["a"]}, "2026-03-01", None, "a list of keys"),
        ({"by": "hour", "zone": "Europe/Berlin"}, "2026-03-29T02", None, "there is no hour 2026-03-29T02"),
    ],
    ids=[
        "middle of a month",
        "middle of a day",
        "no date",
        "no start",
        "backwards",
        "too many",
        "list",
        "skipped hour",
    ],
)
def test_what_is_no_stretch_is_refused(settings: dict[str, object], begin: str, end: str, said: str) -> None:
    """Each mistake says what to do."""
    with pytest.raises(NoSuchPiece, match=said) as raised:
        asked(begin, end, **settings)
    assert raised.value.hint


def test_keys_are_pieces_in_the_order_of_the_table() -> None:
    """Of a list the one of the configuration; twice the same is one."""
    by_day = PartitionSettings(by="day")
    found = asked_for(by_day, ("2026-03-02", "2026-03-01", "2026-03-02"), now=LATER)
    assert [piece.key for piece in found.pieces] == ["2026-03-01", "2026-03-02"]
    by_name = PartitionSettings(by=("south", "north"))
    assert [piece.key for piece in asked_for(by_name, ("north", "south"), now=LATER).pieces] == ["south", "north"]
    with pytest.raises(NoSuchPiece, match="there is no piece 'west'"):
        asked_for(by_name, ("west",), now=LATER)


def test_the_pieces_of_a_table_begin_at_start_or_with_the_oldest_that_is_there() -> None:
    """Only complete ones; the newest, where there are too many."""
    now = datetime(2026, 3, 5, tzinfo=UTC)
    with_start, without = PartitionSettings(by="day", start="2026-03-03"), PartitionSettings(by="day")
    assert [piece.key for piece in all_of(with_start, None, now=now, most=9)] == ["2026-03-03", "2026-03-04"]
    assert [piece.key for piece in all_of(without, "2026-03-02", now=now, most=2)] == ["2026-03-03", "2026-03-04"]
    assert [piece.key for piece in all_of(without, None, now=now, most=9)] == ["2026-03-04"]


@pytest.mark.parametrize(
    ("newest", "whole", "expected"),
    [
        ("2026-03-03", {"2026-03-04", "2026-03-05", "2026-03-07"}, "2026-03-05"),
        ("2026-03-03", {"2026-03-01", "2026-03-05"}, "2026-03-03"),
        (None, {"2026-03-02"}, None),
        (None, {"2026-03-01", "2026-03-02"}, "2026-03-02"),
    ],
    ids=["without a gap", "behind a gap", "not from the start", "from the start"],
)
def test_a_table_is_whole_up_to_the_first_gap(newest: str | None, whole: set[str], expected: str | None) -> None:
    """What older or newer pieces bring does not hide what is missing between."""
    settings = PartitionSettings(by="day", start="2026-03-01")
    assert reached(settings, newest, frozenset(whole)) == expected


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"]


@given(
    by=st.sampled_from(["hour", "day", "month"]),
    zone=st.sampled_from(ZONES),
    at=st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
@settings(max_examples=few(150), deadline=None)
def test_pieces_follow_each_other_without_gap_or_overlap(by: str, zone: str, at: datetime) -> None:
    """In every zone, whatever its clocks do; each has a key of its own, by which it is found again."""
    given_ = PartitionSettings.model_validate({"by": by, "zone": zone})
    days = {"hour": 2, "day": 40, "month": 400}[by]
    begin = asked_for(given_, (due(given_, now=at, newest=None)[0].key,), now=LATER.replace(year=2040)).pieces[0]
    assert begin.start is not None
    end = begin.start.astimezone(UTC) + timedelta(days=days)
    pieces = list(span(given_, begin.key, None, now=end, most=5000).pieces)
    assert pieces[0] == begin
    for piece, following in pairwise(pieces):
        assert piece.end is not None
        assert following.start is not None
        assert piece.end.astimezone(UTC) == following.start.astimezone(UTC)
        assert piece.key < following.key
    assert asked_for(given_, tuple(piece.key for piece in pieces), now=end).pieces == tuple(pieces)
    newest = pieces[-1]
    assert newest.end is not None
    assert due(given_, now=newest.end.astimezone(UTC), newest=pieces[-2].key) == [newest]
