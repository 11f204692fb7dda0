"""Runs that wait: who begins them, in what order, how they are called off, and what happens when a worker goes."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from data_pipeline.recorder import RunLostError
from data_pipeline.run_queue import worker as worker_module
from data_pipeline.run_queue.at_work import at_work
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.run_queue.worker import QueueWorker
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.queue import cancel, queue_worker
from operations.run import queue, run, run_queue
from tests.databases import is_postgres
from tests.integration.installation import Installation
from utils.database import StateError
from utils.events import NewEvent
from utils.leases import this_process
from utils.resilience.cancellation import CancelToken

ME = Actor("ann")
DEAD = "nowhere|no-boot|no-ns|1|1"


def simulated(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "collect": {"kind": "simulated", "rows": 2}, **more} for name in names]


def stuck(name: str, **more: Any) -> dict[str, Any]:
    """A dataset whose provider answers after five minutes."""
    patient = {"timeout": {"read": "10m"}, "deadline": "10m"}
    return {"name": name, "collect": {"kind": "simulated", "rows": 2, "latency": "5m"}, "resilience": patient, **more}


def put(system: IntegratedSystem, *requests: RunRequest) -> list[str]:
    return run_queue(system).put(requests)


def asked(*datasets: str, **more: Any) -> RunRequest:
    return RunRequest(datasets, "ann", fresh=True, **more)


def begun(system: IntegratedSystem) -> list[str]:
    """The runs in the order in which they were begun."""
    return [event.subject for event in system.events.read(type="run.started", limit=10_000)]


def status(system: IntegratedSystem, run_id: str) -> str:
    found = system.views.run(run_id)
    assert found is not None
    return found.status


def parts(system: IntegratedSystem, run_id: str) -> dict[str, tuple[str, str | None]]:
    return {body["dataset"]: (body["status"], body["reason"]) for body in system.views.dataset_runs(run_id)}


@contextmanager
def working(system: IntegratedSystem, **more: Any) -> Iterator[QueueWorker]:
    worker = queue_worker(system, **more)
    try:
        yield worker
    finally:
        worker.close(0.0)


class Ended:
    """The runs that a worker told of."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.runs: list[PipelineRun] = []

    def __call__(self, result: PipelineRun) -> None:
        with self._changed:
            self.runs.append(result)
            self._changed.notify_all()

    def until(self, holds: Callable[[list[PipelineRun]], bool]) -> list[PipelineRun]:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.runs), 120)
            return list(self.runs)


def heard(system: IntegratedSystem, kind: str, subject: str) -> None:
    """Wait until something stands in the log."""
    for event in system.events.follow(type=kind):
        if event.subject == subject:
            return


@pytest.fixture
def placed(installation: Installation, address: str) -> Installation:
    """An installation whose log lies in SQLite, or in PostgreSQL."""
    configure = installation.configure

    def configured(*datasets: Any, **sections: Any) -> None:
        where = {"database": {"url": address}} if is_postgres(address) else {}
        configure(*datasets, **where, **sections)

    installation.configure = configured  # type: ignore[method-assign]
    return installation


def test_what_waits_is_worked_off(placed: Installation) -> None:
    """Each run once, as it was asked for; who asked stands in it, not who did it."""
    names = [f"d{number}" for number in range(12)]
    placed.configure(*simulated(*names))
    with placed.system() as system:
        ids = put(system, *(asked(name) for name in names), asked("d1", "d2", priority=1))
        with working(system) as worker:
            worker.drain()

        assert [status(system, run_id) for run_id in ids] == ["succeeded"] * 13
        assert sorted(begun(system)) == sorted(ids)
        assert parts(system, ids[-1]) == {"d1": ("succeeded", None), "d2": ("succeeded", None)}
        last = system.events.read(type="run.started", subject=ids[-1])[0].data
        assert (last["actor"], last["priority"], last["fresh"]) == ("ann", 1, True)


def test_the_urgent_are_first_and_nobody_waits_for_ever(installation: Installation) -> None:
    """Every eighth run is the one that waits the longest, whatever its priority."""
    names = [f"d{number}" for number in range(20)]
    installation.configure(*simulated(*names), executor={"workers": 1})
    with installation.system() as system:
        low = put(system, *(asked(name) for name in names[:2]))
        high = put(system, *(asked(name, priority=9) for name in names[2:]))
        with working(system) as worker:
            worker.drain()

        order = begun(system)
        assert [order.index(run_id) for run_id in low] == [7, 15]
        assert [run_id for run_id in order if run_id in high] == high


def test_two_runs_of_one_dataset_come_after_each_other(installation: Installation) -> None:
    """Neither is skipped because the other was at work, in this process or in another."""
    installation.configure(*simulated("fx", "gold"))
    with installation.system() as system, installation.system() as other:
        ids = put(system, *(asked("fx") for _ in range(6)))
        with working(system) as worker, working(other) as second:
            threads = [threading.Thread(target=one.drain) for one in (worker, second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            worker.drain()

        assert [parts(system, run_id) for run_id in ids] == [{"fx": ("succeeded", None)}] * 6


def test_however_many_runs_of_a_dataset_wait_those_of_others_are_found(
    placed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a worker looks at: what was missed in a night of one dataset does not stop all."""
    monkeypatch.setattr(worker_module, "PAGE", 4)
    monkeypatch.setattr(worker_module, "MOST_LOOKED_AT", 8)
    placed.configure(*simulated("fx", "gold"), executor={"workers": 1})
    with placed.system() as system, placed.system() as other:
        put(system, *(asked("fx") for _ in range(20)))
        (gold,) = put(system, asked("gold"))
        other.leases.acquire(["dataset:fx"])
        with working(system) as worker:
            worker.drain()

        assert begun(system) == [gold]


def test_a_slow_provider_does_not_keep_the_others_waiting(installation: Installation) -> None:
    """Its runs take all workers but one, and those of others, queued after them, are begun all the same."""
    slow = [stuck(f"slow{number}", provider="slow") for number in range(6)]
    installation.configure(*slow, *simulated("quick"), executor={"workers": 3})
    with installation.system() as system:
        waiting = put(system, *(asked(one["name"], priority=1) for one in slow))
        (quick,) = put(system, asked("quick"))
        told = Ended()
        with working(system, told=told) as worker:
            worker.step()
            assert [one.run_id for one in told.until(lambda runs: len(runs) == 1)] == [quick]
            for run_id in waiting[:2]:
                heard(system, "run.started", run_id)
            worker.step()
            assert sorted(begun(system)) == sorted([quick, *waiting[:2]])


def test_a_provider_has_no_more_datasets_at_once_than_places(installation: Installation) -> None:
    """One whose bulkhead has one place gets one run at a time, though there are workers enough."""
    narrow = {"narrow": {"resilience": {"bulkhead": {"concurrency": 1}}}}
    slow = [stuck(f"slow{number}", provider="narrow") for number in range(3)]
    installation.configure(*slow, *simulated("a", "b"), executor={"workers": 4}, providers=narrow)
    with installation.system() as system:
        first, *_ = put(system, *(asked(one["name"]) for one in slow), asked("a"), asked("b"))
        told = Ended()
        with working(system, told=told) as worker:
            worker.step()
            told.until(lambda runs: len(runs) == 2)
            heard(system, "run.started", first)
            worker.step()
            assert len(begun(system)) == 3


def test_a_run_that_waits_and_is_called_off_never_begins(placed: Installation) -> None:
    """Who did it is told; it is over for every worker."""
    placed.configure(*simulated("fx"))
    with placed.system() as system:
        first, second = put(system, asked("fx"), asked("fx"))
        assert cancel(system, ME, first).was == "queued"
        with working(system) as worker:
            worker.drain()

        assert (status(system, first), status(system, second)) == ("cancelled", "succeeded")
        assert begun(system) == [second]


@pytest.mark.parametrize("how", ["by a worker", "by hand"])
def test_a_run_that_is_called_off_stops_and_keeps_what_it_has(placed: Installation, how: str) -> None:
    """Whoever works on it notices by the log; what had not ended is skipped."""
    placed.configure(*simulated("quick", priority=1), stuck("slow"), stuck("slower"), executor={"workers": 2})
    with placed.system() as system, placed.system() as other:
        told = Ended()
        if how == "by hand":
            thread = threading.Thread(target=lambda: told(run(system, ME, fresh=True)))
            thread.start()
            heard(other, "dataset.collected", "quick")
            (run_id,) = begun(other)
            assert cancel(other, ME, run_id, reason="too slow").was == "running"
            (result,) = told.until(bool)
            thread.join()
        else:
            (run_id,) = put(system, asked("quick", "slow", "slower"))
            with working(system, told=told) as worker:
                worker.step()
                heard(other, "dataset.collected", "quick")
                assert cancel(other, ME, run_id, reason="too slow").was == "running"
                (result,) = told.until(bool)

        assert (result.run_id, result.status) == (run_id, "cancelled")
        assert status(other, run_id) == "cancelled"
        assert parts(other, run_id) == {
            "quick": ("succeeded", None),
            "slow": ("skipped", "cancelled"),
            "slower": ("skipped", "cancelled"),
        }


def test_what_a_run_is_at_is_not_said_to_wait(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that waits has datasets that wait; one that runs has some that are not over."""
    installation.configure(stuck("slow"))
    with installation.system() as system:
        (run_id,) = put(system, asked("slow"))
        installation.typed("runs", "show", run_id)
        assert "waits" in capsys.readouterr().out
        with working(system) as worker:
            worker.step()
            heard(system, "run.started", run_id)
            installation.typed("runs", "show", run_id)
            shown = capsys.readouterr().out
            cancel(system, ME, run_id)

    assert f"run {run_id} running" in shown
    assert "not over" in shown
    assert "waits" not in shown


def died(system: IntegratedSystem, run_id: str) -> None:
    """As if a process had begun the run and died."""
    stored = system.views.run(run_id)
    assert stored is not None
    system.events.append([NewEvent("run.started", run_id, {**stored.request, "owner": DEAD})])


def test_a_run_whose_process_died_goes_on_with_what_is_left(placed: Installation) -> None:
    """What it had delivered is not delivered again; the run counts all its datasets."""
    placed.configure(*simulated("a", "b", "c"))
    with placed.system() as system:
        (run_id,) = put(system, asked("a", "b", "c"))
        done = run(system, ME, ["a"], fresh=True).datasets[0]
        died(system, run_id)
        told = {**done.to_json(), "run_id": run_id}
        system.events.append([NewEvent("dataset.collected", "a", told)])
        with working(system) as worker:
            worker.drain()

        assert status(system, run_id) == "succeeded"
        kinds = [event.type for event in system.events.read(subject=run_id)]
        assert kinds == ["run.queued", "run.started", "run.crashed", "run.queued", "run.started", "run.finished"]
        delivered = [e.subject for e in system.events.read(type="dataset.collected") if e.data["run_id"] == run_id]
        assert sorted(delivered) == ["a", "b", "c"]
        stored = system.views.run(run_id)
        assert stored is not None
        assert stored.summary is not None
        assert stored.summary["counts"]["succeeded"] == 3


def test_a_process_that_was_taken_for_dead_says_nothing_more_of_its_run(placed: Installation) -> None:
    """Another one goes on with it: neither an end nor a skipped dataset comes from the one that woke up."""
    placed.configure(stuck("slow"))
    raised: list[Exception] = []
    token = CancelToken()

    def work(system: IntegratedSystem) -> None:
        try:
            run(system, ME, fresh=True, cancel=token)
        except StateError as error:
            raised.append(error)

    with placed.system() as system, placed.system() as other:
        thread = threading.Thread(target=work, args=(system,))
        thread.start()
        begun_event = next(other.events.follow(type="run.started"))
        run_id, data = begun_event.subject, begun_event.data
        other.events.append(
            [
                NewEvent("run.crashed", run_id, {"owner": data["owner"]}),
                NewEvent("run.started", run_id, {**data, "owner": DEAD}),
            ]
        )
        token.cancel()
        thread.join(120)

        assert [type(error) for error in raised] == [RunLostError]
        assert [e.type for e in other.events.read(subject=run_id)] == ["run.started", "run.crashed", "run.started"]
        assert parts(other, run_id) == {}


def test_a_run_that_kills_its_process_is_not_begun_for_ever(installation: Installation) -> None:
    """Three times; then it stays crashed, and what waits behind it is worked off."""
    installation.configure(*simulated("fx", "gold"))
    with installation.system() as system:
        (run_id, behind) = put(system, asked("fx", priority=5), asked("gold"))
        for _ in range(3):
            died(system, run_id)
            system.runner.recover()
            run_queue(system).revive()
        with working(system) as worker:
            worker.drain()

        assert (status(system, run_id), status(system, behind)) == ("crashed", "succeeded")


def test_a_run_that_was_left_behind_is_found_though_its_process_lives(installation: Installation) -> None:
    """Its end could not be written; one that is at work in the same process is not taken for such a run."""
    installation.configure(*simulated("fx"), stuck("slow"))
    with installation.system() as system, installation.system() as other:
        left, at_work_on = put(system, asked("fx"), asked("slow", priority=1))
        stored = system.views.run(left)
        assert stored is not None
        system.events.append([NewEvent("run.started", left, {**stored.request, "owner": str(this_process())})])
        with working(system) as worker:
            worker.step()
            heard(other, "run.finished", left)
            assert other.runner.recover() == []
            assert status(other, at_work_on) == "running"
        assert [event.type for event in other.events.read(subject=left)][2:4] == ["run.crashed", "run.queued"]


def test_a_worker_that_is_stopped_puts_back_what_it_is_at(placed: Installation) -> None:
    """Another one goes on where it stopped, without what was delivered."""
    placed.configure(*simulated("quick", priority=1), stuck("slow"))
    with placed.system() as system:
        (run_id,) = put(system, asked("quick", "slow"))
        worker = queue_worker(system)
        worker.step()
        heard(system, "dataset.collected", "quick")
        assert at_work(system.leases)
        worker.close(0.0)

        assert status(system, run_id) == "queued"
        assert not at_work(system.leases)

    placed.configure(*simulated("quick", "slow"))
    with placed.system() as system, working(system) as worker:
        worker.drain()
        assert status(system, run_id) == "succeeded"
        assert Counter(event.subject for event in system.events.read(type="dataset.collected")) == {
            "quick": 1,
            "slow": 1,
        }


def test_a_run_of_datasets_that_are_declared_no_more_is_called_off(installation: Installation) -> None:
    """With the reason; of one that still has some the others are left out."""
    installation.configure(*simulated("old", "fx"))
    with installation.system() as system:
        gone, half = put(system, asked("old"), asked("old", "fx"))
    installation.configure(*simulated("fx"))
    with installation.system() as system:
        with working(system) as worker:
            worker.drain()

        assert (status(system, gone), status(system, half)) == ("cancelled", "succeeded")
        (event,) = system.events.read(type="run.cancelled")
        assert "old: no such dataset is declared any more" in event.data["reason"]


def test_no_process_is_started_where_somebody_works_off_the_queue(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks finds a worker that lives; when it has gone, a process is started again."""
    started: list[str] = []
    monkeypatch.setattr("operations.detached.start_detached", lambda _, *command: started.append(command[-1]))
    installation.configure(*simulated("fx"))
    with installation.system() as system, installation.system() as other:
        with working(other) as worker:
            worker.step()
            queue(system, ME, ["fx"])
            assert started == []
        alone = queue(system, ME, ["fx"]).run_id
        assert started == [alone]


def test_runs_are_listed_shown_and_called_off_by_commands(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a user types it, for people and as JSON; what cannot be done is told with what to do."""
    installation.configure(*simulated("fx", "gold"))
    with installation.system() as system:
        first, second = put(system, asked("fx", priority=2), asked("gold"))
        over = run(system, ME, ["gold"]).run_id

    assert installation.typed("runs", "list", "--status", "queued", "--json") == 0
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [(one["run_id"], one["priority"], one["because"]) for one in told] == [
        (first, 2, {"kind": "asked"}),
        (second, 0, {"kind": "asked"}),
    ]
    assert installation.typed("runs", "cancel", first, "--reason", "not today") == 0
    assert "goes on no more" in capsys.readouterr().out
    assert installation.typed("runs", "show", first) == 0
    shown = capsys.readouterr().out
    assert "cancelled by" in shown
    assert ": not today" in shown
    assert installation.typed("runs", "list") == 0
    listed = capsys.readouterr().out
    assert [word in listed for word in (first, second, over, "cancelled", "succeeded")] == [True] * 5
    assert installation.typed("runs", "cancel", over) == 1
    assert "is succeeded" in capsys.readouterr().err
    assert installation.typed("runs", "show", "nothing", "--json") == 1
    assert "runs list" in json.loads(capsys.readouterr().out)["error"]["hint"]
    assert installation.typed("runs", "list", "--status", "lost") == 2
    assert "it is one of queued, running" in capsys.readouterr().err
    assert installation.typed("run", "--resume", first) == 1
    assert "is cancelled" in capsys.readouterr().err
