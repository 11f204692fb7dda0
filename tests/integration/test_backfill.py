"""Pieces collected by hand: each once, each by itself, whatever happens meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.backfill.commit import Done
from data_pipeline.backfill_views import Backfills
from data_pipeline.dataset import DatasetRun
from data_pipeline.run_queue.request import RunRequest
from operations.actor import Actor, UsageError
from operations.backfill import call_off, go_on, result_of, start
from operations.backfill_plan import plan
from operations.backfill_result import Result
from operations.gate import accept, reject, rollback
from operations.run import resume, run_queue
from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation
from utils.clock import Clock, ManualClock
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("test")


def sales(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:piece"}
    partition = {"by": "day", "start": "2026-03-01"}
    resilience = {"retry": {"attempts": 1}}
    return {"name": "sales", "collect": collect, "partition": partition, "resilience": resilience, **more}


def noon(number: int) -> ManualClock:
    return ManualClock(datetime(2026, 3, number, 12, tzinfo=UTC))


def day(number: int) -> str:
    return f"2026-03-{number:02d}"


def pieces(*numbers: int, amount: int = 0) -> dict[str, list[Row]]:
    return {day(number): [{"day": day(number), "amount": amount + number}] for number in numbers}


def amounts(installation: Installation) -> list[int]:
    return [row["amount"] for row in installation.rows("sales")]


def backfill(
    installation: Installation, clock: Clock, told: Callable[[Done | str], None] = lambda _: None, **asked: Any
) -> Result:
    """Plan, begin and work off, as the command does."""
    with installation.system(clock) as system:
        identity = start(system, ACTOR, plan(system, "sales", **asked))
        return go_on(system, ACTOR, identity, cancel=CancelToken(), told=told)


def states(installation: Installation) -> dict[str, str]:
    with installation.system() as system:
        return {key: piece.state for key, piece in Backfills(system.database).pieces("sales").items()}


def test_every_piece_of_a_stretch_is_collected_once(installation: Installation, feed: Feed) -> None:
    """Many in one version; each is a row of the backfill, and the table is their union."""
    installation.configure(sales())
    feed.pieces = pieces(*range(1, 10))
    done: list[Any] = []
    result = backfill(installation, noon(10), done.append, begin=day(2), end=day(9))
    assert (result.status, result.collected, result.total, result.rows) == ("succeeded", 7, 7, 7)
    assert sorted(feed.asked) == [day(number) for number in range(2, 9)]
    assert amounts(installation) == [2, 3, 4, 5, 6, 7, 8]
    assert {one.key: one.state for one in done} == dict.fromkeys(feed.asked, "collected")
    assert len(installation.events("batch.accepted")) == 1


def test_ordinary_runs_go_on_where_the_table_is_whole(installation: Installation, feed: Feed) -> None:
    """Older pieces do not move them back, newer ones do not make them leave out what lies between."""
    installation.configure(sales())
    feed.pieces = pieces(*range(1, 13))
    installation.run_one(clock=noon(4), fresh=True)
    assert feed.asked == [day(1), day(2), day(3)]
    backfill(installation, noon(9), begin=day(6), end=day(8))
    backfill(installation, noon(9), keys=[day(2)])
    feed.asked.clear()
    installation.run_one(clock=noon(9), fresh=True)
    assert feed.asked == [day(number) for number in range(4, 9)]
    assert amounts(installation) == list(range(1, 9))
    backfill(installation, noon(12), begin=day(9), end=day(11))
    feed.asked.clear()
    installation.run_one(clock=noon(12), fresh=True)
    assert feed.asked == [day(11)]


def test_a_piece_that_does_not_come_has_failed_and_the_others_are_there(installation: Installation, feed: Feed) -> None:
    """Nothing is served in its place; only the failed ones are run again when that is asked for."""
    installation.configure(sales())
    feed.pieces = pieces(1, 2, 4)
    result = backfill(installation, noon(5))
    assert (result.status, result.collected, result.failed) == ("degraded", 3, 1)
    (failed,) = result.pieces
    assert (failed["partition"], failed["state"]) == (day(3), "failed")
    assert "there is no 2026-03-03 yet" in failed["reason"]
    assert amounts(installation) == [1, 2, 4]
    assert states(installation) == {day(1): "collected", day(2): "collected", day(3): "failed", day(4): "collected"}

    feed.pieces = pieces(3)
    feed.asked.clear()
    again = backfill(installation, noon(5), only=["failed"])
    assert (again.status, feed.asked, amounts(installation)) == ("succeeded", [day(3)], [1, 2, 3, 4])
    assert states(installation) == {day(number): "collected" for number in range(1, 5)}


def test_a_rerun_replaces_its_piece_and_touches_no_other(installation: Installation, feed: Feed) -> None:
    """A piece that fails when it is run again keeps the rows that it had."""
    installation.configure(sales())
    feed.pieces = pieces(1, 2, 3, 4)
    backfill(installation, noon(5))
    feed.pieces = pieces(2, amount=100)
    result = backfill(installation, noon(5), begin=day(2), end=day(4))
    assert (result.collected, result.failed) == (1, 1)
    assert amounts(installation) == [1, 102, 3, 4]
    with installation.system() as system:
        piece = Backfills(system.database).pieces("sales")[day(3)]
        assert (piece.state, piece.stands, piece.rows) == ("failed", True, 1)


def test_only_missing_leaves_what_is_there(installation: Installation, feed: Feed) -> None:
    """Also what an ordinary run brought."""
    installation.configure(sales())
    feed.pieces = pieces(*range(1, 9))
    installation.run_one(clock=noon(3), fresh=True)
    backfill(installation, noon(9), keys=[day(5)])
    feed.asked.clear()
    backfill(installation, noon(9), only=["missing"])
    assert sorted(feed.asked) == [day(3), day(4), day(6), day(7), day(8)]
    with installation.system(noon(9)) as system:
        nothing = plan(system, "sales", only=["missing"])
        assert (nothing.pieces, nothing.requests) == ((), 0)
        with pytest.raises(UsageError, match="there is nothing to collect"):
            start(system, Actor("test"), nothing)


def test_a_held_piece_waits_alone(installation: Installation, feed: Feed) -> None:
    """The others are there; accepted later, it takes its place among them."""
    installation.configure(sales(rules=[{"range": {"column": "amount", "min": 0}, "severity": "critical"}]))
    feed.pieces = {**pieces(1, 2, 3), day(2): [{"day": day(2), "amount": -2}, {"day": day(2), "amount": 5}]}
    result = backfill(installation, noon(4))
    assert (result.status, result.collected, result.held) == ("degraded", 2, 1)
    assert amounts(installation) == [1, 3]
    (held,) = result.pieces
    with installation.system(noon(4)) as system:
        piece = Backfills(system.database).pieces("sales")[day(2)]
        assert (piece.state, piece.stands, piece.version) == ("held", False, held["version"])
        accept(system, ACTOR, "sales", held["version"])
        piece = Backfills(system.database).pieces("sales")[day(2)]
        assert (piece.state, piece.stands, piece.rows) == ("collected", True, 1)
    assert amounts(installation) == [1, 5, 3]


def test_a_rejected_piece_has_failed(installation: Installation, feed: Feed) -> None:
    """It says who turned it away, and is run again with the failed ones."""
    installation.configure(sales(rules=[{"range": {"column": "amount", "min": 0}, "severity": "critical"}]))
    feed.pieces = {day(1): [{"day": day(1), "amount": -2}]}
    backfill(installation, noon(2))
    with installation.system(noon(2)) as system:
        reject(system, ACTOR, "sales", reason="no")
        piece = Backfills(system.database).pieces("sales")[day(1)]
        assert (piece.state, piece.stands, piece.reason) == ("failed", False, "rejected by test: no")
        assert plan(system, "sales", only=["failed"]).pieces == (day(1),)


def test_what_is_taken_back_is_missing_again(installation: Installation, feed: Feed) -> None:
    """A rollback shows each piece as it was."""
    installation.configure(sales())
    feed.pieces = pieces(1, 2, 3, 4)
    backfill(installation, noon(5), end=day(3))
    backfill(installation, noon(6), begin=day(2), end=day(5))
    with installation.system(noon(7)) as system:
        first = system.views.versions("sales")[-1].version
        rollback(system, ACTOR, "sales")
        found = Backfills(system.database).pieces("sales")
        assert {key: piece.version for key, piece in found.items()} == {day(1): first, day(2): first}
    assert amounts(installation) == [1, 2]
    feed.asked.clear()
    backfill(installation, noon(8), end=day(5), only=["missing"])
    assert (sorted(feed.asked), amounts(installation)) == ([day(3), day(4)], [1, 2, 3, 4])


def test_a_backfill_says_nothing_of_how_fresh_its_dataset_is(installation: Installation, feed: Feed) -> None:
    """The run that was due failed; a thousand old days change nothing about that, nor about its history."""
    installation.configure(sales(data_time="day", columns={"day": "date", "amount": "integer"}))
    feed.pieces = pieces(*range(1, 9))
    installation.run_one(clock=noon(9), fresh=True)
    with installation.system(noon(9)) as system:
        before, points = system.views.current_of("sales"), system.history.figures()
        assert before is not None
    backfill(installation, noon(10), end=day(3))
    with installation.system(noon(10)) as system:
        after = system.views.current_of("sales")
        assert after is not None
        assert [run["run_id"] if "run_id" in run else run["version"] for run in system.views.recent("sales")] == [
            before.run_id
        ]
        assert (after.run_id, after.status, after.runs) == (before.run_id, before.status, before.runs)
        assert (after.collected_at, after.data_time) == (before.collected_at, before.data_time)
        assert after.version != before.version
        assert system.history.figures() == points


def test_a_backfill_that_was_called_off_collects_no_more(installation: Installation, feed: Feed) -> None:
    """What is stored stays."""
    installation.configure(sales())
    feed.pieces = pieces(*range(1, 9))
    with installation.system(noon(9)) as system:
        identity = start(system, ACTOR, plan(system, "sales"))
        assert result_of(system, identity).status == "interrupted"
        result = call_off(system, ACTOR, identity, reason="not now")
        assert (result.status, result.waiting, result.reason) == ("cancelled", 8, "not now")
        with pytest.raises(Exception, match="is cancelled"):
            go_on(system, ACTOR, identity, cancel=CancelToken())
    assert feed.asked == []


def test_a_piece_that_a_due_run_did_not_bring_has_failed_too(installation: Installation, feed: Feed) -> None:
    """With its reason; the next run brings it."""
    installation.configure(sales())
    feed.pieces = pieces(1, 2, 4)
    installation.run_one(clock=noon(5), fresh=True)
    assert states(installation) == {day(1): "collected", day(2): "collected", day(3): "failed"}
    feed.pieces = {}
    installation.run_one(clock=noon(5), fresh=True)
    with installation.system() as system:
        piece = Backfills(system.database).pieces("sales")[day(3)]
        assert (piece.state, piece.backfill, "there is no 2026-03-03 yet" in piece.reason) == ("failed", None, True)
    feed.pieces = pieces(3, 4)
    installation.run_one(clock=noon(5), fresh=True)
    assert states(installation) == {day(number): "collected" for number in range(1, 5)}


def test_a_run_may_be_asked_for_pieces_by_name(installation: Installation, feed: Feed) -> None:
    """Exactly these, without a copy in their place; later runs leave out nothing that lies before them."""
    installation.configure(sales())
    feed.pieces = pieces(*range(1, 9))
    installation.run_one(clock=noon(3), fresh=True)
    feed.asked.clear()

    def run_of(*keys: str) -> DatasetRun:
        request = RunRequest(("sales",), actor="test", partitions=keys, fallback=False)
        with installation.system(noon(9)) as system:
            (run_id,) = run_queue(system).put([request])
            (found,) = resume(system, ACTOR, run_id).datasets
        return found

    assert run_of(day(5), day(1)).status == "succeeded"
    assert feed.asked == [day(1), day(5)]
    assert amounts(installation) == [1, 2, 5]
    failed = run_of("2026-02-01")
    assert (failed.status, failed.origin) == ("failed", "none")
    feed.asked.clear()
    installation.run_one(clock=noon(9), fresh=True)
    assert feed.asked == [day(number) for number in range(3, 9)]
