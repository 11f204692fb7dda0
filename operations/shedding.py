"""When the disk fills: drop what can be had again, in a fixed order, until there is room; and say what took it.

Temporary files, cache, old raw answers, old log files, old versions. Never last good, held, quarantined rows that wait,
the log, the outbox.
"""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from config.sections import VersionRetention
from integrated_system import IntegratedSystem
from operations import pruning
from operations.actor import Actor, operation
from operations.copies import settle_copies
from operations.housekeeping import Busy, turn
from operations.logs import log_archive
from operations.room import Consumer, Disk, biggest, disk_of
from operations.step import Step
from operations.words import duration, size
from utils.database import StateError
from utils.events import NewEvent
from utils.logger import get_logger
from utils.storage import StorageError

if TYPE_CHECKING:
    from utils.log_archive import LogArchive

__all__ = ["ORDER", "Shed", "shed", "shed_now"]

ORDER = ("temporary", "cache", "raw", "logs", "versions")
"""What goes, and in which order."""

SHORT_AGE = 3600.0
"""Seconds after which a temporary file goes that nobody has open: longer than any collection may take."""

KEPT_VERSIONS = (5, 2, 1)
"""How many versions of a dataset are kept, from trial to trial; the last one is what readers see."""

Pace = Sequence[tuple[float, int]]
"""(monotonic seconds, free bytes), the oldest first."""


@dataclass(frozen=True, slots=True)
class Shed:
    """What was dropped (in a dry run: would be), from which disk.

    Attributes:
        consumers: What takes most of the room, before anything went.
        hours_left: Until the disk is full at the pace of the last minutes; None: it does not fill, or nobody knows.
    """

    dry_run: bool
    before: Disk
    after: Disk
    steps: tuple[Step, ...]
    consumers: tuple[Consumer, ...]
    hours_left: float | None
    words: str

    @property
    def freed(self) -> int:
        return sum(step.freed for step in self.steps)

    def __bool__(self) -> bool:
        """Whether anything was."""
        return any(step.count or step.freed for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "freed_bytes": self.freed,
            "before": {"percent": round(self.before.percent, 1), "free_bytes": self.before.free},
            "after": {"percent": round(self.after.percent, 1), "free_bytes": self.after.free},
            "steps": [step.to_json() for step in self.steps],
            "consumers": [{"name": one.name, "bytes": one.bytes} for one in self.consumers],
            "hours_left": None if self.hours_left is None else round(self.hours_left, 2),
            "words": self.words,
        }


@operation("operator")
def shed(
    system: IntegratedSystem,
    actor: Actor,
    *,
    below: float = 80.0,
    dry_run: bool = False,
    pace: Pace = (),
) -> Shed:
    """Make room until less than `below` percent of the state's disk are used.

    Temporary files and the cache go at once. What cannot be had again from anybody, old answers and versions, goes only
    when that makes the difference, or when the disk is critical anyway: if others fill it, dropping ours helps nobody.

    Args:
        pace: How much was free of late, to say when the disk is full.

    Raises:
        Busy: another process maintains the state, and what may go without that did not free anything.
        StateError: nothing could be freed, and the state cannot be written.
        OSError: the disk cannot be asked.
    """
    return _Shedding(system, actor, below, dry_run, pace).work(nullcontext() if dry_run else turn(system))


def shed_now(
    system: IntegratedSystem, actor: Actor, *, below: float = 80.0, dry_run: bool = False, pace: Pace = ()
) -> Shed:
    """The same, for who has the turn to maintain the state by now."""
    return _Shedding(system, actor, below, dry_run, pace).work(nullcontext())


class _Shedding:
    def __init__(self, system: IntegratedSystem, actor: Actor, below: float, dry_run: bool, pace: Pace) -> None:
        self._system, self._actor, self._below, self._dry_run = system, actor, below, dry_run
        self._before = disk_of(system.state_dir)
        self._consumers = tuple(biggest(system, self._before))
        self._hours_left = hours_left(pace)
        self._done: list[Step] = []

    def work(self, turn: AbstractContextManager[None]) -> Shed:
        """`turn`: to maintain the state. On a disk without any room it can only be had once the first two steps are."""
        for step in (self._temporary, self._cache):
            if self._needed() > 0:
                self._done.append(step())
        if self._needed() <= 0:
            return self._told(self._done)
        try:
            with turn:
                return self._rest()
        except (Busy, StateError) as error:
            if not (told := self._told(self._done)):
                raise
            get_logger("disk").warning("disk.not_all_shed", reason=str(error))
            return told

    def _rest(self) -> Shed:
        if not self._is_worth_it():
            return self._told(self._done)
        elsewhere = self._system.settings.storage.in_bucket  # then what is kept takes no room here: only its copies do
        for step in (self._copies if elsewhere else self._raw, self._logs):
            if self._needed() > 0:
                self._done.append(step())
        return self._told(self._done) if elsewhere else self._versions(self._told(self._done))

    def _needed(self) -> int:
        """Bytes that are still needed; a dry run has freed nothing."""
        dry = sum(step.freed for step in self._done) if self._dry_run else 0
        return max(0, disk_of(self._system.state_dir).needed(self._below) - dry)

    def _is_worth_it(self) -> bool:
        critical: float = self._system.settings.monitor.thresholds.disk[1]
        if disk_of(self._system.state_dir).percent >= critical or self._system.settings.storage.in_bucket:
            return True
        could = (
            pruning.raw(self._system, dry_run=True, needed=self._needed()).freed
            + sum(path.stat().st_size for path in self._archive().old(self._system.clock.time()))
            + pruning.versions(self._system, [], dry_run=True, keep=self._keep(KEPT_VERSIONS[-1]), held=False).freed
        )
        return could >= self._needed()

    # --- the steps ----------------------------------------------------------------------------

    def _temporary(self) -> Step:
        """And the snapshots of the views: they are made anew when there is room again."""
        found = pruning.temporary(self._system, dry_run=self._dry_run, age=SHORT_AGE)
        snapshots = self._system.snapshots
        freed = snapshots.size() if self._dry_run else snapshots.clear()
        return replace(found, count=found.count + bool(freed), freed=found.freed + freed)

    def _cache(self) -> Step:
        """All of it, as files: a database on a full disk cannot even forget."""
        folder = self._system.state_dir / "cache"
        if not folder.is_dir():
            return Step("cache", detail="it does not lie on this disk, or is empty")
        taken = sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
        entries = self._system.cache.statistics().entries
        if not self._dry_run:
            self._system.cache.close()
            shutil.rmtree(folder, ignore_errors=True)
        return Step("cache", entries, taken, "results in the cache removed")

    def _copies(self) -> Step:
        try:
            return settle_copies(self._system, dry_run=self._dry_run, in_time=lambda: True, most=0)
        except StorageError as error:
            return Step("copies", detail=f"given up: {error}", well=False)

    def _raw(self) -> Step:
        return pruning.raw(self._system, dry_run=self._dry_run, needed=self._needed())

    def _logs(self) -> Step:
        archive, now = self._archive(), self._system.clock.time()
        old = archive.old(now)
        freed = sum(path.stat().st_size for path in old)
        if not self._dry_run:
            for path in old:
                path.unlink(missing_ok=True)
        return Step("logs", len(old), freed, "old log files removed")

    def _versions(self, told: Shed) -> Shed:
        """The log says which go before they go: a version that it knows, and whose file is gone, would be damaged."""
        for count in KEPT_VERSIONS:
            if self._needed() <= 0:
                break
            gone: list[str] = []
            try:
                step = pruning.versions(
                    self._system,
                    gone,
                    dry_run=self._dry_run,
                    keep=self._keep(count),
                    held=False,
                    before=partial(self._say_what_goes, gone),
                )
            except StateError as error:
                get_logger("disk").warning(
                    "disk.versions_stay", reason=str(error), why="the log cannot say that they go"
                )
                break
            self._done.append(step)
        return told if told.steps == tuple(self._done) else self._shed(self._done)

    def _keep(self, count: int) -> VersionRetention:
        asked = self._system.settings.retention.versions
        return asked.model_copy(update={"count": min(count, asked.count)})

    def _say_what_goes(self, gone: list[str], step: Step) -> None:
        self._append(self._shed([step], yet=step.freed), gone)

    def _archive(self) -> "LogArchive":
        return log_archive(self._system, files=1)

    # --- telling ------------------------------------------------------------------------------

    def _shed(self, steps: Sequence[Step], *, yet: int = 0) -> Shed:
        """`yet`: bytes that are still to be freed by these steps."""
        after = disk_of(self._system.state_dir)
        yet = sum(step.freed for step in steps) if self._dry_run else yet
        after = Disk(after.used - yet, after.free + yet)
        shown = tuple(step for step in steps if step.count or step.freed)
        words = _words(self._system.state_dir, self._before, shown, self._consumers, self._hours_left, self._dry_run)
        return Shed(self._dry_run, self._before, after, tuple(steps), self._consumers, self._hours_left, words)

    def _told(self, steps: Sequence[Step]) -> Shed:
        found = self._shed(steps)
        if found and not self._dry_run:
            try:
                self._append(found, [])
            except StateError as error:
                get_logger("disk").warning("disk.shed", words=found.words, not_in_the_log=str(error))
        return found

    def _append(self, told: Shed, removed: list[str]) -> None:
        if not told:
            return
        data = {"actor": self._actor.name, "removed": removed, **told.to_json()}
        self._system.events.append([NewEvent("disk.shed", "disk", data, source="operations")])


def hours_left(pace: Pace) -> float | None:
    """Hours until nothing is free, at the pace from the first of these to the last; None: it does not sink.

    >>> hours_left([(0.0, 3_000_000), (60.0, 2_000_000)])
    0.03333333333333333
    """
    if len(pace) < 2:
        return None
    (then, was), (now, free) = pace[0], pace[-1]
    return free * (now - then) / (was - free) / 3600.0 if was > free and now > then else None


def _words(
    path: object,
    before: Disk,
    steps: Sequence[Step],
    consumers: Sequence[Consumer],
    left: float | None,
    dry_run: bool,
) -> str:
    full = f"the disk of {path} is {before.percent:.0f} % full, {size(before.free)} are free"
    seconds = None if left is None else left * 3600.0
    soon = "within a minute" if seconds is not None and seconds < 60.0 else f"in {duration(seconds)}"
    when = "" if seconds is None else f"; at the present pace it is full {soon}"
    most = ", ".join(f"{one.name} {size(one.bytes)}" for one in consumers)
    freed = [f"{step.name} {size(step.freed)}" for step in steps]
    did = "would free" if dry_run else "freed"
    told = f"{did} {', '.join(freed)}" if freed else "nothing can be dropped that can be had again"
    return f"{full}{when}. Most of it: {most}. {told[0].upper()}{told[1:]}."
