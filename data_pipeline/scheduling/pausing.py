"""Schedules that are paused, and go on: what lay in the pause is skipped, and never made up for."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from data_pipeline.scheduling.plan import skip_events
from data_pipeline.scheduling.policy import Skip
from data_pipeline.scheduling.scheduled import Scheduled
from data_pipeline.scheduling.views import Schedules, Standing, paused
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent, rfc3339

__all__ = ["begins", "is_paused", "pause", "resume"]

SOURCE = "operations"

FAR_AHEAD = timedelta(days=1)
"""A schedule that was seen to further ahead than this was led by a wrong clock: resumed, it begins anew now."""


def is_paused(stands: Mapping[str, Standing], name: str) -> bool:
    """Whether a schedule is, as the views say; one that nobody has seen to yet may be, too."""
    return name in stands and stands[name].paused_at is not None


def pause(events: EventStore, names: Sequence[str], *, actor: str, now: datetime, reason: str = "") -> None:
    """From now on nothing of these schedules is run."""
    data = {"since": rfc3339(now), "actor": actor, "reason": reason or None}
    events.append([NewEvent("schedule.paused", name, data, source=SOURCE) for name in names])


def resume(events: EventStore, moving: Sequence[Scheduled], *, actor: str, now: datetime) -> int:
    """These schedules, which are paused, go on with what is due from now on; gives how many occurrences were skipped.

    Raises:
        StateError: somebody else resumed one of them meanwhile; none was.
    """
    stands = Schedules(events.database).all()
    told: list[NewEvent] = []
    skipped = 0
    for one in moving:
        here = stands[one.dataset]
        for skip in _in_the_pause(one, here, now):
            told += skip_events(one.dataset, skip, source=SOURCE)
            skipped += len(skip.occurrences)
        data = {"since": rfc3339(begins(here, now)), "actor": actor}
        told.append(NewEvent("schedule.resumed", one.dataset, data, source=SOURCE))
    if told:
        names = {one.dataset for one in moving}
        events.append(told, guard=lambda connection: _still_paused(connection, names))
    return skipped


def begins(stands: Standing | None, now: datetime) -> datetime:
    """From when on a schedule counts that is changed or resumed now.

    Where the clock was set back, what was seen to is not seen to again, unless it lies in a future that was none.
    """
    if stands is None or stands.handled - now > FAR_AHEAD:
        return now
    return max(now, stands.handled)


def _in_the_pause(one: Scheduled, stands: Standing, now: datetime) -> list[Skip]:
    """What was due since the schedule was seen to last: before it was paused, and in the pause."""
    began = stands.paused_at or now
    due = list(one.timetable.between(stands.handled, now))
    before = [occurrence for occurrence in due if occurrence.due <= began]
    within = due[len(before) :]
    found = [Skip(before, "missed", "nobody was there before the schedule was paused")] if before else []
    words = f"the schedule was paused by {stands.paused_by}"
    return [*found, Skip(within, "paused", words)] if within else found


def _still_paused(connection: Connection, names: set[str]) -> None:
    if moved := names - paused(connection):
        words = f"{min(moved)}: somebody else resumed it meanwhile"
        raise StateError(words, hint="look with `schedules list`", transient=True)
