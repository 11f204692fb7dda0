"""When maintenance is due, that one process at a time does it, and what it begins with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.room import is_full
from utils.events import Event

__all__ = ["LEASE", "Busy", "left_first", "overdue", "turn"]

LEASE = "maintenance"

SOONER = 10
"""A maintenance that left steps is followed after a tenth of the time."""

FULL_AGAIN_S = 600.0
"""Seconds after which a disk that is full is seen to again."""

S = TypeVar("S")


class Busy(PipelineError):
    """Another process is at it."""


def overdue(system: IntegratedSystem) -> bool:
    """Whether the last maintenance (or, on a fresh state, the first event) is longer ago than `maintenance.every`.

    One that left steps, because its time was over, is followed sooner; and a disk that is full does not wait. Never
    while somebody maintains.
    """
    done = _last(system)
    since = [done] if done is not None else system.events.read(limit=1)
    if not since:
        return False
    wait = system.settings.maintenance.every / (SOONER if done is not None and done.data.get("left") else 1)
    if is_full(system):
        wait = min(wait, FULL_AGAIN_S)
    age = system.clock.now() - datetime.fromisoformat(since[0].time)
    return age.total_seconds() > wait and system.leases.is_free(LEASE)


@contextmanager
def turn(system: IntegratedSystem) -> Iterator[None]:
    """The only maintenance, in all processes, as long as it lasts.

    Raises:
        Busy: there is one already.
    """
    held = system.leases.acquire([LEASE])
    if not held:
        raise Busy("another process maintains this state just now", hint="wait until it is done; it does the same")
    try:
        yield
    finally:
        system.leases.release(held)


def left_first(system: IntegratedSystem, steps: Sequence[tuple[str, S]]) -> list[tuple[str, S]]:
    """The steps in their order, those first for which the last maintenance had no time."""
    done = _last(system)
    left: set[Any] = set() if done is None else set(done.data.get("left", ()))
    return sorted(steps, key=lambda step: step[0] not in left)


def _last(system: IntegratedSystem) -> Event | None:
    found = system.events.read(type="maintenance.finished", limit=1, newest_first=True)
    return found[0] if found else None
