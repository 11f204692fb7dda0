"""Only what is new: cursors that move with the rows they stand for, and with nothing else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.actor import Actor
from operations.run import run
from operations.show import delivered
from tests.integration.feed import Feed, Row
from tests.integration.installation import PATIENT, Installation

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def events(**more: Any) -> dict[str, Any]:
    incremental = {"cursor": "at", **more.pop("incremental", {})}
    collect = {"kind": "python", "function": "tests.integration.feed:since"}
    return {"name": "events", "collect": collect, "key": ["id"], "incremental": incremental, **more}


def row(number: int, at: Any, name: str = "x") -> Row:
    return {"id": number, "at": at, "name": name}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def stored(installation: Installation) -> Any:
    """The cursor of the last accepted version, as its event tells it."""
    return installation.events("batch.accepted")[-1].get("cursor")


def ids(installation: Installation) -> list[int]:
    return sorted(row["id"] for row in installation.rows("events"))


@pytest.mark.parametrize(
    ("first", "second", "kind", "told"),
    [
        (0, 7, "int", 7),
        ("", "b", "text", "b"),
        (0.5, 2.5, "float", 2.5),
        (date(2026, 3, 1), date(2026, 3, 2), "date", "2026-03-02"),
        (at(0), at(1), "timestamp", "2026-03-01T12:01:00.000000Z"),
    ],
    ids=["zero", "the empty text", "fractions", "days", "moments"],
)
def test_the_next_run_asks_with_the_greatest_value(
    installation: Installation, feed: Feed, first: Any, second: Any, kind: str, told: Any
) -> None:
    """0 and "" are cursors; the value is exact, in the type of the column."""
    installation.configure(events())
    feed.rows = [row(1, first)]
    installation.run_one()
    feed.rows = [row(1, first), row(2, second)]
    installation.run_one(fresh=True)
    assert feed.asked == [None, first]
    assert stored(installation) == {"column": "at", "type": kind, "value": told}

    installation.run_one(fresh=True)
    assert feed.asked[-1] == second
    assert ids(installation) == [1, 2]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"columns": {"at": "timestamp"}, "zone": "Europe/Berlin"}, datetime(2023, 12, 31, 23, tzinfo=UTC)),
        ({"columns": {"at": "date"}}, date(2024, 1, 1)),
        ({}, "2024-01-01"),
    ],
    ids=["a moment in the dataset's zone", "a day", "text when nobody says what it is"],
)
def test_the_first_run_asks_with_initial(
    installation: Installation, feed: Feed, more: dict[str, Any], expected: Any
) -> None:
    """In the declared type of the column."""
    installation.configure(events(incremental={"initial": "2024-01-01"}, **more))
    installation.run_one()
    assert feed.asked == [expected]


@pytest.mark.parametrize("write", ["append", "merge"])
def test_late_equal_and_null_rows_are_neither_lost_nor_doubled(
    installation: Installation, feed: Feed, write: str
) -> None:
    """Within the lag the provider is asked again; what the table has already is not added twice."""
    installation.configure(events(write=write, incremental={"lag": "10m"}))
    feed.rows = [row(1, at(0)), row(2, at(5)), row(3, None)]
    installation.run_one()
    feed.rows = [*feed.rows, row(4, at(5)), row(5, at(-4)), row(6, None)]
    installation.run_one(fresh=True)

    assert feed.asked == [None, at(-5)]
    assert ids(installation) == [1, 2, 3, 4, 5, 6]
    assert stored(installation)["value"] == "2026-03-01T12:05:00.000000Z"


def test_nothing_new_is_a_success(installation: Installation, feed: Feed) -> None:
    """An answer without rows is no failure when rows were asked for from a cursor on."""
    installation.configure(events())
    feed.rows = [row(1, 5)]
    installation.run_one()
    feed.rows = []

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.unchanged, ran.rows, ran.origin) == ("succeeded", True, 1, "provider")
    assert ids(installation) == [1]


def test_a_partial_answer_does_not_move_the_cursor(installation: Installation, feed: Feed) -> None:
    """What came is kept; the next run asks from where this one did, and adds nothing twice."""
    installation.configure(events(write="append", key=[]))
    feed.rows = [row(1, 1)]
    installation.run_one()
    feed.rows, feed.breaks_after = [row(1, 1), row(2, 4), row(3, 2), row(4, 3)], 2
    partial = installation.run_one(fresh=True)
    assert (partial.status, partial.partial, partial.accepted) == ("degraded", True, True)
    assert (ids(installation), stored(installation)["value"]) == ([1, 2], 1)

    feed.breaks_after = None
    installation.run_one(fresh=True)
    assert feed.asked[-1] == 1
    assert (ids(installation), stored(installation)["value"]) == ([1, 2, 3, 4], 4)


def test_a_held_batch_does_not_move_the_cursor(installation: Installation, feed: Feed) -> None:
    """The rows are not in the table, so they are asked for again."""
    installation.configure(events(rules=[{"range": {"column": "id", "max": 9, "severity": "critical"}}]))
    feed.rows = [row(1, 1)]
    installation.run_one()
    feed.rows = [row(99, 5)]
    installation.run_one(fresh=True)
    installation.run_one(fresh=True)
    assert feed.asked == [None, 1, 1]


def test_a_cursor_never_goes_backwards(installation: Installation, feed: Feed) -> None:
    """A provider that sends older rows than asked for adds them, and the next run asks as before."""
    installation.configure(events(incremental={"lag": "2s", "format": "epoch_s"}))
    feed.rows = [row(1, 100)]
    installation.run_one()
    feed.rows = [row(2, 98)]
    installation.run_one(fresh=True)
    installation.run_one(fresh=True)
    assert feed.asked == [None, 98, 98]
    assert stored(installation)["value"] == 100
    assert ids(installation) == [1, 2]


def test_full_ignores_the_cursor(installation: Installation, feed: Feed) -> None:
    """By key everything is merged; without, the table begins anew."""
    installation.configure(events())
    feed.rows = [row(1, 1, "old"), row(2, 2)]
    installation.run_one()
    feed.rows = [row(1, 1, "mended"), row(3, 3)]
    installation.run_one(full=True)
    assert feed.asked == [None, None]
    assert {found["id"]: found["name"] for found in installation.rows("events")} == {1: "mended", 2: "x", 3: "x"}


def test_of_equal_cursors_the_tie_breaker_decides(installation: Installation, feed: Feed) -> None:
    """Then the last row; a greater cursor beats any tie-breaker."""
    installation.configure(events(incremental={"tie_breaker": "number"}))
    feed.rows = [
        {"id": 1, "at": 1, "number": 9, "name": "late by number"},
        {"id": 1, "at": 1, "number": 3, "name": "early"},
        {"id": 2, "at": 2, "number": 1, "name": "newer"},
        {"id": 2, "at": 1, "number": 9, "name": "older"},
    ]
    installation.run_one()
    assert sorted(found["name"] for found in installation.rows("events")) == ["late by number", "newer"]


@pytest.mark.parametrize(
    ("found", "more", "told"),
    [
        ([{"id": 1, "name": "x"}], {}, "no column `at` for the cursor; it has `id`, `name`"),
        ([row(1, True)], {}, "column `at` is bool: its values have no order"),
        ([row(1, 1), row(2, None)], {"incremental": {"nulls": "hold"}}, "1 row has no `at`"),
    ],
    ids=["no such column", "truth values", "rows without a value"],
)
def test_a_cursor_that_cannot_be_read_holds_the_batch(
    installation: Installation, feed: Feed, found: list[Row], more: dict[str, Any], told: str
) -> None:
    """With the reason; also with `on_fail: publish`, for a wrong cursor loses rows."""
    installation.configure(events(on_fail="publish", **more))
    feed.rows = found
    ran = installation.run_one()
    assert (ran.status, ran.accepted) == ("failed", False)
    assert told in (ran.reason or "")


def test_a_lag_on_something_that_is_no_time_is_told(installation: Installation, feed: Feed) -> None:
    """It would look back by nothing, and late rows would be lost in silence."""
    installation.configure(events(incremental={"lag": "5m"}))
    feed.rows = [row(1, 17)]
    installation.run_one()
    ran = installation.run_one(fresh=True)
    assert ran.status == "degraded"
    assert "`incremental.lag` needs a time, and `at` holds int such as 17" in (ran.error or {})["message"]
    assert "epoch_s" in (ran.error or {})["hint"]


def test_another_cursor_column_begins_anew_and_says_so(installation: Installation, feed: Feed) -> None:
    """Other parts of the configuration may change and the cursor stays."""
    installation.configure(events(write="append", key=[]))
    feed.rows = [{"id": 1, "at": 5, "seen": 1}]
    installation.run_one()
    installation.configure(events(write="append", key=[], columns={"name": {"from": "other", "type": "string"}}))
    installation.run_one(fresh=True)
    assert feed.asked == [None, 5]

    installation.configure(events(write="append", key=[], incremental={"cursor": "seen"}))
    feed.rows = [{"id": 1, "at": 5, "seen": 1}, {"id": 2, "at": 6, "seen": 2}]
    installation.run_one(fresh=True)
    assert feed.asked[-1] is None
    assert any("no longer `at`" in note for note in installation.events("batch.accepted")[-1]["notes"])
    assert ids(installation) == [1, 2]


histories = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(-2, 3), st.booleans()), max_size=3),
        st.one_of(st.none(), st.none(), st.integers(0, 4)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, write=st.sampled_from(["append", "merge"]))
def test_whatever_happens_the_table_becomes_what_the_provider_has(
    tmp_path_factory: pytest.TempPathFactory,
    feed: Feed,
    history: list[tuple[list[tuple[int, bool]], int | None]],
    write: str,
) -> None:
    """Rows that come up to two minutes late, without a time, and answers that break off: none is lost, none doubled."""
    installation = Installation(tmp_path_factory.mktemp("history"))
    patient = {"dataset": PATIENT, "resilience": {"breaker": {"window": 1000, "minimum_calls": 1000}}}
    dataset = events(write=write, incremental={"lag": "2m"}, detect={"enabled": False})
    installation.configure(dataset, defaults=patient)
    now, number, feed.rows = 0, 0, [row(0, at(0))]
    with installation.system() as system:
        for new, breaks_after in [([], None), *history, ([], None)]:
            for minutes, timeless in new:
                number += 1
                now = max(now, now + minutes)
                feed.rows = [*feed.rows, row(number, None if timeless else at(now + min(minutes, 0)))]
            feed.breaks_after = breaks_after
            run(system, Actor("test"), fresh=True)
        found = delivered(system, "events").table.to_pylist()
    assert sorted(found, key=lambda one: one["id"]) == list(feed.rows)
