"""A sign of life for an outside watcher: who hears nothing of us tells people that we are silent."""

from collections.abc import Callable

from utils.clock import SYSTEM_CLOCK, Clock
from utils.logger import get_logger
from utils.one_line import one_line

__all__ = ["Heartbeat", "ask"]

TIMEOUT_S = 10.0


def ask(url: str) -> None:
    """Ask a web address. Raises when it does not answer within 10 s, or not well."""
    import httpx

    httpx.get(url, timeout=TIMEOUT_S, follow_redirects=True).raise_for_status()


class Heartbeat:
    """Asks an address every so often, as long as alerts work: when they do not, silence is the alert.

    Args:
        url: Of the watcher; it may hold a secret and is never told.
        every: Seconds.
        well: Whether alerts work; asked before each beat.
        asked: How an address is asked.
    """

    def __init__(
        self,
        url: str,
        every: float,
        *,
        well: Callable[[], bool] = lambda: True,
        clock: Clock = SYSTEM_CLOCK,
        asked: Callable[[str], None] = ask,
    ) -> None:
        self._url = url
        self._every = every
        self._well = well
        self._clock = clock
        self._ask = asked
        self._due = clock.monotonic()

    def step(self) -> float:
        """Beat, if it is time; gives the seconds until the next beat. Never raises."""
        left = self._due - self._clock.monotonic()
        if left > 0.0:
            return left
        self._due = self._clock.monotonic() + self._every
        self.beat()
        return self._every

    def beat(self) -> bool:
        """Beat now, if alerts work; whether the watcher has heard it."""
        log = get_logger("alerts")
        if not self._well():
            log.warning("heartbeat.withheld", reason="alerts do not work")
            return False
        try:
            self._ask(self._url)
        except Exception as error:  # noqa: BLE001 - a watcher that is away must not stop what it watches
            words = one_line(f"{type(error).__name__}: {error}".replace(self._url, "***"), 200)
            log.warning("heartbeat.not_heard", reason=words)
            return False
        return True
