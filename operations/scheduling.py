"""The scheduler of an installation: built of its parts; and what is due, seen to once, where none runs for long."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from data_pipeline.collect.addresses import provider_name
from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.queue import RunQueue
from data_pipeline.scheduling.arrivals import LONGEST_BURST_S, LOOK_EVERY_S, Arrivals
from data_pipeline.scheduling.closing import Windows
from data_pipeline.scheduling.entry import Shut
from data_pipeline.scheduling.leader import LEASE, Leader
from data_pipeline.scheduling.plan import Told
from data_pipeline.scheduling.scheduled import Scheduled, scheduled
from data_pipeline.scheduling.scheduler import LEADER_GRACE_S, Scheduler
from data_pipeline.scheduling.triggers import CONSUMER, DELIVERED, Triggers
from data_pipeline.scheduling.views import Schedules, Standing
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.show import delivered
from utils.leases import Owner
from utils.logger import get_logger

__all__ = ["DUE_GRACE_S", "Due", "due", "is_led", "scheduler_of"]

DUE_GRACE_S = 15 * 60.0
"""Seconds by which an occurrence may be late for `run --due` and still be on time: a crontab looks every so often."""


@dataclass(frozen=True, slots=True)
class Due:
    """What `due` found.

    Attributes:
        run_ids: The runs that were queued, in order; nobody works on them yet.
        seen: What became of every occurrence.
        led_by: The process that sees to the schedules, "" when it was this one; then nothing was done.
    """

    run_ids: tuple[str, ...] = ()
    seen: tuple[Told, ...] = ()
    led_by: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": list(self.run_ids),
            "occurrences": [one.to_json() for one in self.seen],
            "led_by": self.led_by or None,
        }


def scheduler_of(
    system: IntegratedSystem, *, told: Callable[[Told], None] = lambda _: None, grace_s: float = LEADER_GRACE_S
) -> Scheduler:
    """A scheduler for this installation; `told` hears of each occurrence once it is written."""
    schedules = Schedules(system.database)
    leader = Leader(system.leases, system.events, clock=system.clock)
    return Scheduler(
        lambda: scheduled(system.settings),
        leader=leader,
        queue=RunQueue(system.events, system.views, clock=system.clock),
        events=system.events,
        schedules=schedules,
        windows=Windows(schedules, lambda name, now: _holds(system, name, now), lambda name: _reason(system, name)),
        triggers=Triggers(system.events, schedules, clock=system.clock),
        clock=system.clock,
        changing=lambda: scheduled(system.settings, of_files=True),
        shut=lambda name: _shut(system, name),
        told=told,
        grace_s=grace_s,
    )


@operation("operator")
def due(system: IntegratedSystem, actor: Actor) -> Due:  # noqa: ARG001 - who may
    """Queue what every schedule says is due, once, by the policies of the schedules; and say what was skipped.

    Where another process leads nothing is done: it sees to all.

    Raises:
        ConfigError: the configuration has faults.
        StateError: the state cannot be used.
    """
    seen: list[Told] = []
    if led_by := is_led(system):
        return Due(led_by=led_by)
    if not _anything_due(system):
        return Due()
    scheduler = scheduler_of(system, told=seen.append, grace_s=DUE_GRACE_S)
    try:
        over = system.clock.monotonic() + LONGEST_BURST_S
        while scheduler.tick() == 0.0:
            pass
        while scheduler.waits_for_files and system.clock.monotonic() < over:
            system.clock.sleep(LOOK_EVERY_S)
            scheduler.tick()
        if not scheduler.leads and not seen:
            return Due(led_by=is_led(system) or "another process")
    finally:
        scheduler.close()
    return Due(tuple(one.run_id for one in seen if one.run_id is not None), tuple(seen))


def is_led(system: IntegratedSystem) -> str:
    """The process that sees to the schedules, for people; "" when there is none that lives."""
    if system.leases.is_free(LEASE, from_silent=True):
        return ""
    led = Schedules(system.database).leader()
    owner = Owner.parse(led.owner) if led is not None else None
    return "another process" if owner is None or not owner.pid else f"process {owner.pid} on {owner.host}"


def _anything_due(system: IntegratedSystem) -> bool:
    """Whether a scheduler would have anything to write: to look is cheap, to lead stands in the log."""
    schedules, now = Schedules(system.database), system.clock.now()
    stands = schedules.all()
    declared = scheduled(system.settings)
    if stands.keys() != {one.dataset for one in declared}:
        return True
    for one in declared:
        here = stands[one.dataset]
        if here.fingerprint != one.fingerprint:
            return True
        if here.paused_at is not None:
            continue
        if here.put_off is not None:
            if here.put_off <= now:
                return True
        elif any(one.timetable.starts_at(found) <= now for found in one.timetable.between(here.handled, now)):
            return True
        if one.asked.kind == "window" and _window_closed(one, here, now):
            return True
    return _anything_happened(system, schedules, [one for one in declared if not one.has_times])


def _window_closed(one: Scheduled, stands: Standing, now: datetime) -> bool:
    """Whether the window that was tried in last has closed since, a day ago at most: later it was judged."""
    tried = one.timetable.previous(stands.handled)
    if tried is None or tried.due <= stands.since:
        return False
    closes = one.timetable.window(tried).closes
    return closes <= now < closes + timedelta(days=1)


def _anything_happened(system: IntegratedSystem, schedules: Schedules, waiting: list[Scheduled]) -> bool:
    upstream = {name for one in waiting for name in one.asked.after}
    if upstream:
        cursor = next((one for one in system.cursors.standing() if one.name == CONSUMER), None)
        if cursor is None:
            return True
        if any(event.subject in upstream for event in system.events.read(after=cursor.seq, type=DELIVERED)):
            return True
    for one in waiting:
        if one.asked.on_file is not None:
            arrivals = Arrivals(one.asked.on_file, schedules.files(one.dataset))
            _, gone = arrivals.look(system.clock.time())
            if gone or arrivals.waits:
                return True
    return False


def _shut(system: IntegratedSystem, name: str) -> Shut | None:
    """Whether the circuits of all addresses of a dataset are open, and when the first of them may be tried."""
    dataset = system.settings.dataset(name)
    mirrors = [url for url in getattr(dataset.collect, "mirrors", ()) if "://" in url]
    providers = dict.fromkeys([system.collector.provider_of(dataset), *map(provider_name, mirrors)])
    now, until, first = system.clock.time(), inf, ""
    for provider in providers:
        verdict = system.verdicts.load(provider)
        if verdict is None or verdict.state != "open" or verdict.open_until <= now:
            return None
        if not first or verdict.open_until < until:
            until, first = verdict.open_until, provider
    return Shut(first, None if until == inf else datetime.fromtimestamp(until, UTC))


def _holds(system: IntegratedSystem, name: str, now: datetime) -> bool:
    """Whether `done_when` holds of what readers see; what cannot be judged is not done, and the log file says why."""
    from data_pipeline.validate.kernels.columns import CannotJudge
    from data_pipeline.validate.kernels.done import done

    asked = system.settings.dataset(name).schedule
    if asked is None or asked.done_when is None:
        return False
    try:
        rows = delivered(system, name)
        return done(asked.done_when, rows, now=now, zone=ZoneInfo(asked.zone or system.settings.app.zone))
    except PipelineError:
        return False  # nothing was delivered yet, or none of it is whole: the run says so
    except CannotJudge as error:
        get_logger("scheduler").warning("done_when.not_judged", dataset=name, reason=str(error))
        return False


def _reason(system: IntegratedSystem, name: str) -> str | None:
    """What came of a dataset's last run, where it was not well."""
    (last, *_) = system.views.recent(name, limit=1) or [{}]
    reason = last.get("reason")
    return str(reason) if reason else None
