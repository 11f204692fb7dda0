"""The run queue as the log has it: each run once, in the order of priority and age, called off and put back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.run_queue.queue import NothingToCancel, RunQueue
from data_pipeline.run_queue.request import Because, RunRequest
from data_pipeline.store.run_views import MOST_CRASHES
from data_pipeline.store.views import Views
from operations.kept import MIGRATIONS, projections
from tests.databases import opened_at
from utils.clock import ManualClock
from utils.database import Database
from utils.events import EventStore, NewEvent


class Queued:
    """A log with a queue in it. `also`: a second store of the same log, as another process has it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
        self.store = EventStore(database, projections=projections(), clock=self.clock)
        self.also = EventStore(database, projections=projections(), clock=self.clock)
        self.views = Views(database)
        self.queue = RunQueue(self.store, self.views, clock=self.clock)
        self.other = RunQueue(self.also, self.views, clock=self.clock)

    def add(self, kind: str, run_id: str, **data: object) -> None:
        self.store.append([NewEvent(kind, run_id, data)])

    def begin(self, run_id: str) -> None:
        self.add("run.started", run_id, actor="w", owner="dead|b|n|1|2", datasets=["fx"])

    def status(self, run_id: str) -> str:
        run = self.views.run(run_id)
        assert run is not None
        return run.status

    def types(self, run_id: str) -> list[str]:
        return [event.type for event in self.store.read(subject=run_id)]

    def close(self) -> None:
        self.store.close()
        self.also.close()
        self.database.close()


@pytest.fixture
def queued(address: str) -> Iterator[Queued]:
    made = Queued(opened_at(address, MIGRATIONS))
    yield made
    made.close()


def test_what_is_asked_for_stands_in_the_queue_whole(queued: Queued) -> None:
    """Every part of a request is read back as it was given."""
    due = datetime(2026, 5, 1, 6, 30, tzinfo=UTC)
    asked = RunRequest(
        datasets=("fx",),
        actor="scheduler",
        run_id="r1",
        priority=3,
        fresh=True,
        full=True,
        from_raw="r0",
        because=Because("schedule", "fx", due, "by the clock"),
        partitions=("2026-04-30",),
        fallback=False,
    )

    assert queued.queue.put([asked]) == ["r1"]

    (run,) = queued.views.waiting(limit=10)
    assert RunRequest.from_json(run.run_id, run.request) == asked
    assert (run.status, run.priority, run.actor) == ("queued", 3, "scheduler")


def test_a_request_of_an_earlier_release_still_means_what_it_meant(queued: Queued) -> None:
    """It knew neither priorities nor reasons."""
    queued.add("run.queued", "r1", actor="ann", fresh=True, datasets=["fx"])

    (run,) = queued.views.waiting(limit=10)
    assert RunRequest.from_json("r1", run.request) == RunRequest(("fx",), "ann", "r1", fresh=True)


def test_a_run_that_is_known_is_passed_over(queued: Queued) -> None:
    """Whatever became of it: it waits, it is at work, it is over; and also when it was never in the queue."""
    queued.queue.put([RunRequest(run_id="waits"), RunRequest(run_id="begun"), RunRequest(run_id="over")])
    for run in ("begun", "over", "by-hand"):
        queued.begin(run)
    queued.add("run.finished", "over", status="interrupted")
    before = queued.store.head()

    assert queued.other.put([RunRequest(run_id=run) for run in ("waits", "begun", "over", "by-hand")]) == []
    assert queued.store.head() == before
    assert queued.other.put([RunRequest(run_id=run) for run in ("waits", "new", "over")]) == ["new"]


def test_of_many_who_put_the_same_runs_at_once_one_does(queued: Queued) -> None:
    """Two stores, eight threads, overlapping lists: each run stands in the log once, new to one caller."""
    lists = [[RunRequest(run_id=f"r{(start + step) % 40}") for step in range(25)] for start in range(0, 40, 5)]

    with ThreadPoolExecutor(8) as pool:
        turns = [queued.queue, queued.other] * 4
        told = [new for answer in pool.map(lambda queue, one: queue.put(one), turns, lists) for new in answer]

    assert sorted(told) == sorted(f"r{number}" for number in range(40))
    assert len(queued.store.read(type="run.queued")) == 40


def test_ids_are_made_for_requests_without_one(queued: Queued) -> None:
    """In the order in which they were asked for."""
    made = queued.queue.put([RunRequest(datasets=(name,)) for name in ("a", "b", "c")])

    assert made == sorted(made)
    assert [queued.views.run(run_id).request["datasets"] for run_id in made] == [["a"], ["b"], ["c"]]  # type: ignore[union-attr]


def test_the_highest_priority_is_first_and_among_equals_the_oldest(queued: Queued) -> None:
    """By age alone it is the oldest, whatever its priority."""
    for run_id, priority in (("low", -1), ("first", 0), ("second", 0), ("high", 5)):
        queued.queue.put([RunRequest(run_id=run_id, priority=priority)])
        queued.clock.advance(1.0)

    assert [run.run_id for run in queued.views.waiting(limit=9)] == ["high", "first", "second", "low"]
    assert [run.run_id for run in queued.views.waiting(limit=2, passed=1)] == ["first", "second"]
    assert [run.run_id for run in queued.views.waiting(limit=9, oldest=True)] == ["low", "first", "second", "high"]


def test_runs_of_one_dataset_can_be_left_out(queued: Queued) -> None:
    """That of no other dataset, whatever its name is like, and none of several datasets."""
    for run_id, names in (("1", ["a_b"]), ("2", ["axb"]), ("3", ["a_b", "c"]), ("4", ["c"]), ("5", ["a_b"])):
        queued.queue.put([RunRequest(tuple(names), run_id=run_id)])
        queued.clock.advance(1.0)

    assert [run.run_id for run in queued.views.waiting(limit=9, without=["a_b"])] == ["2", "3", "4"]
    assert [run.run_id for run in queued.views.waiting(limit=1, passed=1, without=["a_b", "c"])] == ["3"]


@pytest.mark.parametrize("was", ["queued", "running", "crashed", "interrupted"])
def test_what_is_not_over_can_be_called_off(queued: Queued, was: str) -> None:
    """Who did it stands in the log, and it does not go on."""
    queued.queue.put([RunRequest(run_id="r1")])
    if was != "queued":
        queued.begin("r1")
    if was == "crashed":
        queued.add("run.crashed", "r1", owner="x")
    if was == "interrupted":
        queued.add("run.finished", "r1", status="interrupted")

    assert queued.queue.cancel("r1", "ann", reason="wrong day") == was

    (event,) = queued.store.read(type="run.cancelled")
    assert event.data == {"actor": "ann", "was": was, "reason": "wrong day"}
    assert queued.status("r1") == "cancelled"
    assert queued.queue.revive() == []


def test_a_run_that_was_called_off_is_not_put_back_by_a_process_that_stops(queued: Queued) -> None:
    """It had not noticed yet; what its datasets came to is kept all the same."""
    queued.queue.put([RunRequest(run_id="r1")])
    queued.begin("r1")
    queued.queue.cancel("r1", "ann")

    again = RunRequest().to_json()
    end = {"status": "interrupted", "counts": {"skipped": 1}}
    queued.store.append([NewEvent("run.finished", "r1", end), NewEvent("run.queued", "r1", again)])

    run = queued.views.run("r1")
    assert run is not None
    assert (run.status, run.summary) == ("cancelled", end)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_what_is_over_or_unknown_cannot_be_called_off(queued: Queued, end: str) -> None:
    """It is told what the run is; the log says nothing new."""
    queued.begin("r1")
    queued.add("run.finished", "r1", status=end)

    with pytest.raises(NothingToCancel, match=f"run r1 is {end}"):
        queued.queue.cancel("r1", "ann")
    with pytest.raises(NothingToCancel, match="there is no run r2"):
        queued.queue.cancel("r2", "ann")
    assert queued.store.read(type="run.cancelled") == []


def test_a_run_whose_process_died_waits_again_as_often_as_it_may(queued: Queued) -> None:
    """It keeps its place by age; after the last time it stays crashed. One that nobody queued is not touched."""
    queued.queue.put([RunRequest(run_id="r1")])
    queued.clock.advance(60.0)
    queued.queue.put([RunRequest(run_id="r2")])
    queued.begin("by-hand")
    queued.add("run.crashed", "by-hand", owner="x")

    for died in range(1, MOST_CRASHES + 1):
        queued.begin("r1")
        queued.add("run.crashed", "r1", owner="x")
        again = died < MOST_CRASHES
        assert queued.queue.revive() == (["r1"] if again else [])
        assert queued.other.revive() == []
        assert [run.run_id for run in queued.views.waiting(limit=9)] == (["r1", "r2"] if again else ["r2"])

    assert queued.status("r1") == "crashed"
    assert queued.status("by-hand") == "crashed"


def test_the_order_is_read_from_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand that wait are not sorted for the one that is next (SQLite's plan)."""
    queued = Queued(opened_at(str(tmp_path / "log.db"), MIGRATIONS))
    plans: list[str] = []
    query = queued.database.query

    def planned(sql: str, values: Any = ()) -> Any:
        plans.extend(row[3] for row in query(f"EXPLAIN QUERY PLAN {sql}", values))
        return query(sql, values)

    monkeypatch.setattr(queued.database, "query", planned)
    for oldest in (False, True):
        queued.views.waiting(limit=5, oldest=oldest)

    assert plans == ["SCAN runs USING INDEX runs_waiting", "SCAN runs USING INDEX runs_waiting_longest"]
    queued.close()
