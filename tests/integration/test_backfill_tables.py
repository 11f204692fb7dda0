"""What a backfill does to the table and around it: reports, quarantine, rules on the whole table, sinks, other runs."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.backfill.commit import Done
from data_pipeline.backfill.work import Limits
from data_pipeline.errors import DatasetBusy, StoreError
from operations.actor import Actor
from operations.backfill import call_off, go_on, result_of, start
from operations.backfill_plan import plan
from operations.backfill_result import Result
from operations.partitions import partitions
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from utils.clock import Clock, ManualClock
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("test")
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def sales(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:piece"}
    return {"name": "sales", "collect": collect, "partition": {"by": ["a", "b", "c", "d"]}, **more}


def backfill(installation: Installation, clock: Clock | None = None, **asked: Any) -> Result:
    with installation.system(clock or ManualClock(NOW)) as system:
        identity = start(system, ACTOR, plan(system, "sales", **asked))
        return go_on(system, ACTOR, identity, cancel=CancelToken())


def numbers(installation: Installation) -> list[int]:
    return [row["n"] for row in installation.rows("sales")]


def test_a_version_of_many_pieces_reports_what_each_had(installation: Installation, feed: Feed) -> None:
    """Counts add up; a rule on a batch was judged of each piece; quarantined rows name theirs."""
    rules = [{"range": {"column": "n", "min": 0}}, {"row_count": {"min": 2}, "severity": "warning"}]
    installation.configure(sales(rules=rules))
    feed.pieces = {
        "a": [{"n": number} for number in (1, 2, 3, 4, 5, -1)],
        "b": [{"n": 6}],
        "c": [{"n": number} for number in (7, 8, 9, 10, 11, 12, -2)],
        "d": [{"n": 13}, {"n": 14}],
    }
    result = backfill(installation)
    assert (result.status, result.rows) == ("succeeded", 14)
    (version,) = installation.events("batch.accepted")
    assert (version["pieces"], version["piece_rows"]) == (["a", "b", "c", "d"], [5, 1, 6, 2])
    report = version["report"]
    assert (report["rows"], report["quarantined"]) == (16, 2)
    assert {one["rule"]: (one["failed"], one["of"]) for one in report["outcomes"]} == {
        "range(n)": (2, 16),
        "row_count": (1, 4),
    }
    assert report["samples"] == {"range(n)": [6, 14]}
    with installation.system() as system:
        (entry,) = system.views.quarantined("sales")
        bad = system.results.table(entry.path).select(["n", "_partition", "_row"]).to_pylist()
    assert bad == [{"n": -1, "_partition": "a", "_row": 6}, {"n": -2, "_partition": "c", "_row": 14}]
    assert numbers(installation) == list(range(1, 15))


def test_pieces_of_other_columns_and_types_become_one_table(installation: Installation, feed: Feed) -> None:
    """Each was judged by the columns of the table as it was; together they have those of all."""
    installation.configure(sales())
    feed.pieces = {"a": [{"n": 1}], "b": [{"n": 0.5}], "c": [{"n": 2, "more": "x"}], "d": []}
    result = backfill(installation)
    assert [(piece["partition"], piece["state"]) for piece in result.pieces] == [("d", "held")]
    rows = installation.rows("sales")
    assert rows == [{"n": 1.0, "more": None}, {"n": 0.5, "more": None}, {"n": 2.0, "more": "x"}]


def test_an_empty_piece_may_be_normal(installation: Installation, feed: Feed) -> None:
    """It is there, with no row."""
    installation.configure(sales(allow_empty=True))
    feed.pieces = {"a": [{"n": 1}], "b": [], "c": [], "d": [{"n": 2}]}
    assert backfill(installation).status == "succeeded"
    assert numbers(installation) == [1, 2]
    with installation.system(ManualClock(NOW)) as system:
        found = partitions(system, "sales")
    assert [(piece.key, piece.state, piece.rows) for piece in found.pieces] == [
        *(("a", "collected", 1), ("b", "collected", 0)),
        *(("c", "collected", 0), ("d", "collected", 1)),
    ]


def test_a_rule_on_the_whole_table_holds_the_piece_that_breaks_it(installation: Installation, feed: Feed) -> None:
    """Each piece is a version then, so that the others are there."""
    rules = [{"unique": "n", "scope": "dataset", "severity": "critical"}]
    installation.configure(sales(rules=rules))
    feed.pieces = {"a": [{"n": 1}], "b": [{"n": 2}], "c": [{"n": 1}], "d": [{"n": 4}]}
    result = backfill(installation)
    assert [(piece["partition"], piece["state"]) for piece in result.pieces] == [("c", "held")]
    assert numbers(installation) == [1, 2, 4]
    assert len(installation.events("batch.accepted")) == 3


def test_only_a_part_of_a_piece_is_held(installation: Installation, feed: Feed) -> None:
    """Also where the table has nothing of it: a backfill brings a piece or it does not."""
    installation.configure(sales())
    feed.pieces, feed.breaks_after = {key: [{"n": 1}, {"n": 2}] for key in "abcd"}, 1
    result = backfill(installation)
    assert (result.held, result.collected) == (4, 0)
    assert "only a part arrived" in result.pieces[0]["reason"]


def test_raw_answers_are_kept_piece_by_piece(installation: Installation, feed: Feed) -> None:
    """Under the id of the piece's own version, from which it can be replayed."""
    folder = installation.folder
    for key in "abcd":
        (folder / f"sales_{key}.csv").write_text(f"n\n{ord(key)}\n")
    installation.configure(sales(collect={"kind": "file", "path": "sales_{partition.key}.csv"}, keep_raw="7d"))
    assert backfill(installation).status == "succeeded"
    with installation.system(ManualClock(NOW)) as system:
        assert {capture.run_id for capture in system.raw.captures()} == {
            version.version for version in system.views.versions("sales")
        }
    assert numbers(installation) == [ord(key) for key in "abcd"]
    assert feed.asked == []


def test_sinks_get_the_table_once_it_is_over(installation: Installation, feed: Feed) -> None:
    """One that takes whole tables gets the last of many versions."""
    installation.configure(sales(publish=[{"kind": "file", "path": "out.csv"}]))
    feed.pieces = {key: [{"n": number}] for number, key in enumerate("abcd")}
    with installation.system() as system:  # on its clock each version has a moment of its own
        identity = start(system, ACTOR, plan(system, "sales"))
        result = go_on(system, ACTOR, identity, cancel=CancelToken(), limits=Limits(pieces=1))
    assert [attempt.error for attempt in result.publications] == [None]
    assert (installation.folder / "out.csv").read_text().split() == ["n", "0", "1", "2", "3"]


def test_it_waits_for_another_run_of_the_dataset_and_for_no_longer(installation: Installation, feed: Feed) -> None:
    """The dataset is taken for the moment of a commit only."""
    installation.configure(sales())
    feed.pieces = {key: [{"n": 1}] for key in "abcd"}
    clock = ManualClock(NOW)
    waiting = threading.Event()

    class Busy(ManualClock):
        def sleep(self, seconds: float) -> None:
            waiting.set()
            super().sleep(seconds)

    with installation.system(clock) as other, installation.system(Busy(NOW)) as system:
        held = other.leases.acquire(["dataset:sales"])
        identity = start(system, ACTOR, plan(system, "sales"))
        done: list[Result] = []
        working = threading.Thread(
            target=lambda: done.append(go_on(system, ACTOR, identity, cancel=CancelToken(), limits=Limits(pieces=4)))
        )
        working.start()
        assert waiting.wait(120)
        assert result_of(other, identity).waiting == 4
        other.leases.release(held)
        working.join(120)
    assert [result.status for result in done] == ["succeeded"]


def test_only_one_process_works_on_it(installation: Installation, feed: Feed) -> None:
    installation.configure(sales())
    feed.pieces = {key: [{"n": 1}] for key in "abcd"}
    with installation.system() as system:
        identity = start(system, ACTOR, plan(system, "sales"))
        assert result_of(system, identity).status == "interrupted"

        def told(_: Done | str) -> None:
            assert result_of(system, identity).status in {"running", "succeeded"}
            with pytest.raises(DatasetBusy):
                go_on(system, ACTOR, identity, cancel=CancelToken())

        go_on(system, ACTOR, identity, cancel=CancelToken(), told=told)


def test_called_off_by_somebody_else_it_stores_nothing_more(installation: Installation, feed: Feed) -> None:
    """What is in hand is dropped, what is stored stays."""
    installation.configure(sales())
    feed.pieces = {key: [{"n": 1}] for key in "abcd"}
    with installation.system() as system:
        identity = start(system, ACTOR, plan(system, "sales", concurrency=1))

        def told(_: Done | str) -> None:
            if result_of(system, identity).finished_at is None:
                call_off(system, ACTOR, identity)

        result = go_on(system, ACTOR, identity, cancel=CancelToken(), told=told, limits=Limits(pieces=1))
    assert (result.status, result.collected, result.waiting) == ("cancelled", 1, 3)
    assert numbers(installation) == [1]


def test_a_damaged_table_takes_no_pieces(installation: Installation, feed: Feed) -> None:
    """They would be added to an older one, without the rows since; nothing is told of them, so they come again."""
    installation.configure(sales())
    feed.pieces = {key: [{"n": number}] for number, key in enumerate("abcd")}
    backfill(installation)
    with installation.system(ManualClock(NOW)) as system:
        version = system.views.versions("sales")[0]
        system.storage.delete(system.results.manifest(version).parts[0].path)
        identity = start(system, ACTOR, plan(system, "sales", keys=["b"]))
        with pytest.raises(StoreError, match="damaged"):
            go_on(system, ACTOR, identity, cancel=CancelToken())
        assert result_of(system, identity).waiting == 1


def test_pieces_that_the_configuration_has_no_more_have_failed(installation: Installation, feed: Feed) -> None:
    """The others are collected."""
    installation.configure(sales())
    feed.pieces = {key: [{"n": 1}] for key in "abcd"}
    with installation.system() as system:
        identity = start(system, ACTOR, plan(system, "sales"))
    installation.configure(sales(partition={"by": ["a", "b", "d"]}))
    with installation.system() as system:
        result = go_on(system, ACTOR, identity, cancel=CancelToken())
    assert (result.collected, [piece["partition"] for piece in result.pieces]) == (3, ["c"])
    assert "is no piece of the table any more" in result.pieces[0]["reason"]


def test_it_is_the_same_on_postgresql(installation: Installation, feed: Feed, postgres: str) -> None:
    """Collected, failed, held; gone on with and looked at; and rebuilt views are the live ones."""
    rules = [{"range": {"column": "n", "min": 0}, "severity": "critical"}]
    installation.configure(sales(rules=rules), database={"url": postgres})
    feed.pieces = {"a": [{"n": 1}], "b": [{"n": -1}, {"n": 5}], "d": [{"n": 4}]}
    with installation.system(ManualClock(NOW)) as system:
        identity = start(system, ACTOR, plan(system, "sales"))
        result = go_on(system, ACTOR, identity, cancel=CancelToken(), limits=Limits(pieces=1))
        assert (result.status, result.collected, result.held, result.failed) == ("degraded", 2, 1, 1)
        before = partitions(system, "sales")
        assert before.counts == {"collected": 2, "held": 1, "failed": 1, "missing": 0}
        system.events.rebuild()
        assert partitions(system, "sales") == before
        assert result_of(system, identity).pieces == result.pieces
    assert numbers(installation) == [1, 4]
