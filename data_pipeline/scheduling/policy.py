"""What becomes of occurrences that are due: run, skipped with a reason, or put in the place of a run. Decides only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from config.schedule import ScheduleSettings
from data_pipeline.scheduling.occurrence import Occurrence

__all__ = ["MOST_MISSED", "Busy", "Decision", "Reason", "Skip", "decide", "overlap_of", "skip_all"]

MOST_MISSED = 1000
"""Occurrences of one schedule that are run after a time in which nobody was there; older ones are skipped."""

Reason = Literal["missed", "overlap", "paused", "done", "provider"]
"""Why an occurrence was not run: nobody was there; the one before was not over; the schedule was paused; its window had
delivered; its provider's circuit was open."""

Overlap = Literal["skip", "queue", "replace"]


class Skip(NamedTuple):
    """Occurrences of one schedule in a row, oldest first, that are not run. `words`: why, in one sentence."""

    occurrences: Sequence[Occurrence]
    reason: Reason
    words: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The runs of a schedule that are not over, by their ids: `running`, and `waiting` in the queue."""

    running: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[str, ...]:
        """All of them."""
        return self.running + self.waiting

    def after(self, decision: "Decision") -> "Busy":
        """Those that are not over once this was done."""
        if not decision.run:
            return self
        gone = decision.replaced
        waiting = tuple(run_id for run_id in self.waiting if run_id not in gone)
        running = tuple(run_id for run_id in self.running if run_id not in gone)
        return Busy(running, (*waiting, *(one.run_id for one in decision.run)))


class Decision(NamedTuple):
    """What to do. `run` in this order; `replaced`: runs that are called off before."""

    run: tuple[Occurrence, ...] = ()
    skip: tuple[Skip, ...] = ()
    replaced: tuple[str, ...] = ()


def overlap_of(asked: ScheduleSettings) -> Overlap:
    """What `overlap` says.

    Unless it is written, what was caused waits: were it skipped, the data that caused it would lie there.
    """
    if asked.kind in ("after", "on_file") and "overlap" not in asked.model_fields_set:
        return "queue"
    return asked.overlap


def skip_all(due: Sequence[Occurrence], reason: Reason, words: str) -> Decision:
    """None of these is run."""
    return Decision(skip=(Skip(due, reason, words),) if due else ())


def decide(
    due: Sequence[Occurrence],
    *,
    missed: Literal["skip", "last", "all"],
    overlap: Overlap,
    on_time: bool,
    waited_for: str = "",
    busy: Busy = Busy(),
) -> Decision:
    """What becomes of the occurrences of one schedule that nobody has seen to.

    All but the newest were missed, for the next one was due before anybody came.

    Args:
        due: Oldest first, at least one.
        on_time: Whether the newest is taken up when it should be.
        waited_for: The provider that they were put off for, "" if they were not: then one run makes up for them all.
    """
    *before, newest = due
    if waited_for:
        chosen: Sequence[Occurrence] = (newest,)
        words = f"put off until {waited_for} could be asked; one run makes up for all"
        skips = skip_all(before, "provider", words).skip
    elif missed == "all":
        chosen = due[-MOST_MISSED:]
        words = f"nobody was there; of those that were missed the newest {MOST_MISSED:,} are run"
        skips = skip_all(due[:-MOST_MISSED], "missed", words).skip
    elif on_time or missed == "last":
        chosen = (newest,)
        skips = skip_all(before, "missed", "nobody was there; of those that were missed the last is run").skip
    else:
        return skip_all(due, "missed", "nobody was there; what is missed is not run (`missed: skip`)")
    over = _overlapping(chosen, overlap, busy, everything=missed == "all" and not waited_for)
    return Decision(over.run, (*skips, *over.skip), over.replaced)


def _overlapping(chosen: Sequence[Occurrence], overlap: Overlap, busy: Busy, *, everything: bool) -> Decision:
    """Which of these are run beside, after, or in the place of, the runs that are not over.

    Several at once are made up for one after the other: they wait, whatever `overlap` says.
    """
    if len(chosen) > 1 or not busy.runs:
        return Decision(tuple(chosen))
    if overlap == "replace":
        return Decision(tuple(chosen), replaced=busy.runs)
    if overlap == "queue":
        if len(busy.waiting) < (MOST_MISSED if everything else 1):
            return Decision(tuple(chosen))
        return skip_all(chosen, "overlap", f"run {busy.waiting[0]} waits already to begin after the one before")
    verb = "is not over" if busy.running else "has not begun"
    return skip_all(chosen, "overlap", f"run {busy.runs[0]} of the occurrence before {verb}")
