"""The past of the log and of its views, as far as it has to be kept at hand: `retention.events`, `retention.runs`."""

from collections.abc import Callable
from datetime import timedelta

from integrated_system import IntegratedSystem
from operations.step import Step
from operations.words import size
from utils.database import StateError
from utils.events import rfc3339
from utils.events.sealing import Due, Sealing
from utils.storage import StorageError

RETENTION = "retention:versions"
"""The lease of who removes old versions, or needs that none is removed just now."""

LEFT_BEHIND_AGE = 24 * 3600.0
"""Seconds after which a segment that no event names was left by a process that is gone."""

DATASET_RUNS_AT_ONCE = 50_000
"""Dataset runs that one maintenance forgets at most: whoever wants to write waits for it."""


def seal_events(system: IntegratedSystem, *, dry_run: bool, in_time: Callable[[], bool]) -> Step:
    """Seal the old part of the log, one segment after the other, as long as there is time."""
    keep = system.settings.retention.events
    sealing = Sealing(system.events, needed=system.cursors.lowest, clock=system.clock)
    due = sealing.due(age=keep.age, size=keep.size)
    if dry_run:
        return Step("events", due.events, detail=_told("events would be sealed", due))
    count = takes = 0
    try:
        for path in sealing.leftovers(LEFT_BEHIND_AGE):
            system.storage.delete(path)
        sealing.clear(go_on=in_time)
        while in_time() and (segment := sealing.seal(due)) is not None:
            count, takes = count + segment.events, takes + segment.size
            sealing.clear(go_on=in_time)
            due = sealing.due(age=keep.age, size=keep.size)
    except (StateError, StorageError) as error:
        return Step("events", count, detail=f"sealing was given up, nothing is lost: {error}", well=False)
    return Step("events", count, detail=_told(f"events sealed, {size(takes)}" if count else "events sealed", due))


def forget_runs(system: IntegratedSystem, forgotten: list[str], *, dry_run: bool) -> Step:
    """Find the runs beyond their age.

    They leave the views with the event that tells of it, so that a rebuild forgets them too: `forgotten` gets the
    time before which all go.
    """
    oldest = rfc3339(system.clock.now() - timedelta(seconds=system.settings.retention.runs))
    end, count = system.views.past_runs(oldest, at_most=DATASET_RUNS_AT_ONCE)
    if count and not dry_run:
        forgotten.append(end)
    return Step("past_runs", count, detail="runs past their retention forgotten")


def _told(what: str, due: Due) -> str:
    return f"{what}; {due.held_back}" if due.held_back else what
