"""Datasets whose line another process goes: what it is told, what it tells, and how it is waited for.

A task carries names and settings, never rows: the other process has the same configuration and the same state, records
what came of the dataset itself (`on_behalf.py`), and tells it. A task may be run twice, when the process was lost that
ran it: what is recorded first under the fencing number of the dataset's lease stands.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import ExecutorAway
from data_pipeline.pipeline import RunContext
from data_pipeline.recorder import RunLostError
from utils.clock import SYSTEM_CLOCK
from utils.database import StateError
from utils.leases import this_process
from utils.resilience.cancellation import Cancelled, CancelToken, Wakeup

__all__ = ["Cluster", "Counted", "Elsewhere", "Task", "Told", "Trouble"]

LOOK_S = 0.5
"""Until it is looked whether those are still there that are waited for."""

STOP_S = 0.8
"""How long a dataset in flight may go on once its run is to stop. Less than the runner waits for it."""

MOST_TRIES = 5
"""How often a task is given away anew because the connection was lost."""

Counted = Mapping[str, Mapping[str, float]]
"""What the protection of providers counted: by provider and counter."""


@dataclass(frozen=True, slots=True)
class Task:
    """One dataset of a run, for another process. The words are those of `RunContext`.

    Attributes:
        owner: The process whose run it is.
        fence: Of the dataset's lease, which that process holds.
    """

    dataset: str
    run_id: str
    owner: str
    fence: int
    now: datetime
    due: bool = False
    fresh: bool = False
    full: bool = False
    from_raw: str = ""
    partitions: tuple[str, ...] = ()
    fallback: bool = True

    @classmethod
    def of(cls, dataset: str, run: RunContext) -> "Task":
        """The part of a run of this process that is one dataset."""
        return cls(
            dataset,
            run.run_id,
            str(this_process()),
            run.fences[dataset],
            run.now,
            due=run.due,
            fresh=run.fresh,
            full=run.full,
            from_raw=run.from_raw,
            partitions=run.partitions,
            fallback=run.fallback,
        )


class Trouble(NamedTuple):
    """Why nothing could be recorded. `state`: the state cannot be used there; else the process is of no use to us."""

    message: str
    hint: str = ""
    transient: bool = False
    state: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a task.

    Attributes:
        result: As it is recorded; None: nothing was.
        counted: What that process counted of providers since it told last.
        lost: The run is over, or another process goes on with it.
        trouble: None: the task was stopped, or it is well.
    """

    result: DatasetRun | None = None
    counted: Counted | None = None
    lost: bool = False
    trouble: Trouble | None = None


class Cluster(Protocol):
    """The processes that run tasks. Thread-safe."""

    def open(self) -> int:
        """Be there, and give how many tasks can be run at once.

        Raises:
            ExecutorAway: nobody is there, or nobody who can run ours.
        """

    def submit(self, task: Task) -> "Future[Told]":
        """Have a task run. The future is cancelled when the connection is lost."""

    def explained(self, error: BaseException, task: Task) -> Exception:
        """What went wrong with a task, in words."""

    def check(self) -> None:
        """Look whether somebody is there, not more often than makes sense.

        Raises:
            ExecutorAway: nobody is there any more, and has not been for a while.
        """

    def come_back(self) -> None:
        """Wait until a connection is there again that was lost.

        Raises:
            ExecutorAway: it is not in time.
        """

    def stop(self, run_id: str) -> None:
        """Tell all processes that a run is to stop; comes back at once."""

    def close(self) -> None:
        """Leave it, or end it, when it is our own."""


class Elsewhere:
    """Gives datasets to a cluster, and waits for what comes of them. Thread-safe."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._guard = threading.Lock()
        self._stopped: list[str] = []

    def open(self) -> int:
        """See `Cluster.open`."""
        return self._cluster.open()

    def close(self) -> None:
        """See `Cluster.close`."""
        self._cluster.close()

    def run(self, task: Task, cancel: CancelToken) -> Told:
        """Have a task run; comes back with what was recorded of it.

        Raises:
            Cancelled: the run is to stop, and nothing was recorded of the dataset.
            RunLostError: another process goes on with the run.
            StateError: the state cannot be used there.
            WorkerKilled: each process died of it.
            ExecutorAway: nobody is there any more.
        """
        for _ in range(MOST_TRIES):
            future = self._cluster.submit(task)
            try:
                return _used(self._answer(future, task, cancel))
            except CancelledError:
                cancel.check()
                # It may be running there all the same: the second try then finds what the first one has told.
                self._cluster.come_back()
        raise ExecutorAway(f"the connection was lost {MOST_TRIES} times", hint="look at the network in between")

    def _answer(self, future: "Future[Told]", task: Task, cancel: CancelToken) -> Told:
        done = Wakeup()
        future.add_done_callback(lambda _: done.set())
        try:
            while not cancel.wait(done, LOOK_S, SYSTEM_CLOCK):
                self._cluster.check()
        except Cancelled:
            self._stop(task.run_id)
            if not done.wait(STOP_S):
                future.cancel()
                raise
        try:
            return future.result(0)
        except CancelledError:
            raise
        except Exception as error:
            raise self._cluster.explained(error, task) from error

    def _stop(self, run_id: str) -> None:
        with self._guard:
            known = run_id in self._stopped
            if not known:
                self._stopped = [*self._stopped[-99:], run_id]
        if not known:
            self._cluster.stop(run_id)


def _used(told: Told) -> Told:
    """Turn what is no result into what the runner knows."""
    if told.lost:
        raise RunLostError("another process goes on with the run")
    if (trouble := told.trouble) is not None:
        if trouble.state:
            raise StateError(trouble.message, hint=trouble.hint, transient=trouble.transient)
        raise ExecutorAway(trouble.message, hint=trouble.hint)
    if told.result is None:
        raise Cancelled("stopped")
    return told
