"""How long a connection to the outside takes: asked of canaries, seldom, and never by whoever wants the answer."""

import socket
import threading
import time
from collections.abc import Sequence

from utils.clock import Clock
from utils.network import Address, resolve

__all__ = ["Latency"]

EVERY = 30.0
TIMEOUT = 2.0


class Latency:
    """Measures the way to the first canary that accepts a connection, every `every` seconds at most.

    Without canaries nobody is asked, ever. A measurement runs in a thread of its own; who asks takes the newest.
    """

    def __init__(self, canaries: Sequence[Address], clock: Clock, *, every: float = EVERY) -> None:
        self._canaries = tuple(canaries)
        self._clock = clock
        self._every = every
        self._asked: float | None = None
        self._newest: float | None = None
        self._thread: threading.Thread | None = None

    def newest(self) -> float | None:
        """Milliseconds; None: not measured yet, or nobody accepted. Begins the next measurement when it is due."""
        if not self._canaries:
            return None
        now, known = self._clock.monotonic(), self._newest
        due = self._asked is None or not 0.0 <= now - self._asked < self._every
        if due and (self._thread is None or not self._thread.is_alive()):
            self._asked = now
            self._thread = threading.Thread(target=self._measure, name="latency", daemon=True)
            self._thread.start()
        return known

    def wait(self, timeout: float) -> None:
        """Until the measurement that runs is over."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _measure(self) -> None:
        self._newest = next((ms for address in self._canaries if (ms := _connect(address)) is not None), None)


def _connect(address: Address) -> float | None:
    """Milliseconds until it accepted, the look-up of its name not counted."""
    try:
        found = resolve(*address, TIMEOUT)[0]
        began = time.perf_counter()
        socket.create_connection((found, address[1]), TIMEOUT).close()
    except (OSError, IndexError):
        return None
    return (time.perf_counter() - began) * 1e3
