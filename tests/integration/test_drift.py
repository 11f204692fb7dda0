"""The schema contract: what a batch with other columns does, and what is told of it."""

from typing import Any

import pytest

from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation

OLD: list[Row] = [{"id": 1, "size": 5}, {"id": 2, "size": 6}]
NEW: list[Row] = [{"id": 3, "size": 7, "colour": None}, {"id": 4, "size": 8, "colour": "red"}] + [
    {"id": number, "size": 9, "colour": None} for number in range(5, 9)
]
MISSING: list[Row] = [{"id": 3}]
CHANGED: list[Row] = [{"id": 3, "size": "7"}, {"id": 4, "size": "large"}] + [
    {"id": number, "size": "9"} for number in range(5, 9)
]


def things(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:everything"}
    return {"name": "things", "collect": collect, "write": "append", **more}


def after(installation: Installation, feed: Feed, rows: list[Row], **more: Any) -> Any:
    """A run whose rows are other than those of the run before."""
    installation.configure(things(**more))
    feed.rows = OLD
    assert installation.run_one().status == "succeeded"
    feed.rows = rows
    return installation.run_one(fresh=True)


@pytest.mark.parametrize("write", ["append", "replace"])
@pytest.mark.parametrize(
    ("rows", "schema", "told"),
    [
        (NEW, {"new": "hold"}, "column `colour` is new (string) (schema.new: hold)"),
        (MISSING, {}, "column `size` (int64) is missing (schema.missing: hold)"),
        (CHANGED, {}, "column `size` changed from int64 to string (schema.changed: hold)"),
    ],
    ids=["new", "missing", "changed"],
)
def test_a_drift_that_is_held_names_column_old_and_new(
    installation: Installation, feed: Feed, rows: list[Row], schema: dict[str, str], told: str, write: str
) -> None:
    """Also with `on_fail: publish`; readers keep what they had."""
    ran = after(installation, feed, rows, schema=schema, on_fail="publish", write=write)
    assert (ran.status, ran.accepted, ran.origin) == ("degraded", False, "last_good")
    assert told in ran.reason
    assert installation.rows("things") == OLD
    (event,) = installation.events("schema.drifted")
    assert event["policy"] == "hold"


def test_freeze_fails_the_dataset(installation: Installation, feed: Feed) -> None:
    """Like a broken critical rule: last good is served, and the run is failed."""
    ran = after(installation, feed, NEW, schema={"new": "freeze"})
    assert (ran.status, ran.origin) == ("failed", "last_good")


@pytest.mark.parametrize(
    ("rows", "schema", "expected", "drift"),
    [
        (NEW[:2], {}, [(1, 5, None), (2, 6, None), (3, 7, None), (4, 8, "red")], ("colour", "new", None, "string")),
        (MISSING, {"missing": "evolve"}, [(1, 5), (2, 6), (3, None)], ("size", "missing", "int64", None)),
        (
            CHANGED[:2],
            {"changed": "evolve"},
            [(1, "5"), (2, "6"), (3, "7"), (4, "large")],
            ("size", "changed", "int64", "string"),
        ),
        (
            [{"id": 3, "size": 0.5}],
            {"changed": "evolve"},
            [(1, 5.0), (2, 6.0), (3, 0.5)],
            ("size", "changed", "int64", "double"),
        ),
    ],
    ids=["new", "missing", "changed to text", "changed to fractions"],
)
def test_a_table_evolves(
    installation: Installation,
    feed: Feed,
    rows: list[Row],
    schema: dict[str, str],
    expected: list[Any],
    drift: tuple[Any, ...],
) -> None:
    """It grows a column, keeps one, or widens one; the event says so."""
    ran = after(installation, feed, rows, schema=schema)
    assert ran.status == "succeeded"
    assert [tuple(row.values()) for row in installation.rows("things")] == expected
    (event,) = installation.events("schema.drifted")
    assert tuple(event[name] for name in ("column", "change", "old", "new")) == drift
    assert event["policy"] == "evolve"


@pytest.mark.parametrize(
    ("rows", "schema", "reason", "kept"),
    [
        (NEW, {"new": "discard_row"}, "schema(new: colour)", {"id": 4, "size": 8, "colour": "red"}),
        (CHANGED, {"changed": "discard_row"}, "schema(changed: size)", {"id": 4, "size": "large"}),
    ],
    ids=["new", "changed"],
)
def test_discarded_rows_go_to_quarantine_with_their_reason(
    installation: Installation, feed: Feed, rows: list[Row], schema: dict[str, str], reason: str, kept: Row
) -> None:
    """As they were sent; the other rows enter a table that keeps its columns."""
    ran = after(installation, feed, rows, schema=schema)
    assert (ran.accepted, ran.rows, ran.quarantined) == (True, 5, 1)
    assert [(row["id"], row["size"]) for row in installation.rows("things")] == [
        (1, 5),
        (2, 6),
        (3, 7),
        *((number, 9) for number in range(5, 9)),
    ]
    assert set(installation.rows("things")[0]) == {"id", "size"}
    assert installation.events("rows.quarantined")[-1]["reasons"] == {reason: 1}
    with installation.system() as system:
        (entry,) = system.views.quarantined("things")
        (row,) = system.results.table(entry.path).to_pylist()
    assert {name: row[name] for name in kept} == kept
    assert (row["_rules"], row["_batch"], row["_row"]) == ([reason], entry.run_id, 2)


@pytest.mark.parametrize(
    ("rows", "schema", "sizes"),
    [(NEW[:2], {"new": "discard_value"}, [5, 6, 7, 8]), (CHANGED[:2], {"changed": "discard_value"}, [5, 6, 7, None])],
    ids=["new", "changed"],
)
def test_discarded_values_leave_their_rows(
    installation: Installation, feed: Feed, rows: list[Row], schema: dict[str, str], sizes: list[int | None]
) -> None:
    """A new column is dropped; a value that does not fit is null."""
    ran = after(installation, feed, rows, schema=schema)
    assert (ran.status, ran.quarantined) == ("succeeded", 0)
    assert [row["size"] for row in installation.rows("things")] == sizes
    assert set(installation.rows("things")[-1]) == {"id", "size"}


@pytest.mark.parametrize(
    ("old", "new"),
    [([0.5], [7]), (["x7"], [7]), ([1], [2.0]), ([1], [None])],
    ids=["a whole number among fractions", "digits among texts", "a whole fraction", "no value at all"],
)
def test_what_fits_exactly_is_no_drift(installation: Installation, feed: Feed, old: list[Any], new: list[Any]) -> None:
    """A column of numbers whose rows of today are all whole has not changed."""
    installation.configure(things(write="replace"))
    feed.rows = [{"x": value} for value in old]
    installation.run_one()
    kinds = {type(row["x"]) for row in installation.rows("things")}
    feed.rows = [{"x": value} for value in new]
    assert installation.run_one(fresh=True).status == "succeeded"
    assert {type(row["x"]) for row in installation.rows("things") if row["x"] is not None} <= kinds
    assert installation.events("schema.drifted") == []


def test_a_configuration_that_was_changed_is_no_drift(installation: Installation, feed: Feed) -> None:
    """Whoever declares a column says himself what it is."""
    installation.configure(things(write="replace"))
    feed.rows = OLD
    installation.run_one()
    installation.configure(things(write="replace", columns={"weight": {"from": "size", "type": "string"}}))
    ran = installation.run_one(fresh=True)
    assert ran.status == "succeeded"
    assert installation.rows("things")[0] == {"id": 1, "weight": "5"}
    assert installation.events("schema.drifted") == []


def test_a_missing_column_cannot_be_discarded(installation: Installation) -> None:
    """That is said when the configuration is read."""
    installation.configure(things(schema={"missing": "discard_row"}))
    done = installation.cli("config", "check")
    assert done.code == 2
    assert "schema.missing" in done.out + done.err
