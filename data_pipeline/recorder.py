"""What came of each dataset goes on the record: its version first, then its events, then the cache; many at once."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import orjson

from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import StoreError
from data_pipeline.outcome import Outcome, skipped
from utils.cache.cache import Cache, Entry
from utils.database import Connection, StateError
from utils.events import EventStore
from utils.leases import this_process
from utils.turn import TURN

Progress = Callable[[DatasetRun], None]


class VersionNotWrittenError(StateError):
    """The version that an outcome speaks of did not reach the disk."""


class LeaseLostError(StateError):
    """Another process was given this dataset meanwhile; what it brings is newer than what we bring."""


class RunLostError(LeaseLostError):
    """Another process goes on with the run: it was taken for dead here."""


class ToldAlready(StateError):
    """Another try of the same dataset run was quicker. `body`: what it told."""

    def __init__(self, dataset: str, body: dict[str, Any]) -> None:
        super().__init__(f"{dataset}: what came of it was told already")
        self.body = body


def refuse_if_told(connection: Connection, run_id: str, dataset: str, fence: int) -> None:
    """Refuses, inside the transaction, what was told before under the same fencing number."""
    row = connection.execute(
        "SELECT body FROM dataset_runs WHERE run_id = ? AND dataset = ?", (run_id, dataset)
    ).fetchone()
    if row is not None and (body := orjson.loads(row[0])).get("fence") == fence:
        raise ToldAlready(dataset, body)


def refuse_if_over(connection: Connection, run_id: str, owner: str) -> None:
    """Refuses what is told for a process whose run is closed by now, or somebody else's."""
    row = connection.execute("SELECT owner, status, summary FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise StateError(
            f"run {run_id} is not in this database",
            hint="all processes must use the same database: `database.url`, or the same state directory",
        )
    # Of a run that was called off the datasets in flight still count, until its own process has closed it.
    at_work = row[1] == "running" or (row[1] == "cancelled" and row[2] is None)
    if row[0] != owner or not at_work:
        raise RunLostError(f"run {run_id} is {row[1]}: nobody waits for what comes of it any more")


def refuse_if_not_ours(connection: Connection, run_id: str, owner: str | None) -> None:
    """Refuses, inside the transaction, what is said about a run that is somebody else's by now."""
    row = connection.execute("SELECT owner, status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is not None and (row[0] != owner or row[1] not in {"running", "cancelled"}):
        raise RunLostError(f"run {run_id} is {row[1]}, and not ours any more: this process was taken for dead")


def refuse_if_lost(connection: Connection, dataset: str, fence: int) -> None:
    """Refuses, inside the transaction, what comes under an older fencing number than the dataset has seen."""
    row = connection.execute("SELECT fence FROM datasets WHERE dataset = ?", (dataset,)).fetchone()
    if row is not None and row[0] > fence:
        raise LeaseLostError(f"{dataset}: lease {fence} was taken over by {row[0]}")


class Recorder:
    """Writes outcomes as they come, many in one commit; keeps what was acknowledged.

    Workers do not wait for their commit: they go on with the next dataset, and the writer's thread reports back.

    Args:
        elsewhere: Other processes may tell of the same dataset runs; what is told first stands.
        owner: Whose run it is, for a process that works for another one; "": our own.
    """

    CACHED_AT_ONCE = 200

    def __init__(
        self,
        events: EventStore,
        cache: Cache,
        ttl: float,
        progress: Progress,
        flush: Callable[[], None],
        *,
        elsewhere: bool = False,
        owner: str = "",
    ) -> None:
        self._elsewhere = elsewhere
        self._owner = owner
        self._events = events
        self._flush_versions = flush
        self._cache = cache
        self._ttl = ttl
        self._progress = progress
        self.recorded: set[str] = set()
        self._finished = False
        self._pending: list[Future[Any]] = []
        self._last: dict[str, Future[Any]] = {}
        self._results: list[DatasetRun] = []
        self._cached: list[tuple[str, Any]] = []
        self._guard = threading.Lock()

    def record(self, outcome: Outcome) -> None:
        """Write it down."""
        if self._finished:
            return  # the run was interrupted and is closed; nobody was told that this one is done
        self.recorded.add(outcome.result.dataset)
        data = outcome.events[-1].data
        # What was delivered comes with the number of its lease; what was not, only from whom the run is.
        run_id = data["run_id"] if outcome.result.status == "skipped" else ""
        guard = self._guarding(outcome, data.get("fence", 0), run_id)
        if self._elsewhere:
            guard = self._guarding_elsewhere(outcome.result.dataset, data["run_id"], data.get("fence", 0), guard)
        future = self._events.submit(outcome.events, statements=outcome.statements, guard=guard)
        # A future wakes those who wait for it before it calls back, so they wait for what is done once it has.
        told: Future[None] = Future()
        self._pending.append(told)
        self._last[outcome.result.dataset] = told
        future.add_done_callback(lambda done: self._tell(done, outcome, data["run_id"], told))

    def told(self, result: DatasetRun) -> None:
        """Take note of what another process has recorded."""
        self.recorded.add(result.dataset)
        if not self._finished:
            self._note(result)

    def wait_for(self, dataset: str) -> None:
        """Until what was recorded of a dataset is committed, or refused."""
        while (future := self._last.get(dataset)) is not None:
            future.exception()
            if self._last.get(dataset) is future:  # else another outcome was recorded in its place
                return

    def _guarding(self, outcome: Outcome, fence: int, run_id: str) -> Callable[[Connection], None]:
        """The versions of a whole commit reach the disk before it; and the lease must still be ours."""

        def check(connection: Connection) -> None:
            if run_id and not self._owner:
                refuse_if_not_ours(connection, run_id, str(this_process()))
            if fence:
                refuse_if_lost(connection, outcome.result.dataset, fence)
            if outcome.otherwise is not None:
                try:
                    self._flush_versions()
                except (StateError, OSError) as error:
                    raise VersionNotWrittenError(str(error), hint=getattr(error, "hint", "")) from error

        return check

    def _guarding_elsewhere(
        self, dataset: str, run_id: str, fence: int, guard: Callable[[Connection], None]
    ) -> Callable[[Connection], None]:
        def check(connection: Connection) -> None:
            if self._owner:
                refuse_if_over(connection, run_id, self._owner)
            if fence:
                refuse_if_told(connection, run_id, dataset, fence)
            guard(connection)

        return check

    def finish(self) -> list[DatasetRun]:
        """Wait until all is committed; raises what kept an outcome from being written."""
        for future in self._pending:  # grows while we wait when another outcome is recorded in the place of one
            error = future.exception()
            if error is not None and not isinstance(error, LeaseLostError | VersionNotWrittenError | ToldAlready):
                raise error
        self._finished = True
        self._flush(self._cached)
        return self._results

    def _tell(self, done: "Future[Any]", outcome: Outcome, run_id: str, told: "Future[None]") -> None:
        try:
            self._acknowledged(done, outcome, run_id)
        finally:
            if (error := done.exception()) is None:
                told.set_result(None)
            else:
                told.set_exception(error)

    def _acknowledged(self, done: "Future[Any]", outcome: Outcome, run_id: str) -> None:
        error, result = done.exception(), outcome.result
        if isinstance(error, LeaseLostError):
            if not isinstance(error, RunLostError):
                self.record(skipped(result.dataset, result.provider, run_id, str(error)))
        elif isinstance(error, ToldAlready):
            self._note(DatasetRun.from_json(error.body))
        elif isinstance(error, VersionNotWrittenError) and outcome.otherwise is not None:
            self.record(outcome.otherwise(StoreError(f"{result.dataset}: {error}", hint=error.hint)))
        if error is not None:
            return  # told by finish(); what is not in the log did not happen
        self._note(outcome.result, outcome.cache)

    def _note(self, result: DatasetRun, entries: Iterable[tuple[str, Any]] = ()) -> None:
        with self._guard:
            self._results.append(result)
            self._cached += entries
            full = self._cached if len(self._cached) >= self.CACHED_AT_ONCE else None
            if full is not None:
                self._cached = []
        if full is not None:
            self._flush(full)
        self._progress(result)

    def _flush(self, entries: Iterable[tuple[str, Any]]) -> None:
        with TURN:
            self._cache.set_many([Entry(key, value, self._ttl) for key, value in entries])
