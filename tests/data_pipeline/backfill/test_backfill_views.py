"""What the log says of pieces and backfills, on each database; and that replaying it gives the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from data_pipeline.backfill_views import Backfills, BackfillViews, Piece, refuse_if_done
from data_pipeline.store.projection import PipelineViews
from data_pipeline.store.views import Views
from operations.kept import MIGRATIONS
from tests.databases import opened_at
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import EventStore, NewEvent


class Log:
    """A log with the views, and short words for what happens in it."""

    def __init__(self, address: str) -> None:
        self.clock = ManualClock()
        self.database = opened_at(address, MIGRATIONS)
        self.store = EventStore(self.database, projections=[PipelineViews(), BackfillViews()], clock=self.clock)
        self.backfills = Backfills(self.database)

    def add(self, type: str, subject: str = "sales", **data: Any) -> None:
        self.store.append([NewEvent(type, subject, data)])
        self.clock.advance(1.0)

    def begin(self, *keys: str, backfill: str = "b1") -> None:
        self.add("backfill.started", backfill, dataset="sales", partitions=list(keys), concurrency=2, actor="me")

    def accept(self, version: str, pieces: list[str], **data: Any) -> None:
        self.add("batch.accepted", **batch(version, pieces), **data)

    def hold(self, version: str, key: str, **data: Any) -> None:
        told = {**batch(version, [key]), "reason": "doubted", "path": f"held/sales/{version}.parquet"}
        self.add("batch.held", **told, entering={"pieces": [[key, 1]]}, **data)

    def fail(self, key: str, **data: Any) -> None:
        self.add("partition.failed", partition=key, run_id="f", error={"message": "gone"}, **data)

    def piece(self, key: str) -> Piece:
        return self.backfills.pieces("sales")[key]

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        names = (*BackfillViews.tables, "datasets", "dataset_runs")
        return {name: sorted(self.database.query(f"SELECT * FROM {name}"), key=repr) for name in names}


def batch(version: str, pieces: list[str]) -> dict[str, Any]:
    path = f"tables/sales/{version}.json"
    return {"run_id": version, "version": version, "pieces": pieces, "rows": 5, "size": 1, "path": path, "reason": ""}


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    made = Log(address)
    yield made
    live = made.tables()
    made.store.rebuild()
    assert made.tables() == live, "replaying the log gives the same rows"
    made.store.close()
    made.database.close()


def test_a_backfill_counts_what_became_of_its_pieces(log: Log) -> None:
    """Rows, too; and what somebody decides later is none of its own."""
    log.begin("a", "b", "c", "d")
    log.accept("v1", ["a", "b"], piece_rows=[2, 3], backfill="b1")
    log.hold("v2", "c", backfill="b1")
    (one,) = log.backfills.all()
    assert (one.state, one.waiting, one.collected, one.held, one.failed, one.rows) == ("running", 1, 2, 1, 0, 5)
    log.fail("d", backfill="b1")
    log.add("backfill.finished", "b1", dataset="sales")
    log.accept("v2", ["c"], piece_rows=[1], backfill="b1", accepted_by="me", over="doubted")
    (one,) = log.backfills.all("sales")
    assert (one.state, one.collected, one.held, one.failed, one.total) == ("finished", 2, 1, 1, 4)
    assert log.piece("c").state == "collected"
    assert log.backfills.all("others") == log.backfills.waiting() == []


def test_events_of_earlier_releases_tell_as_much_as_they_know(log: Log) -> None:
    """They did not say how many rows each of several pieces has; batches without pieces are none of ours."""
    log.accept("v1", ["a"])
    log.accept("v2", ["b", "c"])
    log.add("batch.accepted", **{name: value for name, value in batch("v3", []).items() if name != "pieces"})
    log.add("batch.held", **{name: value for name, value in batch("v4", []).items() if name != "pieces"})
    found = log.backfills.pieces("sales")
    assert {key: (piece.state, piece.rows, piece.backfill) for key, piece in found.items()} == {
        "a": ("collected", 5, None),
        "b": ("collected", None, None),
        "c": ("collected", None, None),
    }


def test_what_readers_have_stands_beside_what_came_last(log: Log) -> None:
    """A piece that failed, or is held, when it was collected once more keeps its rows."""
    log.accept("v1", ["a", "b"], piece_rows=[2, 3])
    log.fail("a")
    log.hold("v2", "b")
    assert (log.piece("a").state, log.piece("a").stands, log.piece("a").version, log.piece("a").rows) == (
        *("failed", True, "v1"),
        2,
    )
    assert (log.piece("b").state, log.piece("b").stands, log.piece("b").version) == ("held", True, "v2")
    log.add("batch.rejected", version="v2", actor="me", reason="", last_run="v2", seen={})
    assert (log.piece("b").state, log.piece("b").reason, log.piece("b").version) == ("failed", "rejected by me", "v1")
    log.accept("v3", ["a"], piece_rows=[4])
    assert (log.piece("a").state, log.piece("a").version, log.piece("a").reason) == ("collected", "v3", "")


def test_what_is_rolled_back_shows_what_was_there_before(log: Log) -> None:
    """The version with the rows of an earlier one brings no piece anew; nor does a replay from quarantine."""
    log.accept("v1", ["a"], piece_rows=[2])
    log.accept("v2", ["a", "b"], piece_rows=[3, 4])
    back = {**batch("v3", ["a"]), "restores": "v1", "withdrawn": ["v2"], "actor": "me", "last_run": None, "fence": 1}
    log.add("version.rolled_back", **back, collected_at=None, data_time=None, seen={})
    assert {key: piece.version for key, piece in log.backfills.pieces("sales").items()} == {"a": "v1"}
    log.accept("v4", ["a"], replayed={"run_id": "v1"})
    assert log.piece("a").version == "v1"


def test_a_pause_is_over_with_the_next_piece(log: Log) -> None:
    """And how often the provider failed with a piece is kept."""
    log.begin("a", "b")
    log.add("backfill.paused", "b1", dataset="sales", until="2026-01-01T01:00:00Z", reason="circuit", tried=["a", "a"])
    assert log.backfills.waiting() == [("b1", "2026-01-01T01:00:00Z")]
    assert [(part.key, part.tries) for part in log.backfills.of("b1")] == [("a", 2), ("b", 0)]
    log.accept("v1", ["b"], backfill="b1")
    assert log.backfills.waiting() == [("b1", None)]


def test_a_piece_is_told_once_and_nothing_once_it_is_over(log: Log) -> None:
    """What two processes bring at the same moment is refused inside the transaction."""
    log.begin("a", "b")
    log.accept("v1", ["a"], backfill="b1")
    with log.database.transaction() as connection:
        refuse_if_done(connection, "b1", ["b"])
        with pytest.raises(StateError, match="another process"):
            refuse_if_done(connection, "b1", ["a", "b"])
        with pytest.raises(StateError, match="unknown"):
            refuse_if_done(connection, "b2", [])
    log.add("backfill.cancelled", "b1", dataset="sales", actor="me", reason="")
    with log.database.transaction() as connection, pytest.raises(StateError, match="is cancelled"):
        refuse_if_done(connection, "b1", ["b"])


def test_what_maintenance_removes_is_forgotten(log: Log) -> None:
    """Past versions of a piece, candidates whose file is gone, backfills past their time; never what readers have."""
    log.begin("a")
    log.accept("v1", ["a"], piece_rows=[1], backfill="b1")
    log.accept("v2", ["a"], piece_rows=[2])
    log.hold("v3", "b")
    log.add("backfill.finished", "b1", dataset="sales")
    log.begin("c", backfill="b2")
    removed = ["tables/sales/v1.json", "tables/sales/v2.json", "held/sales/v3.parquet", "datasets/other/v1.parquet"]
    log.add("maintenance.finished", "maintenance", removed=removed, runs_before="2026-02-01T00:00:00Z")
    assert {key: piece.version for key, piece in log.backfills.pieces("sales").items()} == {"a": "v2"}
    assert [one.id for one in log.backfills.all()] == ["b2"]
    assert len(log.database.query("SELECT piece FROM pieces")) == 1


def test_a_step_of_a_backfill_moves_what_readers_see_and_nothing_else(log: Log) -> None:
    """How fresh the dataset is, is told by what is due; unless nothing ever was."""
    views = Views(log.database)
    told = {"provider": "p", "status": "succeeded", "accepted": True, "fence": 3}
    times = {"collected_at": "2026-01-02", "data_time": "2026-01-01"}
    log.add("dataset.backfilled", run_id="r1", version="v1", **told, **times)
    assert (current := views.current_of("sales")) is not None
    assert (current.version, current.collected_at, current.data_time) == ("v1", "2026-01-02", "2026-01-01")
    times = {"collected_at": "2026-01-09", "data_time": "2025-01-01"}
    log.add("dataset.backfilled", run_id="r2", version="v2", **{**told, "fence": 5}, **times)
    assert (current := views.current_of("sales")) is not None
    assert (current.version, current.run_id, current.fence, current.runs) == ("v2", "r1", 5, 1)
    assert (current.collected_at, current.data_time) == ("2026-01-02", "2026-01-01")
    log.add("dataset.backfilled", run_id="r3", version="v2", **{**told, "status": "failed", "accepted": False}, **times)
    assert views.current_of("sales") == current
