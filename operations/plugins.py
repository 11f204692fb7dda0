"""Plug-ins at work: their numbers are sampled and their handlers called after each run, and by `maintain`.

Whatever one of them does, the run is over by then and keeps its result: what fails is named, in the log of events and
in the log file.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.own_metrics import record
from utils.database import StateError
from utils.events import NewEvent
from utils.logger import get_logger
from utils.one_line import one_line

if TYPE_CHECKING:
    from utils.events.following import Consumer, Following

__all__ = ["Worked", "begin", "let_work"]

HANDLERS_S = 5.0
"""How long a run waits for handlers; what they have not seen by then waits for the next time."""


@dataclass(frozen=True, slots=True)
class Worked:
    """How many numbers were sampled and events handled; what failed, in words."""

    sampled: int = 0
    handled: int = 0
    failed: tuple[str, ...] = ()


def begin(system: IntegratedSystem) -> None:
    """Before a run: handlers that are new begin with its first event."""
    if system.settings.plugins:
        for consumer in _consumers(system):
            cursor = system.cursors.take(consumer.name, consumer.pattern, start=consumer.start)
            if cursor is not None:
                system.cursors.release(cursor, cursor.seq)


def let_work(system: IntegratedSystem) -> Worked:
    """Sample every number, then have the handlers catch up with the log, for a few seconds at most."""
    if not system.settings.plugins:
        return Worked()
    failed = {fault.plugin: f"{fault.error}. {fault.hint}" for fault in system.plugins.faults}
    sampled = 0
    for plugin in system.plugins.loaded:
        for metric in plugin.metrics:
            try:
                value = metric.function()
                if value is not None:
                    record(system, Actor(f"plugin:{plugin.name}"), metric.name, value, metric.unit, metric.tags)
                    sampled += 1
            except StateError:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever somebody else's function does
                words = str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
                failed[f"{plugin.name}.{metric.name}"] = f"the number could not be sampled ({words})"
    for what, told in failed.items():
        _tell(system, what, told)
    handled, late = _catch_up(system)
    return Worked(sampled, handled, (*(f"{what}: {told}" for what, told in failed.items()), *late))


def _catch_up(system: IntegratedSystem) -> tuple[int, list[str]]:
    """Each handler in a thread of its own, for one that hangs must not keep the others, or the run, for ever."""
    following = [_following(system, consumer) for consumer in _consumers(system)]
    threads = [
        threading.Thread(target=_follow, args=(one,), name=f"follow:{one.consumer.name}", daemon=True)
        for one in following
    ]
    for thread in threads:
        thread.start()
    over = system.clock.monotonic() + HANDLERS_S
    for thread in threads:
        thread.join(max(0.0, min(HANDLERS_S, over - system.clock.monotonic())))
    failed = []
    for one, thread in zip(following, threads, strict=True):
        one.stopping = True
        if thread.is_alive():
            failed.append(f"{one.consumer.name}: is still at work after {HANDLERS_S:g} s")
            get_logger("plugins").warning("plugin.late", handler=one.consumer.name, seconds=HANDLERS_S)
        elif one.figures.failed:
            failed.append(f"{one.consumer.name}: failed (see `events consumers`)")
            get_logger("plugins").warning("plugin.failed", handler=one.consumer.name, times=one.figures.failed)
    return sum(one.figures.handled for one in following), failed


def _follow(following: "Following") -> None:
    """To the end of the log, or to what the handler cannot take; the next time goes on there."""
    try:
        while not following.stopping and following.step() == 0.0:
            pass
        following.close()
    except StateError as error:
        get_logger("plugins").warning("plugin.waits", handler=following.consumer.name, error=str(error))


def _following(system: IntegratedSystem, consumer: "Consumer") -> "Following":
    from utils.events.following import Following  # with asyncio, which a run without handlers does not wait for

    redacted = system.loaded.known.redacted
    return Following(consumer, system.events, system.cursors, clock=system.clock, redacted=redacted)


def _consumers(system: IntegratedSystem) -> "list[Consumer]":
    return [consumer for plugin in system.plugins.loaded for consumer in plugin.consumers]


def _tell(system: IntegratedSystem, what: str, error: str) -> None:
    words = one_line(system.loaded.known.redacted(error), 500)
    get_logger("plugins").warning("plugin.failed", plugin=what, error=words)
    system.events.append([NewEvent("plugin.failed", what, {"error": words}, source="plugins")])
