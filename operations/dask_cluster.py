"""A Dask cluster that runs datasets: one that is there already, or one of our own on this machine.

Behaviour of `distributed` that this relies on (2026.8): a worker that is lost has its tasks run again elsewhere, also
finished ones whose future is still held; a task that was on four workers that died is given up (`KilledWorker`,
`distributed.scheduler.allowed-failures`); without any worker tasks wait for ever; when the connection to the scheduler
is lost all futures are cancelled, and the client tries to come back for as long as it tried to connect.
"""

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from config.sections import ExecutorSettings
from data_pipeline.elsewhere import Task, Told
from data_pipeline.errors import ExecutorAway, WorkerKilled
from integrated_system import IntegratedSystem
from operations import dask_worker
from operations.dask_marks import put_marks, take_marks
from operations.dask_worker import Installation, Seen
from utils.storage import StorageError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

__all__ = ["DaskCluster"]

DATASETS_A_PROCESS = 4
"""Threads of each process of a cluster of our own: datasets wait for their providers most of the time."""

CONNECT_S = 10.0
"""How long a scheduler may take to answer; and to come back once the connection was lost."""

PATIENCE_S = 30.0
"""How long a cluster may be without any worker."""

LOOK_EVERY_S = 1.0
"""Between two looks whether there are workers."""

TRY_AGAIN_S = 5.0
"""For how long a cluster that could not be used is not tried again."""

CLOSE_S = 5.0
"""How long our own processes have to end before they are killed."""


class DaskCluster:
    """Runs tasks on a Dask cluster, which is looked for when it is first needed. Thread-safe.

    Args:
        executor: Which cluster.
        connect: Seconds a scheduler may take to answer; `patience`: that a cluster may be without workers.
    """

    def __init__(
        self,
        system: IntegratedSystem,
        executor: ExecutorSettings,
        *,
        connect: float = CONNECT_S,
        patience: float = PATIENCE_S,
    ) -> None:
        self._system = system
        self._settings = executor
        self._connect = connect
        self._patience = patience
        self._name = executor.address or "the local cluster"
        self._guard = threading.Lock()  # of opening and closing
        self._looking = threading.Lock()
        self._client: Client | None = None
        self._own: LocalCluster | None = None
        self._run: Any = None
        self._executor: Any = None
        self._mark = ""
        self._failed: tuple[float, ExecutorAway] | None = None
        self._looked = 0.0
        self._alone_since: float | None = None

    def open(self) -> int:
        """Connect, unless it is connected, and look whether every worker can run ours; gives their threads.

        Raises:
            ExecutorAway: see `Cluster`.
        """
        with self._guard:
            if self._failed is not None and time.monotonic() - self._failed[0] < TRY_AGAIN_S:
                raise self._failed[1]
            try:
                if self._client is None or self._client.status != "running":
                    self._leave()
                    self._join()
                return sum(self._workers().values())
            except ExecutorAway as error:
                self._failed = (time.monotonic(), error)
                self._leave()
                raise

    def submit(self, task: Task) -> "Future[Told]":
        """Give a task away; the future is a plain one of the standard library."""
        executor = self._executor
        if executor is not None:
            with suppress(RuntimeError):  # it is closed or closing
                future: Future[Told] = executor.submit(self._run, task)
                return future
        gone: Future[Told] = Future()
        gone.cancel()
        return gone

    def explained(self, error: BaseException, task: Task) -> Exception:
        """What went wrong with a task, in words."""
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            return WorkerKilled(
                f"{task.dataset}: {error.allowed_failures + 1} workers were given it, and each died while it ran it",
                hint="see the workers' logs; often it is the memory: lower `app.memory_limit`, or give them more",
            )
        return ExecutorAway(
            f"{self._name}: {task.dataset} cannot be run there: {type(error).__name__}: {error}", hint=_IMPORT_HINT
        )

    def check(self) -> None:
        """Once a second: whether there is a worker. One that is lost is started anew, or another one comes."""
        now = time.monotonic()
        with self._looking:
            if now - self._looked < LOOK_EVERY_S:
                return
            self._looked = now
        try:
            alone = not self._workers()
        except ExecutorAway:
            return  # the future of who waits is cancelled, and they go on from there
        with self._looking:
            if not alone:
                self._alone_since = None
            elif self._alone_since is None:
                self._alone_since = now
            elif now - self._alone_since >= self._patience:
                raise self._no_workers()

    def come_back(self) -> None:
        """Wait for the connection that was lost."""
        until = time.monotonic() + self._connect
        while (client := self._client) is not None and time.monotonic() < until and client.status != "closed":
            if client.status == "running":
                return
            time.sleep(0.05)  # the client itself tries to connect; it calls nobody back
        raise ExecutorAway(
            f"the scheduler {self._name} is gone, and did not come back within {self._connect:g} s",
            hint="start it again, with its workers",
        )

    def stop(self, run_id: str) -> None:
        """Tell the workers. Nobody waits for them: who does not hear it is refused when it wants to record."""
        client = self._client
        if client is None:
            return

        def tell() -> None:
            with suppress(Exception):  # they are told, or they are gone
                client.run(dask_worker.stop_run, run_id, on_error="ignore")

        threading.Thread(target=tell, name="stop-run", daemon=True).start()

    def close(self) -> None:
        """Leave the cluster, and end our own."""
        with self._guard:
            self._leave()

    # --- coming and going ---------------------------------------------------------------------

    def _join(self) -> None:
        try:
            import dask

            # What there is to say we say ourselves.
            with dask.config.set({"logging": {"distributed": "critical", "distributed.client": "critical"}}):
                from distributed import Client
                from distributed.cfexecutor import ClientExecutor
        except ImportError as error:
            raise ExecutorAway(
                f"Dask cannot be imported here: {error}", hint="pip install distributed, or `executor: {kind: local}`"
            ) from error
        try:
            self._own = None if self._settings.address else self._started()
            address: Any = self._settings.address or self._own
            self._client = Client(address, timeout=self._connect, set_as_default=False, name="orchestrator")
        except (OSError, ValueError, RuntimeError) as error:
            raise ExecutorAway(
                f"no Dask scheduler answers at {self._name} within {self._connect:g} s: {_first_line(error)}",
                hint="start it (`dask scheduler`), or correct `executor.address`; `--executor local` does without",
            ) from error
        installation = self._installation()
        self._look_at_all(installation)
        self._run = partial(dask_worker.run_task, installation)
        self._executor = ClientExecutor(self._client, pure=False)
        self._alone_since = None

    def _started(self) -> "LocalCluster":
        """A cluster on this machine, which nobody else can use: Dask would run code for whoever reaches its port."""
        import logging

        import dask
        from distributed import LocalCluster
        from distributed.security import Security

        # Neither has pages to show: they would tell of tasks and their errors without asking who it is.
        no_pages: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
        with dask.config.set(no_pages):
            return LocalCluster(
                n_workers=self._settings.workers,
                threads_per_worker=DATASETS_A_PROCESS,
                processes=True,
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                memory_limit=0,  # we have a limit of our own, and Dask's would kill
                security=Security.temporary(),
                silence_logs=logging.CRITICAL,
                local_directory=str(self._system.state_dir / "tmp"),
                preload=["operations.dask_worker"],
            )

    def _leave(self) -> None:
        client, own, mark = self._client, self._own, self._mark
        self._client = self._own = self._executor = None
        self._mark = ""
        with suppress(Exception):  # it is of no use any more, however it goes
            if client is not None:
                client.close(CLOSE_S)
        with suppress(Exception):
            if own is not None:
                own.close(CLOSE_S)
        if mark:
            take_marks(self._system, mark)

    # --- who is there -------------------------------------------------------------------------

    def _workers(self) -> dict[str, int]:
        """The threads of each worker, by its address."""
        client = self._client
        try:
            if client is None or client.status != "running":
                raise OSError("the connection is closed")
            return dict(client.sync(client.scheduler.ncores, callback_timeout=self._connect))
        except (OSError, RuntimeError, AttributeError) as error:  # a time-out is an OSError
            raise ExecutorAway(
                f"the scheduler {self._name} does not answer: {_first_line(error)}", hint="look at it, or start it anew"
            ) from error

    def _no_workers(self) -> ExecutorAway:
        return ExecutorAway(
            f"no worker is connected to {self._name}, for {self._patience:g} s",
            hint="start one (`dask worker ADDRESS`), or see its log for why it left",
        )

    def _installation(self) -> Installation:
        system = self._system
        try:
            self._mark = put_marks(system)
        except StorageError as error:
            raise ExecutorAway(f"the storage cannot be used: {error}", hint="see storage.url") from error
        return Installation(str(system.loaded.main), str(system.state_dir), dask_worker.digest_of(system), self._mark)

    def _look_at_all(self, installation: Installation) -> None:
        """Before anything is run: whether the scheduler and every worker have our code, configuration and state.

        Raises:
            ExecutorAway: one of them has not, or there is no worker.
        """
        client = self._client
        assert client is not None
        try:
            client.wait_for_workers(1, timeout=self._patience)
        except TimeoutError as error:
            raise self._no_workers() from error
        try:
            scheduler = Seen(*client.run_on_scheduler(dask_worker.about))
        except Exception as error:  # Dask gives back what it could not load in whatever form it can
            raise self._cannot("the scheduler", error) from error
        self._compare("the scheduler", scheduler)
        found = client.run(dask_worker.look, *installation, on_error="return")
        for address, seen in sorted(found.items()):
            if isinstance(seen, BaseException):
                raise self._cannot(f"the worker {address}", seen) from seen
            self._compare(f"the worker {address}", Seen(*seen))

    def _compare(self, who: str, seen: Seen) -> None:
        ours = dask_worker.about()
        if (seen.python, seen.version) != ours:
            raise ExecutorAway(
                f"{who} has Python {seen.python} and version {seen.version} of this program, here it is"
                f" Python {ours[0]} and version {ours[1]}",
                hint="give all machines the same image, or the same checkout and virtual environment",
            )
        if seen.message:
            raise ExecutorAway(f"{who} cannot work for this installation: {seen.message}", hint=seen.hint)

    def _cannot(self, who: str, error: BaseException) -> ExecutorAway:
        kind = "" if type(error) is Exception else f"{type(error).__name__}: "  # else its name stands in the words
        return ExecutorAway(f"{who} cannot run our code: {kind}{error}", hint=_IMPORT_HINT)


_IMPORT_HINT = (
    "start the scheduler and the workers in our virtual environment, with PYTHONPATH naming the folder of"
    " integrated_system.py"
)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
