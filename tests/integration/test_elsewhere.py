"""Datasets that are run elsewhere, on anything that is a `concurrent.futures.Executor`: told once, whatever happens."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.elsewhere import Elsewhere, Task, Told, Trouble
from data_pipeline.errors import ExecutorAway, WorkerKilled
from data_pipeline.on_behalf import OnBehalf
from data_pipeline.pipeline import RunContext
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations import dask_worker
from operations.actor import Actor
from operations.dask_marks import put_marks, take_marks
from operations.queue import queue_worker
from operations.run import CancelToken, Execution, execute, resume, run_queue
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import NewEvent
from utils.leases import this_process
from utils.resilience.cancellation import Cancelled

NAMES = ("a", "b", "c")


@pytest.fixture
def installation(installation: Installation) -> Installation:
    installation.configure(*({"name": name, "collect": {"kind": "simulated", "rows": 3}} for name in NAMES))
    return installation


def line_of(system: IntegratedSystem) -> OnBehalf:
    return OnBehalf(
        pipeline=system.pipeline,
        find=system.settings.find,
        counted=system.resilience.news,
        views=system.views,
        events=system.events,
        database=system.database,
        cache=system.cache,
        cache_ttl=60.0,
    )


class Threads:
    """A cluster that is a pool of threads; `act` stands in for what happens to a task."""

    def __init__(self, system: IntegratedSystem, act: "Callable[[Threads, Task], Told] | None" = None) -> None:
        self.line = line_of(system)
        self.tasks: list[str] = []
        self.stopped: list[str] = []
        self.back = 0
        self._act = act or (lambda self, task: self.line.run(task, CancelToken()))
        self._pool = ThreadPoolExecutor(2)

    def open(self) -> int:
        return 2

    def submit(self, task: Task) -> "Future[Told]":
        self.tasks.append(task.dataset)
        return self._pool.submit(self._act, self, task)

    def explained(self, error: BaseException, task: Task) -> Exception:
        return WorkerKilled(f"{task.dataset}: {error}") if isinstance(error, MemoryError) else ExecutorAway(str(error))

    def check(self) -> None: ...

    def come_back(self) -> None:
        self.back += 1

    def stop(self, run_id: str) -> None:
        self.stopped.append(run_id)

    def close(self) -> None:
        self._pool.shutdown()


def run_on(system: IntegratedSystem, cluster: Threads, *, cancel: CancelToken | None = None) -> PipelineRun:
    force = system.runner.workforce(1, elsewhere=Elsewhere(cluster))
    try:
        how = Execution(force, cancel or CancelToken())
        return execute(system, system.settings.datasets, RunRequest(fresh=True), how)
    finally:
        force.close()


def statuses(done: PipelineRun) -> dict[str, str]:
    return {one.dataset: one.status for one in done.datasets}


def collected(system: IntegratedSystem) -> list[str]:
    return sorted(event.subject for event in system.events.read(type="dataset.collected"))


def test_a_task_that_ran_already_gives_back_what_the_log_has(installation: Installation) -> None:
    """Its worker was lost after it had stored: the second try changes nothing, and tells the same."""

    def twice(cluster: Threads, task: Task) -> Told:
        first = cluster.line.run(task, CancelToken())
        second = cluster.line.run(task, CancelToken())
        assert first.result == second.result
        return second

    with installation.system() as system:
        done = run_on(system, Threads(system, twice))
        assert statuses(done) == dict.fromkeys(NAMES, "succeeded")
        assert collected(system) == list(NAMES)
        assert len(system.events.read(type="batch.accepted")) == len(NAMES)


def test_of_two_tries_at_the_same_time_the_first_stands(installation: Installation) -> None:
    """Both went the line; what the second one stored is named by nobody, and the first one's rows are whole."""

    def raced(cluster: Threads, task: Task) -> Told:
        pipeline = cluster.line._pipeline

        class Raced:
            """The line, at the end of which another try was quicker."""

            def run(self, dataset: Any, context: RunContext) -> Any:
                outcome = pipeline.run(dataset, context)
                told.append(cluster.line.run(task, CancelToken()))
                return outcome

            flush = staticmethod(pipeline.flush)

        told: list[Told] = []
        late = line_of(cluster_system[0])
        late._pipeline = Raced()  # type: ignore[assignment]  # the moment between storing and recording
        second = late.run(task, CancelToken())
        assert second.result == told[0].result
        return second

    cluster_system: list[IntegratedSystem] = []
    with installation.system() as system:
        cluster_system.append(system)
        done = run_on(system, Threads(system, raced))
        assert statuses(done) == dict.fromkeys(NAMES, "succeeded")
        assert collected(system) == list(NAMES)
        paths = [event.data["path"] for event in system.events.read(type="batch.accepted")]
        assert len([blob.path for blob in system.storage.list("datasets/")]) == 2 * len(paths)
    assert [len(installation.rows(name)) for name in NAMES] == [3, 3, 3]


def test_what_is_told_after_the_run_is_over_is_not_recorded(installation: Installation) -> None:
    """Its process closed it, or another one goes on with it: nobody waits for what a lost worker still brings."""
    kept: list[Task] = []

    def keep(cluster: Threads, task: Task) -> Told:
        kept.append(task)
        return cluster.line.run(task, CancelToken())

    with installation.system() as system:
        cluster = Threads(system, keep)
        done = run_on(system, cluster)
        before = system.events.head()
        again = replace(kept[0], fence=kept[0].fence + 1)
        assert cluster.line.run(again, CancelToken()) == Told(lost=True)
        assert cluster.line.run(replace(again, owner="somebody"), CancelToken()) == Told(lost=True)
        assert system.events.head() == before
        assert done.status == "succeeded"


def test_the_results_of_a_run_that_was_called_off_count_until_it_is_closed(installation: Installation) -> None:
    """What was finished in time is kept."""
    with installation.system() as system:
        line, owner = line_of(system), str(this_process())
        begun = {**RunRequest(NAMES).to_json(), "owner": owner}
        system.events.append([NewEvent("run.started", "r1", begun, source="runner")])
        system.events.append([NewEvent("run.cancelled", "r1", {"actor": "ann"}, source="queue")])
        task = Task("a", "r1", owner, 7, system.clock.now(), fresh=True)
        in_time = line.run(task, CancelToken())
        closed = {"status": "cancelled", "counts": {}, "anomalies": {}}
        system.events.append([NewEvent("run.finished", "r1", closed, source="runner")])

        assert in_time.result is not None
        assert in_time.result.status == "succeeded"
        assert line.run(replace(task, dataset="b"), CancelToken()) == Told(lost=True)


def test_a_run_that_this_database_does_not_know_is_told(installation: Installation) -> None:
    """The worker has another database than who asks."""
    with installation.system() as system:
        told = line_of(system).run(Task("a", "r9", "x", 1, system.clock.now()), CancelToken())

    assert told.trouble is not None
    assert "run r9 is not in this database" in told.trouble.message
    assert "database.url" in told.trouble.hint


def test_a_dataset_that_kills_its_workers_costs_nobody_else(installation: Installation) -> None:
    """Its readers get what they had; the error says why."""
    installation.run()

    def deadly(cluster: Threads, task: Task) -> Told:
        if task.dataset == "b":
            raise MemoryError("2 workers died")
        return cluster.line.run(task, CancelToken())

    with installation.system() as system:
        done = run_on(system, Threads(system, deadly))

    assert statuses(done) == {"a": "succeeded", "b": "degraded", "c": "succeeded"}
    (dead,) = [one for one in done.datasets if one.dataset == "b"]
    assert (dead.origin, dead.rows, (dead.error or {})["type"]) == ("last_good", 3, "WorkerKilled")
    assert len(installation.rows("b")) == 3


def test_a_connection_that_was_lost_costs_a_second_try(installation: Installation) -> None:
    """The task may have run meanwhile; it is told once."""
    lost: set[str] = set()

    class Shaky(Threads):
        def submit(self, task: Task) -> "Future[Told]":
            future = super().submit(task)
            if task.dataset in lost:
                return future
            lost.add(task.dataset)
            future.result(120)
            gone: Future[Told] = Future()
            gone.cancel()
            return gone

    with installation.system() as system:
        cluster = Shaky(system)
        done = run_on(system, cluster)
        assert statuses(done) == dict.fromkeys(NAMES, "succeeded")
        assert collected(system) == list(NAMES)
        assert cluster.back == len(NAMES)
        assert sorted(cluster.tasks) == sorted(NAMES * 2)


@pytest.mark.parametrize(
    ("trouble", "raised", "status"),
    [
        (Trouble("the disk is full", "free some", state=True), StateError, "failed"),
        (Trouble("the configuration is not the one", "copy it"), ExecutorAway, "interrupted"),
    ],
    ids=["state", "worker"],
)
def test_trouble_elsewhere_ends_the_run_in_its_words(
    trouble: Trouble, raised: type[Exception], status: str, installation: Installation
) -> None:
    """What was finished is kept; a run that can go on is not called failed."""

    def troubled(cluster: Threads, task: Task) -> Told:
        return Told(trouble=trouble) if task.dataset == "c" else cluster.line.run(task, CancelToken())

    with installation.system() as system:
        with pytest.raises(raised, match=trouble.message) as caught:
            run_on(system, Threads(system, troubled))
        (run,) = system.views.runs()
        assert run.status == status
        if status == "interrupted":
            again = resume(system, Actor("ann"), run.run_id)
            assert "c" in statuses(again)
            assert set(collected(system)) == set(NAMES)
    assert getattr(caught.value, "hint", "").startswith(trouble.hint)


def test_a_stopped_run_tells_its_workers_once(installation: Installation) -> None:
    """What they record in time counts, the rest is skipped."""
    cancel = CancelToken()

    def stopping(cluster: Threads, task: Task) -> Told:
        cancel.cancel("SIGINT")
        return cluster.line.run(task, CancelToken()) if task.dataset == "a" else Told()

    with installation.system() as system:
        cluster = Threads(system, stopping)
        done = run_on(system, cluster, cancel=cancel)

    assert done.status == "interrupted"
    assert statuses(done) == {"a": "succeeded", "b": "skipped", "c": "skipped"}
    assert len(set(cluster.stopped)) == len(cluster.stopped) == 1


def test_a_token_that_is_cancelled_stops_the_line_there(installation: Installation) -> None:
    """Nothing is recorded of what was broken off."""
    token = CancelToken()
    token.cancel("stopped")
    with installation.system() as system:
        before = system.events.head()
        assert line_of(system).run(Task("a", "r1", "x", 1, system.clock.now()), token) == Told()
        assert system.events.head() == before
    with pytest.raises(Cancelled):
        token.check()


# --- what a worker finds --------------------------------------------------------------------------


def test_a_worker_says_why_it_cannot_work(installation: Installation) -> None:
    """Another configuration, no state directory, another state; and nothing when all is the same."""
    with installation.system() as system:
        mark = put_marks(system)
        same = (str(installation.config), str(installation.state), dask_worker.digest_of(system), mark)

        def said(**other: str) -> str:
            keys = ("config", "state_dir", "digest", "mark")
            return dask_worker.Seen(
                *dask_worker.look(*(other.get(k, v) for k, v in zip(keys, same, strict=True)))
            ).message

        assert said() == ""
        assert "is not the one of the process that asks" in said(digest="0")
        assert "there is no state directory" in said(state_dir=str(installation.state / "elsewhere"))
        assert "is not the state of the process that asks" in said(mark="executor:2")
        assert "does not exist" in said(config="/nowhere.yaml")
        take_marks(system, mark)
    dask_worker.forget_all()


# --- runs that wait, and the command line ---------------------------------------------------------


def test_a_run_in_the_queue_waits_for_its_cluster(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there: it stays as it is. Lost in the middle: it waits again, with what it has not finished."""
    clock = ManualClock(datetime(2026, 11, 22, tzinfo=UTC))
    away, lost = [ExecutorAway("nobody is there")], [ExecutorAway("they are gone")]

    class Late(Threads):
        def open(self) -> int:
            if away:
                raise away.pop()
            return super().open()

        def submit(self, task: Task) -> "Future[Told]":
            future = super().submit(task)
            if task.dataset == "c" and lost:
                future.result(120)
                future = Future()
                future.set_exception(lost.pop())
            return future

    with installation.system(clock) as system:
        monkeypatch.setattr("operations.executor._elsewhere", lambda *_: Elsewhere(Late(system)))
        (run_id,) = run_queue(system).put([RunRequest(NAMES, "ann", fresh=True)])
        worker = queue_worker(system, stays=False)
        seen = []
        for _ in range(3):
            worker.drain()
            run = system.views.run(run_id)
            assert run is not None
            seen.append(run.status)
            clock.advance(2.0)
        worker.close()

        assert seen == ["queued", "queued", "succeeded"]
        assert collected(system) == list(NAMES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--executor", "spark"], "no executor is called `spark`"),
        (["--executor", "tcp://nowhere"], "expected the address of a Dask scheduler"),
        (
            ["--executor", "tcp://h:1", "--workers", "2"],
            "--workers does not go with a Dask cluster that has an address",
        ),
        (["--executor", "dask", "--due"], "--due goes with --workers and --strict only"),
    ],
    ids=["name", "address", "workers", "due"],
)
def test_wrong_words_on_the_command_line_are_told(
    options: list[str], said: str, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """As wrong usage, with what to write."""
    assert installation.typed("run", *options) == 2
    assert said in capsys.readouterr().err


def test_the_command_line_chooses_threads_over_what_is_configured(installation: Installation) -> None:
    """`--executor local` runs where no cluster is."""
    installation.configure(
        {"name": "a", "collect": {"kind": "simulated"}}, executor={"kind": "dask", "address": "tcp://127.0.0.1:1"}
    )
    assert installation.typed("run", "--executor", "local", "--json") == 0
