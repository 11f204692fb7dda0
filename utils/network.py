"""Is our own network there? Canaries tell: servers on the internet that take a connection from anybody."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence

from utils.clock import SYSTEM_CLOCK, Clock

__all__ = ["Address", "OwnNetwork", "reachable", "resolve"]

Address = tuple[str, int]
"""Host and port."""

AWAY_FOR = 5.0
"""Seconds for which the answer "away" is kept, so that an outage costs a look now and then, not one a failure."""

THERE_FOR = 1.0
"""Seconds for which the answer "there" is kept: what fails right after it may be the network that has just gone."""


class OwnNetwork:
    """Whether our own network is away, as far as its canaries tell. Thread-safe; many threads share one look.

    Args:
        canaries: Whom to ask. Without any the network is never away.
        timeout: Seconds in which one of them has to accept a connection; about so long a look takes at most.
        was_away: Tells how it was when somebody looked last, before this process; asked once, when it matters.
        listener: Told when that changes: true for away. Called without a lock held.
        clock: Tells how old an answer is; tests pass a `ManualClock`.

    >>> OwnNetwork([]).away()
    False
    """

    def __init__(
        self,
        canaries: Sequence[Address],
        *,
        timeout: float = 1.0,
        was_away: Callable[[], bool] = lambda: False,
        listener: Callable[[bool], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.canaries = tuple(canaries)
        self._timeout = timeout
        self._was_away = was_away
        self._away: bool | None = None
        self._listener = listener
        self._monotonic = clock.monotonic
        self._known_until = float("-inf")
        self._lock = threading.Lock()

    def away(self) -> bool:
        """True when there are canaries, and not one of them accepts a connection. May take `timeout` seconds."""
        if not self.canaries:
            return False
        with self._lock:  # who comes while somebody looks takes the same answer
            before = now = self._known()
            if self._monotonic() >= self._known_until:
                self._away = now = not reachable(self.canaries, self._timeout)
                self._known_until = self._monotonic() + (AWAY_FOR if now else THERE_FOR)
        if now != before and self._listener is not None:
            self._listener(now)
        return now

    def look_again(self) -> None:
        """When it was away, find out whether it is back: nobody asks about a network on which all goes well."""
        if self.canaries and self._known():
            self.away()

    def _known(self) -> bool:
        if self._away is None:
            self._away = self._was_away()
        return self._away


def reachable(addresses: Sequence[Address], timeout: float) -> bool:
    """Whether one of the addresses accepts a TCP connection within `timeout` seconds; all are asked at once."""
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(address: Address) -> None:
        try:
            socket.create_connection(address, timeout).close()
        except (OSError, UnicodeError):
            answers.put(False)
        else:
            answers.put(True)

    # A name's resolution cannot be told how long it may take, so whoever is late is left behind.
    for address in addresses:
        threading.Thread(target=ask, args=(address,), name="canary", daemon=True).start()
    until = time.monotonic() + timeout
    for _ in addresses:
        try:
            if answers.get(timeout=max(0.0, until - time.monotonic())):
                return True
        except queue.Empty:
            break
    return False


def resolve(host: str, port: int, timeout: float) -> list[str]:
    """The host's addresses, in the order in which the system would try them.

    Raises:
        TimeoutError: nobody answered in `timeout` seconds.
        OSError: the name is unknown, or is none.
    """
    # getaddrinfo cannot be told how long it may take; without a network it likes to take 20 s. It runs in a thread of
    # its own, which is left behind when it is late.
    found: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except OSError as error:
            found.put(error)
        except UnicodeError:
            found.put(OSError("not a valid host name"))

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        answer = found.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"the name {host} was not resolved within {timeout:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
