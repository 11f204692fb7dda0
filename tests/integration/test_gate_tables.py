"""Decisions about datasets that keep a table: rows enter as in their own run, cursors and ledgers follow."""

import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.errors import BatchNotDelivered, PipelineError
from operations.actor import Actor
from operations.gate import Decided, accept, reject, rollback
from operations.run import run
from operations.show import delivered
from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import NewEvent

ANN = Actor("ann")
NO_99: dict[str, Any] = {"rules": [{"range": {"column": "id", "max": 98, "severity": "critical"}}]}
"""A row with the id 99 holds its batch; with five rows it alone is quarantined."""


def rows_table(function: str = "since", **more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": f"tests.integration.feed:{function}"}
    return {"name": "rows", "collect": collect, **NO_99, **more}


def merged(**more: Any) -> dict[str, Any]:
    return rows_table(**{"key": ["id"], "incremental": {"cursor": "at"}, **more})


def some(*numbers: int, at: int = 0, name: str = "x") -> list[Row]:
    return [{"id": number, "at": at + number, "name": name} for number in numbers]


BAD: Row = {"id": 99, "at": 50, "name": "bad"}


def do(installation: Installation, what: Any, *arguments: Any, **options: Any) -> Decided:
    with installation.system() as system:
        done: Decided = what(system, ANN, "rows", *arguments, **options)
        return done


def table(installation: Installation) -> list[tuple[int, str]]:
    return sorted((row["id"], row["name"]) for row in installation.rows("rows"))


def hold(installation: Installation, feed: Feed, rows: list[Row], **how: Any) -> str:
    feed.rows = rows
    assert not installation.run_one(fresh=True, **how).accepted
    with installation.system() as system:
        return next(one.version for one in system.views.versions("rows") if one.state == "held")


# As in its own run

WAYS: dict[str, dict[str, Any]] = {
    "appended": {"function": "everything", "write": "append"},
    "appended by a cursor": {"write": "append", "incremental": {"cursor": "at"}},
    "appended by key and cursor": {"write": "append", "key": ["id"], "incremental": {"cursor": "at"}},
    "merged": {"function": "everything", "write": "merge", "key": ["id"]},
    "merged by a cursor": {"key": ["id"], "incremental": {"cursor": "at"}},
    "deletions flagged": {"function": "everything", "write": "merge", "key": ["id"], "deletes": "flag"},
    "deletions removed": {"function": "everything", "write": "merge", "key": ["id"], "deletes": "remove"},
    "replaced": {"function": "everything"},
    "replaced by pieces": {"function": "piece", "partition": {"by": "day"}},
}
LATEST_OF = ("cursor", "reach", "partition", "columns", "layout", "table_rows")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_batch_enters_the_table_as_it_would_have_in_its_run(
    installation: Installation, feed: Feed, way: dict[str, Any]
) -> None:
    """Twins collect the same: one accepts by itself, of the other each doubted batch is accepted by hand."""
    dice, clock = random.Random(6), ManualClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
    held_by = {"range": {"column": "id", "max": 98, "severity": "critical"}}
    kept_by = {"range": {"column": "id", "max": 98}}
    twins = [{**rows_table(**way), "name": name, "rules": [rule]} for name, rule in (("a", kept_by), ("b", held_by))]
    installation.configure(*twins)
    step = by_hand = 0
    with installation.system(clock) as system:
        for number in range(6):
            drawn = sorted({dice.randrange(30) for _ in range(dice.randint(5, 9))})
            good = [{"id": one, "at": step + place, "name": f"{number}"} for place, one in enumerate(drawn)]
            bad = [{"id": 99, "at": step, "name": "bad"}] if dice.random() < 0.7 and len(good) > 4 else []
            feed.rows = [*good, *bad]
            feed.pieces = {clock.now().date().replace(day=clock.now().day - 1).isoformat(): feed.rows}
            step += dice.choice([0, 7])
            for found in run(system, ANN, fresh=True).datasets:
                if not found.accepted:
                    accept(system, ANN, found.dataset)
                    by_hand += 1
            clock.advance(86_400.0 * dice.choice([0, 1]))
            tables = [sorted(map(repr, delivered(system, name).table.to_pylist())) for name in ("a", "b")]
            newest = [system.results.newest(system.views.current_of(name)) for name in ("a", "b")]

            assert tables[0] == tables[1]
            stand = [{key: one.body.get(key) for key in LATEST_OF} for one in newest if one is not None]
            assert {**stand[0], "layout": ""} == {**stand[1], "layout": ""}
    assert by_hand > 1


def test_the_cursor_waits_for_the_decision_and_moves_with_it(installation: Installation, feed: Feed) -> None:
    """While a batch is held its rows are asked for again; once accepted, the next run begins behind them."""
    installation.configure(merged())
    feed.rows = some(1, 2)
    installation.run_one()
    hold(installation, feed, [*some(3, 4, 5, 6, 7), BAD])
    hold(installation, feed, [*some(3, 4, 5, 6, 8), BAD])
    done = do(installation, accept)
    feed.rows = some(9)
    installation.run_one(fresh=True)

    assert feed.asked == [None, 2, 2, 8]
    assert (done.rows, [number for number, _ in table(installation)]) == (7, [1, 2, 3, 4, 5, 6, 8, 9])


def test_what_held_the_columns_did_not_move_the_cursor_but_who_accepts_does(
    installation: Installation, feed: Feed
) -> None:
    """A batch without a column is held before its cursor is looked at."""
    installation.configure(merged(rules=[]))
    feed.rows = some(1, 2)
    installation.run_one()
    hold(installation, feed, [{"id": 5, "at": 5}])
    do(installation, accept)
    feed.rows = [{"id": 6, "at": 6}]

    assert installation.run_one(fresh=True).status == "succeeded"
    assert feed.asked == [None, 2, 5]


def test_rows_without_a_cursor_were_looked_at(installation: Installation, feed: Feed) -> None:
    """`nulls: hold` holds them; who accepts takes them in."""
    installation.configure(merged(incremental={"cursor": "at", "nulls": "hold"}))
    feed.rows = some(1)
    installation.run_one()
    hold(installation, feed, [*some(2), {"id": 3, "at": None, "name": "x"}])
    do(installation, accept)
    feed.rows = []
    installation.run_one(fresh=True)

    assert feed.asked == [None, 1, 2]
    assert [number for number, _ in table(installation)] == [1, 2, 3]


def test_a_batch_without_its_cursor_cannot_enter(installation: Installation, feed: Feed) -> None:
    """Nobody could tell where the next collection begins; nothing is changed."""
    installation.configure(merged(function="whatever", rules=[]))
    feed.rows = some(1)
    installation.run_one()
    hold(installation, feed, [{"id": 2, "name": "y"}])

    with pytest.raises(BatchNotDelivered, match="no column `at`"):
        do(installation, accept)

    assert table(installation) == [(1, "x")]


def test_a_quarantined_row_was_there_and_is_not_deleted(installation: Installation, feed: Feed) -> None:
    """What a complete batch does not hold was deleted; its quarantined rows it does hold."""
    rules = [{"not_null": {"columns": ["name"], "severity": "critical"}}]
    way = {"function": "everything", "write": "merge", "key": ["id"], "deletes": "remove", "rules": rules}
    installation.configure(rows_table(**way))
    feed.rows = some(1, 2, 3, 4, 5, 6, 7)
    installation.run_one()
    hold(installation, feed, [*some(1, 2, 3, 4, 5, name="y"), {"id": 6, "at": 6, "name": None}])
    do(installation, accept)

    assert table(installation) == [(1, "y"), (2, "y"), (3, "y"), (4, "y"), (5, "y"), (6, "x")]


def test_everything_anew_begins_the_table_anew(installation: Installation, feed: Feed) -> None:
    """`run --full` of a table that is appended to was held: accepted, it is the table."""
    installation.configure(rows_table(write="append", incremental={"cursor": "at"}))
    feed.rows = some(1, 2, 3)
    installation.run_one()
    hold(installation, feed, [*some(2, 3, 4, 5, 6), BAD], full=True)
    do(installation, accept)

    assert [number for number, _ in table(installation)] == [2, 3, 4, 5, 6]


def test_a_sink_that_is_appended_to_gets_the_rows_that_the_batch_added(installation: Installation, feed: Feed) -> None:
    """Not those that the table had already, and each of them once."""
    sink = {"kind": "sql", "url": "sqlite:///sink.db", "table": "t", "mode": "append"}
    installation.configure(rows_table(write="append", key=["id"], incremental={"cursor": "at"}, publish=[sink]))
    feed.rows = some(1, 2)
    installation.run_one()
    hold(installation, feed, [*some(2, 3, 4, 5, 6), BAD])
    do(installation, accept)

    with closing(sqlite3.connect(installation.folder / "sink.db")) as database:
        assert [number for (number,) in database.execute("SELECT id FROM t")] == [1, 2, 3, 4, 5, 6]


# Late: newer rows were accepted since


def test_late_rows_join_what_is_newer_stays(installation: Installation, feed: Feed) -> None:
    """By the cursor: of a key that both have the newer row stays; the cursor does not go back."""
    installation.configure(merged())
    feed.rows = some(1)
    installation.run_one()
    hold(installation, feed, [*some(2, 3, 4, 5, 6, name="old"), BAD])
    feed.rows = some(2, 3, at=60, name="new")
    installation.run_one(fresh=True)
    do(installation, accept)
    feed.rows = []
    installation.run_one(fresh=True)

    assert table(installation) == [(1, "x"), (2, "new"), (3, "new"), (4, "old"), (5, "old"), (6, "old")]
    assert feed.asked[-1] == 63


@pytest.mark.parametrize("way", ["appended by a cursor", "appended by key and cursor", "merged by a cursor"])
def test_late_rows_that_came_again_meanwhile_stand_there_once(installation: Installation, feed: Feed, way: str) -> None:
    """The cursor waited, so the next collection brought them too: accepting the candidate then adds nothing."""
    installation.configure(rows_table(**WAYS[way]))
    feed.rows = some(1)
    installation.run_one()
    hold(installation, feed, [*some(2, 3, 4, 5, 6), BAD])
    feed.rows = some(2, 3, 4, 5, 6, 7)
    installation.run_one(fresh=True)
    before = table(installation)
    do(installation, accept)

    assert table(installation) == before == [(number, "x") for number in range(1, 8)]


def test_late_rows_that_would_take_the_place_of_newer_ones_are_refused(installation: Installation, feed: Feed) -> None:
    """Where no cursor says which row is newer; `--force` means it, and even then nothing newer is deleted by name."""
    installation.configure(rows_table(function="everything", write="merge", key=["id"]))
    feed.rows = some(1)
    installation.run_one()
    hold(installation, feed, [*some(1, 2, 3, 4, 5, name="old"), BAD])
    feed.rows = some(1, 7, name="new")
    installation.run_one(fresh=True)

    with pytest.raises(PipelineError, match="nothing says which rows of a key are newer"):
        do(installation, accept)
    do(installation, accept, force=True)

    assert table(installation) == [*((n, "old") for n in range(1, 6)), (7, "new")]


def test_a_late_piece_enters_unless_it_came_again(installation: Installation, feed: Feed) -> None:
    """Pieces are apart from each other."""
    clock = ManualClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
    installation.configure(rows_table(function="piece", partition={"by": "day"}))
    bad_day = [*some(1, 2, 3, 4, 5), BAD]
    feed.pieces = {"2026-03-01": bad_day, "2026-03-02": some(7)}
    assert not installation.run_one(clock=clock).accepted
    first = next(iter(installation.events("batch.held")))["version"]
    feed.pieces = {"2026-03-02": some(7), "2026-03-01": some(1)}
    installation.configure(rows_table(function="piece", partition={"by": "day", "start": "2026-03-02"}))
    clock.advance(86_400.0)
    assert installation.run_one(clock=clock).accepted
    do(installation, accept, first)
    entered = [number for number, _ in table(installation)]
    feed.pieces = {"2026-03-02": bad_day}
    assert not installation.run_one(clock=clock, fresh=True).accepted
    feed.pieces = {"2026-03-02": some(8)}
    assert installation.run_one(clock=clock, fresh=True).accepted

    with pytest.raises(PipelineError, match="2026-03-02 came again"):
        do(installation, accept)

    assert entered == [1, 2, 3, 4, 5, 7]


def test_a_batch_that_an_earlier_release_held_deletes_nothing(installation: Installation, feed: Feed) -> None:
    """Its event does not say whether it was all there is."""
    way = {"function": "everything", "write": "merge", "key": ["id"], "deletes": "remove"}
    installation.configure(rows_table(**way))
    feed.rows = some(1, 2, 3)
    installation.run_one()
    hold(installation, feed, [*some(2, 4, 5, 6, 7), BAD])
    with installation.system() as system:
        (event,) = system.events.read(type="batch.held")
        old = {key: value for key, value in event.data.items() if key != "entering"}
        system.events.append([NewEvent("batch.held", "rows", old, source="pipeline")])
    do(installation, accept)

    assert [number for number, _ in table(installation)] == [1, 2, 3, 4, 5, 6, 7]


# Roll back


def test_the_cursor_goes_back_with_the_rows(installation: Installation, feed: Feed) -> None:
    """What was taken back is asked for again: mended, it comes in."""
    installation.configure(merged())
    feed.rows = some(1, 2)
    installation.run_one()
    feed.rows = some(3, 4, name="wrong")
    installation.run_one(fresh=True)
    done = do(installation, rollback)
    back = table(installation)
    feed.rows = some(3, 4, name="right")
    installation.run_one(fresh=True)

    assert (done.rows, back) == (2, [(1, "x"), (2, "x")])
    assert feed.asked == [None, 2, 2]
    assert table(installation) == [(1, "x"), (2, "x"), (3, "right"), (4, "right")]


def test_a_table_does_not_come_back_by_accepting_it_again(installation: Installation, feed: Feed) -> None:
    """Its rows are collected again, as the cursor went back."""
    installation.configure(merged())
    for number in (1, 2):
        feed.rows = some(number)
        installation.run_one(fresh=True)
    taken = do(installation, rollback).before

    with pytest.raises(PipelineError, match="was rolled back") as refused:
        do(installation, accept, taken)

    assert "`run rows`" in refused.value.hint


def test_pieces_go_back_too(installation: Installation, feed: Feed) -> None:
    """The piece that was taken back is due again."""
    clock = ManualClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
    installation.configure(rows_table(function="piece", partition={"by": "day"}))
    feed.pieces = {"2026-03-01": some(1), "2026-03-02": some(2, name="wrong")}
    installation.run_one(clock=clock)
    clock.advance(86_400.0)
    installation.run_one(clock=clock)
    do(installation, rollback)
    feed.pieces = {"2026-03-02": some(2, name="right")}
    installation.run_one(clock=clock, fresh=True)

    assert feed.asked == ["2026-03-01", "2026-03-02", "2026-03-02"]
    assert table(installation) == [(1, "x"), (2, "right")]


def test_files_that_were_read_for_what_was_taken_back_are_read_again(installation: Installation) -> None:
    """The ledger goes back with the rows; files of earlier versions stay read."""
    folder = installation.folder
    (folder / "a.csv").write_text("id,name\n1,x\n")
    way: dict[str, Any] = {"write": "append", "collect": {"kind": "file", "path": "*.csv"}}
    installation.configure({**rows_table(), **way})
    installation.run_one()
    (folder / "b.csv").write_text("id,name\n2,wrong\n")
    installation.run_one(fresh=True)
    do(installation, rollback)
    (folder / "b.csv").write_text("id,name\n2,right\n")
    installation.run_one(fresh=True)

    assert table(installation) == [(1, "x"), (2, "right")]


def test_a_file_that_was_held_and_read_again_is_not_added_twice(installation: Installation) -> None:
    """The mended file was accepted since: the older rows of it are refused."""
    folder = installation.folder
    (folder / "a.csv").write_text("id,name\n" + "".join(f"{n},x\n" for n in (1, 2, 3, 4, 5, 99)))
    installation.configure({**rows_table(), "write": "append", "collect": {"kind": "file", "path": "*.csv"}})
    assert not installation.run_one().accepted
    (folder / "a.csv").write_text("id,name\n1,x\n2,x\n")
    assert installation.run_one(fresh=True).accepted

    with pytest.raises(PipelineError, match="was read again: its rows would stand there twice"):
        do(installation, accept)
    do(installation, reject)

    assert table(installation) == [(1, "x"), (2, "x")]
