"""The schedules: how each stands and when it is due next; to pause them, and to let them go on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from config.schedule import ScheduleSettings
from data_pipeline.errors import PipelineError
from data_pipeline.graph import select
from data_pipeline.scheduling import pausing
from data_pipeline.scheduling.scheduled import Scheduled, scheduled
from data_pipeline.scheduling.views import Schedules, Skipped, Standing
from data_pipeline.store.views import Current
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.scheduling import is_led
from operations.words import listed as in_words
from utils.events import rfc3339

__all__ = ["Listing", "Moved", "Schedule", "listed", "pause", "resume", "words_of"]

LOOK_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule. Moments are RFC 3339; `next_due` is in the schedule's own zone, the others in UTC.

    Attributes:
        schedule: What it says, in words.
        next_due: None: it is paused, nothing is due any more, or what it waits for has no time.
        waits: It is due now, and nobody has seen to it yet.
        last_run, status: Of the last dataset run that its dataset had, whoever asked for it; None: it had none.
        failures: How many runs of the dataset failed one after the other.
        put_off, put_off_for: Until when it waits, because the circuit of that provider is open.
        overdue: When its window closed without data; None once data came.
        skipped: How many occurrences of the last day were skipped, by the reason; `why` is that of the newest.
    """

    dataset: str
    schedule: str
    zone: str
    next_due: str | None
    waits: bool
    last_due: str | None
    last_run: str | None
    status: str | None
    failures: int
    paused_at: str | None
    paused_by: str | None
    put_off: str | None
    put_off_for: str | None
    overdue: str | None
    skipped: dict[str, int]
    why: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Listing:
    """The schedules, and the process that sees to them; "": none does."""

    led_by: str
    schedules: tuple[Schedule, ...]

    def to_json(self) -> dict[str, Any]:
        return {"led_by": self.led_by or None, "schedules": [one.to_json() for one in self.schedules]}


@dataclass(frozen=True, slots=True)
class Moved:
    """Which schedules were paused, or go on; `already`: those that had been before. `skipped`: in the pause."""

    schedules: tuple[str, ...]
    already: tuple[str, ...] = ()
    skipped: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"schedules": list(self.schedules), "already": list(self.already), "skipped": self.skipped}


def listed(system: IntegratedSystem, names: Sequence[str] = ()) -> Listing:
    """How the named schedules stand, or all.

    Raises:
        ConfigError: a name that is not declared.
        PipelineError: a dataset without a schedule.
    """
    schedules, now = Schedules(system.database), system.clock.now()
    stands, current = schedules.all(), system.views.current()
    skipped = schedules.skipped(now - LOOK_BACK)
    rows = [
        _row(one, stands.get(one.dataset), current.get(one.dataset), skipped.get(one.dataset), now)
        for one in _chosen(system, names)
    ]
    return Listing(is_led(system), tuple(rows))


@operation("operator")
def pause(system: IntegratedSystem, actor: Actor, names: Sequence[str] = (), *, reason: str = "") -> Moved:
    """Have nothing of the named schedules run, or of all, until they are resumed.

    Raises:
        ConfigError: a name that is not declared.
        PipelineError: a dataset without a schedule.
    """
    stands = Schedules(system.database).all()
    chosen = [one.dataset for one in _chosen(system, names)]
    moved = tuple(name for name in chosen if not pausing.is_paused(stands, name))
    if moved:
        pausing.pause(system.events, moved, actor=actor.name, now=system.clock.now(), reason=reason)
    return Moved(moved, tuple(name for name in chosen if name not in moved))


@operation("operator")
def resume(system: IntegratedSystem, actor: Actor, names: Sequence[str] = ()) -> Moved:
    """Let the named schedules, or all, go on with what is due from now on. What lay in the pause is skipped.

    Raises:
        ConfigError: a name that is not declared.
        PipelineError: a dataset without a schedule.
        StateError: somebody else resumed one of them meanwhile.
    """
    stands = Schedules(system.database).all()
    chosen = _chosen(system, names)
    moving = [one for one in chosen if pausing.is_paused(stands, one.dataset)]
    skipped = pausing.resume(system.events, moving, actor=actor.name, now=system.clock.now())
    moved = tuple(one.dataset for one in moving)
    return Moved(moved, tuple(one.dataset for one in chosen if one.dataset not in moved), skipped)


def words_of(asked: ScheduleSettings) -> str:
    """What a schedule says, for people."""
    from utils.ages import duration

    every = duration(asked.every or 0.0)
    if asked.kind == "cron":
        return f"cron {asked.cron}"
    if asked.kind == "after":
        return f"after {in_words(list(asked.after))}"
    if asked.kind == "on_file":
        return f"on file {asked.on_file}"
    if asked.kind == "window":
        return f"every {every} from {asked.opens} until {asked.until}"
    return f"every {every}"


def _chosen(system: IntegratedSystem, names: Sequence[str]) -> list[Scheduled]:
    declared = {one.dataset: one for one in scheduled(system.settings)}
    asked = [dataset.name for dataset in select(system.settings, names)]
    for name in asked:
        if name not in declared and name in names:
            hint = "give it one, for example `schedule: {every: 15m}`, or run it by hand: `run " + name + "`"
            raise PipelineError(f"{name} has no schedule", hint=hint)
    found = [declared[name] for name in asked if name in declared]
    if names and not found:
        hint = "give one of them a `schedule`, for example `{every: 15m}`"
        raise PipelineError(f"no dataset of {', '.join(names)} has a schedule", hint=hint)
    return found


def _row(
    one: Scheduled, stands: Standing | None, current: Current | None, skipped: Skipped | None, now: datetime
) -> Schedule:
    paused = stands is not None and stands.paused_at is not None
    put_off = None if stands is None else stands.put_off
    following = None if paused else one.timetable.next(now if stands is None else max(now, stands.handled))
    pending = None if stands is None or paused or put_off else one.timetable.next(stands.handled)
    waits = pending is not None and one.timetable.starts_at(pending) <= now
    overdue = None if stands is None else stands.overdue
    if overdue is not None and current is not None and (current.collected_at or "") >= rfc3339(overdue):
        overdue = None
    return Schedule(
        dataset=one.dataset,
        schedule=words_of(one.asked),
        zone=str(one.timetable.zone),
        next_due=None if following is None else following.due.astimezone(one.timetable.zone).isoformat(),
        waits=waits,
        last_due=_text(None if stands is None else stands.last_due),
        last_run=None if current is None else current.run_id,
        status=None if current is None else current.status,
        failures=0 if current is None else current.failures,
        paused_at=_text(None if stands is None else stands.paused_at),
        paused_by=stands.paused_by if stands is not None and paused else None,
        put_off=_text(put_off),
        put_off_for=stands.put_off_for if stands is not None and put_off else None,
        overdue=_text(overdue),
        skipped={} if skipped is None else skipped.counts,
        why=None if skipped is None else skipped.words,
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
