"""Backfills: begin one, work it off here, call it off; how each stands, and each piece of a table."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from data_pipeline.backfill.commit import Commits, Done
from data_pipeline.backfill.line import PieceLine
from data_pipeline.backfill.work import Ended, Limits, Work
from data_pipeline.backfill_views import Backfill, Backfills, lease_of, refuse_if_done
from data_pipeline.bringing import Bringer
from data_pipeline.errors import DatasetBusy, PipelineError
from data_pipeline.publish.attempt import Attempt
from data_pipeline.replaying import Replaying
from data_pipeline.store.surroundings import Neighbours
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.backfill_plan import Plan
from operations.backfill_result import Result
from operations.publish import publish_pending
from operations.words import count_of
from utils.database import Connection, StateError
from utils.events import NewEvent, rfc3339, uuid7
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable, sleep

__all__ = [
    "Told",
    "call_off",
    "found",
    "go_on",
    "listed",
    "nothing",
    "refuse_if_over",
    "result_of",
    "start",
    "stopping",
]

LOOK_EVERY_S = 1.0
"""Seconds of a pause until it is noticed that somebody called the backfill off."""

TOLD_PAUSE_S = 5.0
"""A shorter pause is not worth an event."""

Told = Callable[[Done | str], None]
"""Is told of each piece that is done, and in words of each pause."""


def stopping() -> CancelToken:
    """What stops a backfill in this process, once it is cancelled."""
    return CancelToken()


def found(system: IntegratedSystem, backfill: str) -> Backfill:
    """The backfill of that id.

    Raises:
        PipelineError: there is none.
    """
    known = Backfills(system.database).one(backfill)
    if known is None:
        raise PipelineError(
            f"there is no backfill {backfill}", hint="`backfills list` has those there are", missing=True
        )
    return known


def refuse_if_over(system: IntegratedSystem, backfill: str) -> Backfill:
    """A backfill that is not over.

    Raises:
        PipelineError: there is none of that id, or it is over.
    """
    known = found(system, backfill)
    if known.state != "running":
        raise PipelineError(
            f"backfill {backfill} is {known.state}",
            hint=f"begin another: `backfill {known.dataset} --only missing --only failed`",
        )
    return known


def nothing(system: IntegratedSystem, plan: Plan) -> Result:
    """What comes of a plan without pieces: there is no backfill, and all is as it was asked for."""
    now = rfc3339(system.clock.now())
    return Result("", plan.dataset, "succeeded", now, now, 0, 0, 0, 0, 0, 0)


@operation("operator")
def start(system: IntegratedSystem, actor: Actor, plan: Plan) -> str:
    """Write down what is to be collected; gives the id. Somebody has to `go_on` with it.

    Raises:
        UsageError: there is nothing to collect.
        StateError: the log cannot be written.
    """
    if not plan.pieces:
        raise UsageError(f"{plan.dataset}: there is nothing to collect", hint=f"see `partitions {plan.dataset}`")
    backfill = uuid7(system.clock.time())
    data = {
        "actor": actor.name,
        "dataset": plan.dataset,
        "provider": plan.provider,
        "partitions": list(plan.pieces),
        "only": list(plan.only),
        "concurrency": plan.concurrency,
    }
    system.events.append([NewEvent("backfill.started", backfill, data, source="backfill")])
    return backfill


@operation("operator")
def go_on(
    system: IntegratedSystem,
    actor: Actor,
    backfill: str,
    *,
    cancel: CancelToken,
    told: Told = lambda _: None,
    wait: bool = True,
    limits: Limits | None = None,
) -> Result:
    """Work a backfill off in this process, from where it stopped; comes back when it is over, or stopped.

    Args:
        cancel: Stops it here: what came is stored, the rest waits for the next `go_on`.
        wait: Wait while the provider must be left in peace; else come back then.

    Raises:
        PipelineError: there is no such backfill, or it is over; or its dataset is no table in pieces any more.
        DatasetBusy: another process works on it.
        StateError, StoreError: the state cannot be written; what is in the log stays.
    """
    known = refuse_if_over(system, backfill)
    lease = lease_of(backfill)
    if not (granted := system.leases.acquire([lease])):
        raise DatasetBusy(
            f"another process works on backfill {backfill}", hint=f"`backfills show {backfill}` says how far it is"
        )
    try:
        with cancellable(cancel):
            _work(system, actor, known, cancel, told, wait=wait, limits=limits)
    except Cancelled:
        pass  # while it waited for the provider
    finally:
        system.leases.release(granted)
        system.distinct.forget()
    return result_of(system, backfill, publish=not cancel.cancelled)


@operation("operator")
def call_off(system: IntegratedSystem, actor: Actor, backfill: str, *, reason: str = "") -> Result:
    """Collect nothing more of a backfill. What is stored stays; what is under way just now is dropped.

    Raises:
        PipelineError: there is no such backfill, or it is over.
    """
    known = found(system, backfill)

    def runs(connection: Connection) -> None:
        refuse_if_done(connection, backfill, ())

    data = {"dataset": known.dataset, "actor": actor.name, "reason": reason}
    try:
        system.events.append([NewEvent("backfill.cancelled", backfill, data, source="backfill")], guard=runs)
    except StateError as error:
        if (now := found(system, backfill)).state == "running":
            raise
        raise PipelineError(f"backfill {backfill} is {now.state} already") from error
    return result_of(system, backfill)


def result_of(system: IntegratedSystem, backfill: str, *, publish: bool = False) -> Result:
    """How a backfill stands. `publish`: hand the new versions of its dataset to the sinks before."""
    known, backfills = found(system, backfill), Backfills(system.database)
    publications: tuple[Attempt, ...] = ()
    if publish and (dataset := _declared(system, known.dataset)) is not None and dataset.publish:
        publications = tuple(publish_pending(system, [dataset]))
    pieces = [
        {
            "partition": part.key,
            "state": part.state,
            "version": part.run_id if part.state == "held" else None,
            "run_id": part.run_id,
            "reason": part.reason,
        }
        for part in backfills.of(backfill)
        if part.state in {"held", "failed"}
    ]
    return replace(_result(system, known), pieces=tuple(pieces), publications=publications)


def _result(system: IntegratedSystem, known: Backfill) -> Result:
    return Result(
        known.id,
        known.dataset,
        _status(system, known),
        known.started_at,
        known.ended_at,
        known.total,
        known.collected,
        known.held,
        known.failed,
        known.waiting,
        known.rows,
        known.paused_until,
        known.reason,
        str(known.body.get("actor", "")),
    )


def listed(
    system: IntegratedSystem, dataset: str | None = None, *, limit: int = 20, before: str | None = None
) -> list[Result]:
    """How the newest backfills stand, of one dataset or of all; without what became of each piece.

    Args:
        before: Only those older than this one, to go on where a list ended.

    Raises:
        ConfigError: no such dataset.
    """
    if dataset is not None:
        system.settings.dataset(dataset)
    return [_result(system, one) for one in Backfills(system.database).all(dataset, limit=limit, before=before)]


def _status(system: IntegratedSystem, backfill: Backfill) -> str:
    if backfill.state == "running":
        return "interrupted" if system.leases.is_free(lease_of(backfill.id)) else "running"
    if backfill.state == "cancelled":
        return "cancelled"
    if backfill.collected == backfill.total:
        return "succeeded"
    return "degraded" if backfill.collected else "failed"


def _declared(system: IntegratedSystem, name: str) -> Any:
    return next((dataset for dataset in system.settings.datasets if dataset.name == name), None)


def _work(
    system: IntegratedSystem,
    actor: Actor,
    backfill: Backfill,
    cancel: CancelToken,
    told: Told,
    *,
    wait: bool,
    limits: Limits | None,
) -> None:
    work, backfills = _built(system, actor, backfill, cancel, told, limits), Backfills(system.database)
    while True:
        ended = work.go_on()
        if ended.why == "later":
            _note_pause(system, backfill, ended, told)
            if not wait:
                return
            _pause(system, backfills, backfill, ended)
        elif ended.why == "done":
            _finish(system, backfill)
            return
        else:
            return


def _built(
    system: IntegratedSystem, actor: Actor, backfill: Backfill, cancel: CancelToken, told: Told, limits: Limits | None
) -> Work:
    dataset = system.settings.dataset(backfill.dataset)
    if dataset.partition is None:
        raise PipelineError(
            f"{dataset.name} is no table in pieces any more", hint=f"`backfills cancel {backfill.id}` calls it off"
        )
    if dataset.publish:
        system.outbox.declare([dataset])
    system.own_network.look_again()
    memory_limit, views, backfills = system.settings.app.memory_limit, system.views, Backfills(system.database)
    provider = system.collector.provider_of(dataset)

    def open_for() -> float | None:
        breaker = system.resilience.policy(provider).breaker  # there once the collector has said what kind it is
        return None if breaker.state == "closed" else breaker.retry_after

    line = PieceLine(
        dataset,
        provider=provider,
        bringer=Bringer(system.collector, clock=system.clock, memory_limit=memory_limit),
        results=system.results,
        neighbours=Neighbours(system.distinct, system.results, views, system.settings),
        replaying=Replaying(system.raw, views),
        views=views,
        clock=system.clock,
    )
    commits = Commits(
        backfill,
        line,
        actor=actor.name,
        results=system.results,
        views=views,
        backfills=backfills,
        events=system.events,
        leases=system.leases,
        counted=system.resilience.news,
        clock=system.clock,
        memory_limit=memory_limit,
        redacted=system.loaded.known.redacted,
    )
    return Work(
        backfill,
        line,
        commits,
        backfills=backfills,
        results=system.results,
        views=views,
        open_for=open_for,
        clock=system.clock,
        cancel=cancel,
        told=told,
        limits=limits,
    )


def _note_pause(system: IntegratedSystem, backfill: Backfill, ended: Ended, told: Told) -> None:
    assert ended.later is not None
    seconds, reason = ended.later.seconds, system.loaded.known.redacted(ended.later.reason)
    if seconds >= TOLD_PAUSE_S or ended.tried:
        until = rfc3339(system.clock.now() + timedelta(seconds=seconds))
        data = {"dataset": backfill.dataset, "until": until, "reason": reason, "tried": list(ended.tried)}
        system.events.append([NewEvent("backfill.paused", backfill.id, data, source="backfill")])
        told(f"paused for {count_of(round(seconds), 'second')}: {reason}")


def _pause(system: IntegratedSystem, backfills: Backfills, backfill: Backfill, ended: Ended) -> None:
    """Leave the provider in peace. Whoever calls the backfill off meanwhile ends it.

    Raises:
        Cancelled: told to stop.
    """
    assert ended.later is not None
    end = system.clock.monotonic() + ended.later.seconds
    while (left := end - system.clock.monotonic()) > 0 and backfills.state(backfill.id) == "running":
        sleep(min(left, LOOK_EVERY_S), system.clock)


def _finish(system: IntegratedSystem, backfill: Backfill) -> None:
    """All pieces are done: say so, unless somebody called it off just now."""
    known = found(system, backfill.id)
    counts = {"collected": known.collected, "held": known.held, "failed": known.failed}
    data = {"dataset": known.dataset, "partitions": counts, "rows": known.rows}

    def still_runs(connection: Connection) -> None:
        refuse_if_done(connection, backfill.id, ())

    try:
        system.events.append([NewEvent("backfill.finished", backfill.id, data, source="backfill")], guard=still_runs)
    except StateError:
        if found(system, backfill.id).state == "running":
            raise
