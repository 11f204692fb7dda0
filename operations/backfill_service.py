"""Backfills worked off by a process that runs for long, one at a time; asked for and followed from another process."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from data_pipeline.backfill_views import Backfills, lease_of
from data_pipeline.errors import DatasetBusy
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from utils.events import NewEvent
from utils.logger import get_logger
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable, sleep

if TYPE_CHECKING:
    from operations.backfill_plan import Plan
    from operations.backfill_result import Result

__all__ = ["BackfillService", "ask", "ask_again", "follow"]

LOOK_EVERY_S = 60.0
"""How often it is looked whether there is one, if nothing is heard of it."""

AGAIN_S, FAILED_S = 1.0, 60.0
"""Seconds until a backfill is taken up again after a pause too short to be told, and after it could not go on."""

FOLLOW_EVERY_S = 0.5


class BackfillService:
    """Goes on with every backfill that nobody works on, the oldest first; one that is paused lets others by.

    One at a time, in a thread of its own beside what is due.

    Args:
        leads: Whether this process is the one to do it.
    """

    name = "backfills"
    hears = True

    def __init__(self, system: IntegratedSystem, leads: Callable[[], bool] = lambda: True) -> None:
        self._system = system
        self._leads = leads
        self._cancel = CancelToken()
        self._not_before: dict[str, float] = {}
        self._worker: threading.Thread | None = None

    def step(self) -> float:
        """Begin with one that is not over, unless one is under way; gives the seconds until another one may go on."""
        if not self._leads() or (self._worker is not None and self._worker.is_alive()):
            return LOOK_EVERY_S
        wait = LOOK_EVERY_S
        for backfill, paused_until in Backfills(self._system.database).waiting():
            left = self._left(backfill, paused_until)
            if left > 0.0:
                wait = min(wait, left)
            elif self._system.leases.is_free(lease_of(backfill)):
                self._worker = threading.Thread(target=self._go_on, args=(backfill,), name="backfill")
                self._worker.start()
                return AGAIN_S
        return wait

    def close(self) -> None:
        """End what is under way: what came is stored, the rest waits for whoever goes on."""
        self._cancel.cancel("stopped")
        if self._worker is not None:
            self._worker.join()

    def _left(self, backfill: str, paused_until: str | None) -> float:
        now = self._system.clock.time()
        until = datetime.fromisoformat(paused_until).timestamp() if paused_until else 0.0
        return max(until, self._not_before.get(backfill, 0.0)) - now

    def _go_on(self, backfill: str) -> None:
        from operations.backfill import found, go_on  # Arrow comes with it: not for a process that only waits

        log, again = get_logger("backfills"), AGAIN_S
        try:
            known = found(self._system, backfill)
            actor = Actor(str(known.body.get("actor", "schedule")))
            result = go_on(self._system, actor, backfill, cancel=self._cancel, wait=False)
            log.info("backfill.worked", backfill=backfill, status=result.status, left=result.waiting)
        except DatasetBusy:
            pass  # another process was quicker
        except Exception as error:  # noqa: BLE001 - its dataset is gone, the disk is full: told, and the others go on
            again = FAILED_S
            log.warning("backfill.waits", backfill=backfill, reason=str(error), hint=getattr(error, "hint", ""))
        self._not_before[backfill] = self._system.clock.time() + again


@operation("operator")
def ask(system: IntegratedSystem, actor: Actor, plan: "Plan") -> "Result":
    """Begin a backfill and come back at once.

    A `schedule` or `serve` that is there works it off; without one a detached process is started for it.

    Raises:
        UsageError: there is nothing to collect.
        StateError: the log cannot be written.
    """
    from operations.backfill import start

    return _seen_to(system, start(system, actor, plan))


@operation("operator")
def ask_again(system: IntegratedSystem, actor: Actor, backfill: str) -> "Result":
    """Have somebody go on with a backfill that was broken off; nothing is done where somebody is at it.

    Raises:
        PipelineError: there is no such backfill, or it is over.
        StateError: the log cannot be written.
    """
    from operations.backfill import refuse_if_over

    refuse_if_over(system, backfill)
    data = {"action": "backfill.resume", "actor": actor.name}
    system.events.append([NewEvent("action.invoked", backfill, data, source="backfill")])
    return _seen_to(system, backfill)


def _seen_to(system: IntegratedSystem, backfill: str) -> "Result":
    from operations.backfill import result_of
    from operations.scheduling import is_led

    if not is_led(system) and system.leases.is_free(lease_of(backfill)):
        from operations.detached import start_detached

        start_detached(system, "backfills", "resume", backfill)
    return result_of(system, backfill)


def follow(
    system: IntegratedSystem, backfill: str, *, cancel: CancelToken, told: Callable[["Result"], None] = lambda _: None
) -> "Result":
    """Watch a backfill that another process works on until it is over.

    Args:
        cancel: Comes back at once; the other process goes on.
        told: Called whenever something has changed.

    Raises:
        PipelineError: there is no such backfill.
    """
    from operations.backfill import result_of

    seen: Result | None = None
    with cancellable(cancel):
        while True:
            now = result_of(system, backfill)
            if now != seen:
                told(now)
            if now.finished_at is not None or cancel.cancelled:
                return now
            seen = now
            with suppress(Cancelled):
                sleep(FOLLOW_EVERY_S, system.clock)
