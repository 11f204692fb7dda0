"""A run that was broken off goes on in another process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.request import RunRequest
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.resume_run import resume_soon
from operations.run import resume, run, run_queue
from operations.runs import runs, show
from tests.integration.installation import Installation
from utils.events import NewEvent

ME = Actor("tester")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The processes that would have been started."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.detached.start_detached", lambda _, *command: found.append(command))
    return found


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}})
    with made.system() as system:
        yield system


def _broken_off(system: IntegratedSystem) -> str:
    """A run whose process died before anything was done."""
    (run_id,) = run_queue(system).put([RunRequest(("orders",), "schedule")])
    request = {**RunRequest(("orders",), "schedule", run_id=run_id).to_json(), "owner": "elsewhere|x|y|1|1"}
    system.events.append([NewEvent("run.started", run_id, request, source="runner")])
    system.events.append([NewEvent("run.crashed", run_id, {"owner": "elsewhere|x|y|1|1"}, source="runner")])
    return run_id


def test_a_crashed_run_waits_again_and_a_process_is_started_for_it(
    system: IntegratedSystem, started: list[tuple[str, ...]]
) -> None:
    """Under its own id, and the log says who wanted it."""
    run_id = _broken_off(system)

    queued = resume_soon(system, ME, run_id)

    assert (queued.run_id, queued.datasets) == (run_id, ("orders",))
    assert show(system, run_id).run.status == "queued"
    assert started == [("run", "--resume", run_id)]
    (event,) = system.events.read(type="action.invoked")
    assert event.data == {"action": "run.resume", "actor": "tester"}
    assert resume(system, ME, run_id).status == "succeeded"


def test_what_is_over_does_not_go_on(system: IntegratedSystem, started: list[tuple[str, ...]]) -> None:
    """Nor what there is not."""
    over = run(system, ME).run_id

    with pytest.raises(PipelineError, match="is succeeded; only what was broken off"):
        resume_soon(system, ME, over)
    with pytest.raises(PipelineError, match="there is no run nobody"):
        resume_soon(system, ME, "nobody")
    assert started == []


def test_the_runs_of_a_past_moment_are_told_as_they_stood(system: IntegratedSystem) -> None:
    """A run that has ended since was at work then, and one that came later was not there."""
    first = run(system, ME)
    (begun,) = system.events.read(subject=first.run_id, type="run.started")
    run(system, ME, fresh=True)

    then = runs(system, as_of=begun.time)

    assert [(one.run_id, one.status) for one in then] == [(first.run_id, "running")]
    part = show(system, first.run_id, as_of=begun.time).parts[0]
    assert (part.status, part.began_at) == (None, None)
    assert len(runs(system)) == 2
