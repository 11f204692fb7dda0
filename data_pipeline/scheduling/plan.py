"""What a tick is about to write: runs to queue, what is skipped, all of it in one commit."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from data_pipeline.run_queue.request import Because, Kind, RunRequest
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.policy import Busy, Decision, Skip
from data_pipeline.scheduling.scheduled import Scheduled
from utils.events import NewEvent, rfc3339

__all__ = ["ACTOR", "SOURCE", "Caused", "Plan", "Told", "skip_events"]

ACTOR = "schedule"
SOURCE = "scheduler"

MOST_ROWS = 1000
"""Occurrences of one schedule that are skipped with an event each; a longer row of them is one event."""


class Caused(NamedTuple):
    """Something happened that a schedule waits for. `what`: the dataset that delivered, the file that came."""

    scheduled: Scheduled
    occurrence: Occurrence
    what: str


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an occurrence, or of `number` in a row up to `last`; `outcome`: `queued`, or why not."""

    schedule: str
    due: datetime
    last: datetime
    number: int
    outcome: str
    words: str = ""
    run_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A line of `schedule --json`."""
        row: dict[str, Any] = {"schedule": self.schedule, "due": rfc3339(self.due)}
        if self.number > 1:
            row |= {"last": rfc3339(self.last), "count": self.number}
        return {**row, "outcome": self.outcome, "reason": self.words or None, "run_id": self.run_id}


@dataclass(slots=True)
class Plan:
    """What is gathered before it is written.

    Attributes:
        names: The schedules it is about.
        replaced: Runs that are called off once those that take their places are queued.
    """

    names: set[str] = field(default_factory=set)
    requests: list[RunRequest] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many events it will be."""
        return len(self.requests) + len(self.events)

    def add(self, one: Scheduled, decision: Decision, *, cause: str = "") -> None:
        """What was decided about a schedule. `cause`: what happened, where it is not a clock that says when."""
        self.names.add(one.dataset)
        for skip in decision.skip:
            self.skip(one.dataset, skip, cause=cause)
        self.replaced += decision.replaced
        for occurrence in decision.run:
            kind: Kind = "schedule" if one.has_times else "after" if one.asked.after else "on_file"
            because = Because(kind, one.dataset, occurrence.due, cause)
            run_id = occurrence.run_id
            self.requests.append(
                RunRequest((one.dataset,), actor=ACTOR, run_id=run_id, priority=one.priority, because=because)
            )
            self.told.append(Told(one.dataset, occurrence.due, occurrence.due, 1, "queued", cause, run_id))

    def added_to(self, busy: dict[str, Busy]) -> dict[str, Busy]:
        """The runs that are not over once this is written, which changes the map."""
        gone = set(self.replaced)
        for request in self.requests:
            (name,) = request.datasets
            here = busy.get(name, Busy())
            waiting = tuple(run_id for run_id in here.waiting if run_id not in gone)
            if request.run_id not in waiting:
                running = tuple(run_id for run_id in here.running if run_id not in gone)
                busy[name] = Busy(running, (*waiting, request.run_id))
        return busy

    def skip(self, dataset: str, skip: Skip, *, cause: str = "") -> None:
        """Occurrences that are not run, each with its reason."""
        self.names.add(dataset)
        self.events += skip_events(dataset, skip, cause=cause)
        first, last = skip.occurrences[0].due, skip.occurrences[-1].due
        self.told.append(Told(dataset, first, last, len(skip.occurrences), skip.reason, skip.words))

    def note(self, event: NewEvent) -> None:
        """Something else to tell the log of a schedule, which is the event's subject."""
        self.names.add(event.subject)
        self.events.append(event)


def skip_events(dataset: str, skip: Skip, *, cause: str = "", source: str = SOURCE) -> list[NewEvent]:
    """One `schedule.skipped` an occurrence; of a long row of them one for all."""
    told: dict[str, Any] = {"reason": skip.reason, "words": skip.words}
    if cause:
        told["cause"] = cause
    found = skip.occurrences
    if len(found) > MOST_ROWS:
        row = {"first": rfc3339(found[0].due), "last": rfc3339(found[-1].due), "count": len(found), **told}
        return [NewEvent("schedule.skipped", dataset, {"id": found[0].run_id, **row}, source=source)]
    return [_skipped(dataset, occurrence, told, source) for occurrence in found]


def _skipped(dataset: str, occurrence: Occurrence, told: dict[str, Any], source: str) -> NewEvent:
    data = {"id": occurrence.run_id, "due": rfc3339(occurrence.due), **told}
    return NewEvent("schedule.skipped", dataset, data, source=source)
