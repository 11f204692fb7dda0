"""Going on with a run that was broken off, in another process than the one that asks for it."""

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.at_work import at_work
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.run import Queued, run_queue
from utils.events import NewEvent

__all__ = ["resume_soon"]


@operation("operator")
def resume_soon(system: IntegratedSystem, actor: Actor, run_id: str) -> Queued:
    """Put a crashed or interrupted run back into the queue; returns at once. It begins with what it has not finished.

    A `schedule` or `serve` that is there works it off; without one a detached process is started for it, also for one
    that waits in the queue already.

    Raises:
        PipelineError: there is no such run, or it is at work or over.
        StateError: the log cannot be written.
    """
    system.runner.recover()
    run = system.views.run(run_id)
    if run is None:
        raise PipelineError(f"there is no run {run_id}", hint="see the run ids in `runs list`", missing=True)
    if run.status not in {"queued", "crashed", "interrupted"}:
        hint = "what is over can be run again; what is at work needs nothing"
        raise PipelineError(f"run {run_id} is {run.status}; only what was broken off can go on", hint=hint)
    data = {"action": "run.resume", "actor": actor.name}
    system.events.append([NewEvent("action.invoked", run_id, data, source="queue")])
    if run.status != "queued":
        run_queue(system).put_back([run], reason=f"{actor.name} has it go on")
    if not at_work(system.leases):
        from operations.detached import start_detached

        start_detached(system, "run", "--resume", run_id)
    return Queued(run_id, tuple(run.request.get("datasets", ())))
