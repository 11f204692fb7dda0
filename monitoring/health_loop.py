"""Asks health checks by their interval, in a thread of its own."""

import threading
from collections.abc import Callable

from monitoring.health import HealthResults
from monitoring.health_checks import HealthChecks
from utils.logger import get_logger

__all__ = ["HealthLoop"]

_IDLE_S = 3600.0
_STOP_S = 1.0


class HealthLoop:
    """From its making until `stop`. A check that hangs keeps nobody waiting: the thread is left behind then.

    Args:
        found: Given what was found, each time something was due.
    """

    def __init__(self, checks: HealthChecks, found: Callable[[HealthResults], object]) -> None:
        self._checks, self._found = checks, found
        self._stopping = False
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="health checks", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new check."""
        self._awake.set()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping = True
        self._awake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        while not self._stopping:
            self._awake.clear()
            results = self._checks.run_due()
            if self._stopping:
                return
            try:
                self._found(results)
            except Exception as error:  # noqa: BLE001 - told, and the checks go on
                get_logger("health").error("health.not_told", reason=str(error), exc=error)
            self._awake.wait(min(self._checks.due_in(), _IDLE_S))
