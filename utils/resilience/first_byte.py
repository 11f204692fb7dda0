"""Tell the breaker when the answer began: a provider is slow by its first byte, not by the size of its file."""

from collections.abc import Callable
from contextvars import ContextVar, Token


class Stopwatch:
    """Runs from the start of a request to its first byte, or to its end when nobody reports one."""

    __slots__ = ("_before", "_first", "_monotonic", "_started")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._first: float | None = None
        self._before: Token[Stopwatch | None] = _running.set(self)
        self._started = monotonic()

    def first_byte(self) -> None:
        """Note the moment; the first report of a request counts."""
        if self._first is None:
            self._first = self._monotonic()

    def stop(self) -> float:
        """Seconds to the first byte, else until now."""
        ended = self._monotonic() if self._first is None else self._first
        _running.reset(self._before)
        return ended - self._started


_running: ContextVar[Stopwatch | None] = ContextVar("request_stopwatch", default=None)


def first_byte_arrived() -> None:
    """Called by a request as soon as the provider's answer begins; outside of a policy's call it does nothing."""
    watch = _running.get()
    if watch is not None:
        watch.first_byte()
