"""What the buttons do: ask for a run, keep house; and how that is getting on, in words."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.source import Source
from dashboard.words import Tone, plain, tone_of
from operations.activity import Activity, RunActivity, run_activity
from operations.actor import Actor, local_user
from operations.maintain import Maintenance, maintain
from operations.run import queue
from operations.trouble import Trouble, told
from operations.words import listed, size

LOST_AFTER = 30.0
"""Seconds after which a run that nobody took up is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asked for. `run_id`: the run to follow; `trouble`: why it could not even be asked for."""

    kind: Literal["run", "maintenance"]
    run_id: str = ""
    joined: bool = False
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How it is getting on, or what came of it. `share`: 0 to 1, None where it cannot be told."""

    tone: Tone
    words: str
    finished: bool
    share: float | None = None


class Actions:
    """One for all sessions of a process, so that two quick clicks, in one window or two, have one effect.

    Args:
        actor: Who clicks, as it stands in the log.
        quiet: Seconds in which a second click belongs to the first.
    """

    def __init__(self, source: Source, *, actor: Callable[[], Actor] = local_user, quiet: float = 2.0) -> None:
        self._source = source
        self._actor = actor
        self._quiet = quiet
        self._guard = threading.Lock()
        self._housekeeper = ThreadPoolExecutor(1, thread_name_prefix="dashboard-maintenance")
        self._run: tuple[float, Ask] | None = None
        self._maintenance: tuple[float, Future[Maintenance]] | None = None

    def run_now(self) -> Ask:
        """Queue a run of every dataset for a detached process; or join the run that is going on."""
        with self._guard:
            now = self._source.monotonic()
            if self._run is not None and now - self._run[0] < self._quiet:
                return self._run[1]
            if (going_on := self._unfinished_run()) is not None:
                return Ask("run", going_on.run_id, joined=True)
            try:
                queued = self._source.call(lambda system: queue(system, self._actor()))
            except Exception as error:  # noqa: BLE001 - told on the page, and logged when it is not one of ours
                return Ask("run", trouble=told(error))
            ask = Ask("run", queued.run_id)
            self._run = (now, ask)
            return ask

    def maintain(self) -> Ask:
        """Start maintenance in a thread of its own; or join the one that is going on."""
        with self._guard:
            now = self._source.monotonic()
            if self._maintenance is not None:
                began, doing = self._maintenance
                if not doing.done() or now - began < self._quiet:
                    return Ask("maintenance", joined=True)
            self._maintenance = (now, self._housekeeper.submit(self._keep_house))
            return Ask("maintenance")

    def progress(self, ask: Ask) -> Progress:
        """How an ask is getting on."""
        if ask.trouble is not None:
            hint = f" {plain(ask.trouble.hint, limit=300)}" if ask.trouble.hint else ""
            return Progress("bad", f"Not started: {plain(ask.trouble.message, limit=600)}.{hint}", finished=True)
        if ask.kind == "maintenance":
            return self._maintenance_progress()
        try:
            run = self._source.call(lambda system: run_activity(system, ask.run_id))
        except Exception as error:  # noqa: BLE001 - as above
            return Progress("bad", f"The run cannot be followed: {plain(told(error).message)}", finished=True)
        return run_progress(run, self._source.now(), joined=ask.joined)

    def wait(self) -> None:
        """Return when the maintenance that was asked for is over."""
        if self._maintenance is not None:
            self._maintenance[1].exception()

    def close(self) -> None:
        """Let what is going on end, then take nothing more."""
        self._housekeeper.shutdown()

    def _unfinished_run(self) -> RunActivity | None:
        seen: Activity | None = self._source.reading().activity
        if seen is None or isinstance(seen.runs, Trouble):
            return None
        now = self._source.now()
        return next((run for run in seen.runs if run.unfinished and not _is_lost(run, now)), None)

    def _keep_house(self) -> Maintenance:
        # A system of its own: a long maintenance must not make the page wait.
        with self._source.build() as system:
            return maintain(system, self._actor())

    def _maintenance_progress(self) -> Progress:
        if self._maintenance is None:
            return Progress("neutral", "No maintenance was asked for since this page was started.", finished=True)
        doing = self._maintenance[1]
        if not doing.done():
            return Progress("busy", "Maintenance is going on: purge, prune, compact, verify.", finished=False)
        error = doing.exception()
        if isinstance(error, Exception):
            trouble = told(error)
            return Progress("bad", f"Maintenance failed: {plain(trouble.message)}. {trouble.hint}".strip(), True)
        return maintenance_progress(doing.result())


def run_progress(run: RunActivity | None, now: datetime, *, joined: bool = False) -> Progress:
    """A run in words."""
    if run is None:
        return Progress("bad", "The run is not in the log any more: the state was replaced.", finished=True)
    which = "The run that was going on already" if joined else "The run"
    if run.status == "queued":
        if _is_lost(run, now):
            words = "No process took the run up. Why, stands in logs/detached.log of the state directory."
            return Progress("bad", words, finished=True)
        what = "its turn" if run.awaited else "its process"
        return Progress("busy", f"{which} waits for {what}.", finished=False, share=0.0)
    if run.status == "running":
        words = f"{which} has done {run.done} of {run.total} datasets."
        return Progress("busy", words, finished=False, share=run.done / run.total if run.total else None)
    took = f" in {run.duration_s:.1f} s" if run.duration_s is not None else ""
    ended = ", ".join(f"{count} {state}" for state, count in run.counts.items() if count)
    if not ended and run.total:
        ended = f"it stopped after {run.done} of {run.total} datasets"
        ended += f", {plain(run.error, limit=200)}" if run.error else ""
    names = f" ({listed(list(run.bad), most=6)})" if run.bad else ""
    told_end = {
        "succeeded": "succeeded",
        "degraded": "ended degraded",
        "failed": "failed",
        "cancelled": "was cancelled",
        "interrupted": "was interrupted",
    }.get(run.status)
    words = f"{which} {told_end or run.status}{took}{f': {ended}{names}' if ended else ''}."
    return Progress(tone_of(run.status), plain(words, limit=400), finished=True, share=1.0)


def maintenance_progress(done: Maintenance) -> Progress:
    """What a maintenance did, in words."""
    did = [f"{step.count:,} {step.detail}" for step in done.steps if step.count and step.well and step.name != "log"]
    sick = [f"{step.name}: {step.detail}" for step in done.steps if not step.well]
    words = f"Maintenance freed {size(done.freed)}. {'; '.join(did) + '.' if did else 'Nothing had to go.'}"
    if sick:
        return Progress("bad", plain(f"{words} Not well: {'; '.join(sick)}.", limit=600), finished=True, share=1.0)
    return Progress("good", f"{words} The log is whole, the system is well.", finished=True, share=1.0)


def _is_lost(run: RunActivity, now: datetime) -> bool:
    if run.status != "queued" or run.queued_at is None or run.awaited:
        return False
    return (now - datetime.fromisoformat(run.queued_at)).total_seconds() > LOST_AFTER
