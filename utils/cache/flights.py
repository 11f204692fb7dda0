"""One computation a key among the threads of a process; the others wait for it."""

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from utils.cache.codec import Encoded

if TYPE_CHECKING:
    from utils.resilience.cancellation import Wakeup


class Flight:
    """One key under way. `landed`: it is over and `made` is what came of it, if this process computed it."""

    __slots__ = ("landed", "made", "waiting")

    def __init__(self) -> None:
        self.landed = False
        self.made: Encoded | None = None
        self.waiting: deque[Wakeup] = deque()


class Flights:
    """Who may compute which key. The right belongs to no thread: it may be left by another than entered.

    A right that is given up goes to one of those who wait, so a computation that fails is never tried by all at once.
    """

    def __init__(self) -> None:
        self._begin()

    def enter(self, key: str, seconds: float) -> Flight | None:
        """Wait at most `seconds` for the right to compute `key` (`landed` is false then), or for what another made.

        `None`: neither came in time. Raises `Cancelled` when the work around us is called off meanwhile.
        """
        from utils.resilience.cancellation import Wakeup, wait_for

        if self._pid != os.getpid():  # a fork: the threads that were computing are not here
            self._begin()
        with self._lock:
            flight = self._open.get(key)
            if flight is None:
                flight = self._open[key] = Flight()
                return flight
            if seconds <= 0.0:
                return None
            wakeup = Wakeup()
            flight.waiting.append(wakeup)
        arrived = False
        try:
            arrived = wait_for(wakeup, seconds)  # on the real clock: so do the other threads compute
        finally:
            if not arrived:
                arrived = self._turn_away(key, flight, wakeup)
        return flight if arrived else None

    def leave(self, key: str, *, landed: bool, made: Encoded | None = None) -> None:
        """Give the right up: to all when the value is there (`landed`), else to the one who waits longest."""
        with self._lock:
            flight = self._open[key]
            if landed:
                flight.landed, flight.made = True, made
                del self._open[key]
                for wakeup in flight.waiting:
                    wakeup.set()
            elif flight.waiting:
                flight.waiting.popleft().set()
            else:
                del self._open[key]

    def _turn_away(self, key: str, flight: Flight, wakeup: "Wakeup") -> bool:
        """Stop waiting; `True` when the flight landed in the last moment."""
        with self._lock:
            if wakeup in flight.waiting and not flight.landed:
                flight.waiting.remove(wakeup)
                return False
        if not flight.landed:  # the right came in the last moment
            self.leave(key, landed=False)
        return flight.landed

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._open: dict[str, Flight] = {}
