"""Callbacks of a program: plain or `async def`, each in a line of its own, so that one that hangs hinders nobody."""

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from utils.clock import Clock
from utils.logger import get_logger

if TYPE_CHECKING:
    from utils.bus import Announced, Bus

__all__ = ["Callback", "Callbacks"]

Callback = Callable[[Any], Any]
"""Takes what it is called for; plain, or `async def`."""

WAITING = 100
"""What may wait for one callback; then the oldest goes."""

PATIENCE_S = 30.0
"""Seconds after which a callback that has not come back is told."""

CLOSE_S = 1.0


class _Line:
    """One callback with a bus of its own, made when there is something for it."""

    def __init__(self, kind: str, callback: Callback) -> None:
        self.kind, self.callback = kind, callback
        self.name = getattr(callback, "__qualname__", type(callback).__name__)
        self.bus: Bus | None = None
        self.done = 0
        self.behind_since: float | None = None
        self.told = False


class Callbacks:
    """Calls each callback away from who publishes. What raises is logged and counted; what hangs is logged once.

    Threads begin with the first thing that somebody wants, end with `close`, and do not keep the process.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._log = get_logger("monitor")
        self._lines: dict[int, _Line] = {}
        self._lock = threading.Lock()
        self._last_id = 0
        self.raised = 0
        self.hung = 0

    def add(self, kind: str, callback: Callback) -> int:
        """Call it with everything of a type that is published from now on; gives the id that `remove` takes."""
        with self._lock:
            self._last_id += 1
            self._lines[self._last_id] = _Line(kind, callback)
            return self._last_id

    def remove(self, callback: int) -> bool:
        """No further call of it begins; False when the id is not known (any more)."""
        with self._lock:
            line = self._lines.pop(callback, None)
        if line is not None and line.bus is not None:
            line.bus.close(0.0)
        return line is not None

    def publish(self, what: "Announced") -> None:
        """Hand it to those who want it, and come back at once."""
        for line in self._snapshot():
            (line.bus or self._bus_of(line)).publish(what)

    def look(self) -> None:
        """Tell of those that hang."""
        now = self._clock.monotonic()
        for line in self._snapshot():
            bus = line.bus
            if bus is None:
                continue
            figures = bus.figures()
            done = figures.delivered + figures.failed
            if not figures.waiting or done != line.done:
                line.done, line.behind_since, line.told = done, now if figures.waiting else None, False
            elif line.behind_since is None:
                line.behind_since = now
            elif not line.told and now - line.behind_since >= PATIENCE_S:
                line.told = True
                self.hung += 1
                self._log.warning("callback.hangs", callback=line.name, waiting=figures.waiting)

    def close(self) -> None:
        """Let those that work finish for a moment; whoever hangs is left behind. What is published later is heard."""
        for line in self._snapshot():
            if line.bus is not None:
                bus, line.bus = line.bus, None
                bus.close(CLOSE_S)
                line.done, line.behind_since, line.told = 0, None, False

    def _snapshot(self) -> list[_Line]:
        with self._lock:
            return list(self._lines.values())

    def _bus_of(self, line: _Line) -> "Bus":
        from utils.bus import Bus  # asyncio comes with it: only for those who have callbacks

        with self._lock:
            if line.bus is None:
                line.bus = Bus(WAITING, "drop_oldest", on_error=partial(self._raised, line.name))
                line.bus.subscribe(line.kind, line.callback)
            return line.bus

    def _raised(self, name: str, _: Any, error: BaseException) -> None:
        self.raised += 1
        self._log.warning("callback.failed", callback=name, error=f"{type(error).__name__}: {error}", exc=error)
