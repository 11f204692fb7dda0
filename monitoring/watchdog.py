"""Notice that a thread, an event loop or the whole process has stopped working, and say where it stands."""

import faulthandler
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Self

from monitoring.locks import LockGraph, Waiting, WatchedLock
from monitoring.sd_notify import SystemdNotifier
from monitoring.service_event import Listener, Listeners, ServiceEvent
from monitoring.stacks import ThreadStack, all_stacks
from utils.clock import SYSTEM_CLOCK, Clock
from utils.redaction import Redactor

if TYPE_CHECKING:
    import asyncio

__all__ = ["ProcessWatchdog"]

_DUMP_LINES = 500


@dataclass(slots=True, eq=False)
class _Beat:
    """One that is watched. `at`: of its last sign, on the monotonic clock; `away_since`: told, and not back yet."""

    name: str
    limit: float
    at: float
    thread: threading.Thread | None
    loop: "asyncio.AbstractEventLoop | None" = None
    away_since: float | None = None


class ProcessWatchdog:
    """Watches the threads and event loops of this process by their heartbeats, and watched locks for cycles.

    Whatever works says so: `heartbeat("importer")`, each time it comes by. When it is silent for longer than its
    limit, everybody who asked with `on_event` is told, with the stacks of all threads; and told again when it is back.
    A cycle of locks made with `lock` is proven at the next look, whatever the limits.

    A look of its own that came late, because the machine slept or the process was stopped, is held against nobody:
    it is told as a stall of the process if it was longer than `limit`.

    Args:
        name: Of this process, in what is told about it.
        limit: Seconds of silence that are too long, where a heartbeat does not say otherwise.
        every: Seconds between two looks: within this time a deadlock is noticed, and a stall after its limit.
        redacted: Takes secrets out of stacks.
        notifier: The service manager. It gets its sign of life from the heartbeats themselves, while all is well.
        hangs: Also tell where threads were while C code kept the interpreter's lock, so that no look was possible.
            It takes the one timer of `faulthandler`, which others in the process can then not use.

    >>> from utils.clock import ManualClock
    >>> clock = ManualClock()
    >>> watchdog = ProcessWatchdog(clock=clock)
    >>> watchdog.on_event(lambda event: print(event.type, event.service, event.reason))
    >>> watchdog.heartbeat("importer", limit=5.0)
    >>> clock.advance(6.0)
    >>> watchdog.check()
    service.unavailable importer no heartbeat for 6 s, 5 s are allowed
    """

    def __init__(
        self,
        name: str = "process",
        *,
        limit: float = 30.0,
        every: float = 1.0,
        redacted: Callable[[str], str] | None = None,
        notifier: SystemdNotifier | None = None,
        hangs: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self._limit, self._every = limit, every
        self._redacted = redacted or Redactor().text
        self._notifier = notifier
        self._hangs = hangs
        self._clock, self._monotonic = clock, clock.monotonic
        self._beats: dict[str, _Beat] = {}
        self._graph = LockGraph()
        self._deadlocks: dict[frozenset[Waiting], float] = {}
        self._listeners = Listeners[ServiceEvent]()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_at: float | None = None
        self._dump: IO[bytes] | None = None

    # --- what the program says

    def heartbeat(self, name: str = "", limit: float | None = None) -> None:
        """It works. The first one begins the watch; without a name it is the calling thread's.

        Args:
            limit: Seconds until the next one must come; the last that was given holds.
        """
        thread = threading.current_thread()
        beat = self._beats.get(name or thread.name)
        if beat is None:
            beat = self._watch(name or thread.name, limit, thread)
        beat.at, beat.thread = self._monotonic(), thread
        if limit is not None:
            beat.limit = limit
        if self._notifier is not None and self.well:
            self._notifier.alive()

    def watch_loop(self, loop: "asyncio.AbstractEventLoop", name: str = "loop", limit: float | None = None) -> None:
        """Watch an event loop: it beats by itself as long as it comes round. Until it is closed, or `forget`."""
        beat = self._watch(name, limit, None)
        beat.loop = loop

        def come_round() -> None:
            if self._beats.get(name) is beat:
                self.heartbeat(name)
                loop.call_later(beat.limit / 4, come_round)

        loop.call_soon_threadsafe(come_round)

    def forget(self, name: str) -> None:
        """It is done: its silence means nothing from now on."""
        self._beats.pop(name, None)

    def last_heartbeat(self, name: str) -> float | None:
        """When it came last, epoch seconds; None: never, or it was forgotten."""
        beat = self._beats.get(name)
        return None if beat is None else self._clock.time() - (self._monotonic() - beat.at)

    def lock(self, name: str, *, reentrant: bool = False) -> WatchedLock:
        """A lock whose cycles are noticed; in place of `threading.Lock`, or with `reentrant` of `threading.RLock`."""
        return WatchedLock(name, self._graph, reentrant=reentrant)

    def on_event(self, listener: Listener) -> None:
        """Have `listener` called with each `ServiceEvent`, in the thread of the watchdog."""
        self._listeners.add(listener)

    @property
    def sign_every_s(self) -> float | None:
        """Seconds within which the service manager wants a sign of life; None: it wants none."""
        return None if self._notifier is None else self._notifier.watchdog_s

    @property
    def well(self) -> bool:
        """Whether nothing is known to stand still."""
        return not self._deadlocks and all(beat.away_since is None for beat in list(self._beats.values()))

    # --- its life

    def start(self) -> Self:
        """Look from now on, in a thread of its own; tell the service manager that we are ready."""
        with self._lock:
            if self._thread is not None:
                return self
            self._stopped.clear()
            self._looked_at = None
            if self._hangs:
                self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
            self._thread = threading.Thread(target=self._work, name="watchdog", daemon=True)
            self._thread.start()
        if self._notifier is not None:
            self._notifier.ready()
        return self

    def stop(self) -> None:
        """Look no more; tell the service manager that we stop."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._notifier is not None:
            self._notifier.stopping()
        self._stopped.set()
        if thread is not threading.current_thread():
            thread.join()
        if self._dump is not None:
            faulthandler.cancel_dump_traceback_later()
            self._dump.close()
            self._dump = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- looking

    def step(self) -> float:
        """One look; gives the seconds until the next. What its thread does again and again."""
        now = self._monotonic()
        late = 0.0 if self._looked_at is None else now - self._looked_at - self._every
        if late > self._every:
            for beat in list(self._beats.values()):
                if beat.away_since is None:
                    beat.at = min(now, beat.at + late)
        if late > self._limit:
            self._tell_of_hang(late)
        self.check()
        self._looked_at = self._monotonic()
        if self._dump is not None:
            self._dump.truncate(self._dump.seek(0))
            faulthandler.dump_traceback_later(self._limit, file=self._dump)
        return self._every

    def check(self) -> None:
        """Tell what stands still since the last look, and what is back."""
        self._check_locks()
        now = self._monotonic()
        silent: list[_Beat] = []
        for beat in list(self._beats.values()):
            if beat.loop is not None and beat.loop.is_closed():
                self.forget(beat.name)
            elif beat.away_since is None:
                ended = beat.thread is not None and beat.loop is None and not beat.thread.is_alive()
                if now - beat.at > beat.limit or ended:
                    beat.away_since = beat.at
                    silent.append(beat)
            elif beat.at > beat.away_since:
                away, beat.away_since = beat.at - beat.away_since, None
                self._tell(beat.name, f"it works again, after {away:.3g} s", silent_s=away)
        if silent:
            self._tell_of_silence(silent, now)

    def _work(self) -> None:
        while not self._stopped.wait(self.step()):
            pass

    def _watch(self, name: str, limit: float | None, thread: threading.Thread | None) -> _Beat:
        with self._lock:
            beat = self._beats.get(name)
            if beat is None:
                limit = self._limit if limit is None else limit
                beat = self._beats[name] = _Beat(name, limit, self._monotonic(), thread)
            return beat

    def _tell_of_silence(self, silent: list[_Beat], now: float) -> None:
        idents = [beat.thread.ident for beat in silent if beat.thread is not None and beat.thread.ident is not None]
        stacks = all_stacks(self._redacted, first=idents)
        waiting = {stack.ident for stack in stacks if stack.waits} & set(idents)
        for beat in silent:
            thread = beat.thread
            if thread is not None and not thread.is_alive():
                why, reason = "died", f"its thread {thread.name} has ended"
            else:
                why = "stalled"
                reason = f"no heartbeat for {now - beat.at:.3g} s, {beat.limit:.3g} s are allowed"
                if thread is not None and thread.ident in waiting and len(waiting) > 1:
                    reason += "; it seems to wait for a lock, as others do: perhaps a deadlock"
            self._listeners.tell(
                ServiceEvent(
                    "unavailable",
                    beat.name,
                    self._redacted(reason),
                    self._clock.now(),
                    "died" if why == "died" else "stalled",
                    silent_s=now - beat.at,
                    limit_s=beat.limit,
                    threads=() if thread is None else (thread.name,),
                    stacks=stacks,
                )
            )

    def _check_locks(self) -> None:
        found = {frozenset(cycle): cycle for cycle in self._graph.deadlocks()}
        now = self._monotonic()
        for key in [key for key in self._deadlocks if key not in found]:
            away = now - self._deadlocks.pop(key)
            self._tell(_subject(key), "the cycle of locks is gone", silent_s=away)
        for key, cycle in found.items():
            if key in self._deadlocks:
                continue
            self._deadlocks[key] = now
            self._listeners.tell(
                ServiceEvent(
                    "unavailable",
                    _subject(key),
                    self._redacted(f"deadlock: {_in_words(cycle)}"),
                    self._clock.now(),
                    "deadlocked",
                    threads=tuple(one.thread for one in cycle),
                    locks=tuple(one.lock for one in cycle),
                    stacks=all_stacks(self._redacted, first=[one.ident for one in cycle]),
                )
            )

    def _tell_of_hang(self, late: float) -> None:
        """The whole process stood still: with `hangs`, the stacks are those that were written meanwhile."""
        lines: list[str] = []
        if self._dump is not None:
            self._dump.seek(0)
            lines = [self._redacted(line) for line in self._dump.read().decode(errors="replace").splitlines()]
        stacks = (ThreadStack("all", 0, tuple(lines[:_DUMP_LINES])),) if lines else ()
        reason = f"the whole process stood still for {late:.3g} s, {self._limit:.3g} s are allowed"
        self._listeners.tell(
            ServiceEvent(
                "unavailable",
                self.name,
                reason,
                self._clock.now(),
                "stalled",
                silent_s=late,
                limit_s=self._limit,
                stacks=stacks,
            )
        )
        self._tell(self.name, f"it works again, after {late:.3g} s", silent_s=late)

    def _tell(self, service: str, reason: str, *, silent_s: float) -> None:
        self._listeners.tell(ServiceEvent("recovered", service, reason, self._clock.now(), silent_s=silent_s))


def _subject(cycle: frozenset[Waiting]) -> str:
    """Names the same cycle the same way, whoever it was found by first."""
    return "locks " + ", ".join(sorted({one.lock for one in cycle}))


def _in_words(cycle: tuple[Waiting, ...]) -> str:
    if len(cycle) == 1:
        return f"{cycle[0].thread} waits for {cycle[0].lock}, which it holds itself"
    pairs = pairwise([*cycle, cycle[0]])
    return ", ".join(f"{one.thread} waits for {one.lock}, held by {other.thread}" for one, other in pairs)
