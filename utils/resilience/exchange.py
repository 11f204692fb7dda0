"""Carry a breaker's decisions to its listener and to other processes, and bring back theirs."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from utils.resilience.shared_state import SharedState, State, Verdict


@dataclass(frozen=True, slots=True)
class Transition:
    """A circuit changed its state. `open_until` is in seconds since the epoch: 0.0 when closed, `inf` by hand."""

    name: str
    before: State
    after: State
    reason: str
    open_until: float


class Exchange:
    """Keeps the order of decisions, and survives a listener or a store that fails: both are counted, never raised."""

    def __init__(self, name: str, shared: SharedState | None, listener: Callable[[Transition], None] | None) -> None:
        self.name = name
        self.shared_errors = self.listener_errors = 0
        self._shared, self._listener = shared, listener
        self._outbox: deque[tuple[Transition | None, Verdict]] = deque()
        self._delivering = threading.Lock()
        self._in_store: Verdict | None = None
        self._seen_version: int | None = None

    def post(self, transition: Transition | None, verdict: Verdict) -> None:
        """Note a decision; called under the breaker's lock, so that the order is that of the decisions."""
        self._outbox.append((transition, verdict))

    def deliver(self) -> None:
        """Save and announce what was posted, by one thread at a time. Call it without the breaker's lock."""
        # A thread that finds another one delivering leaves its post to it; so does a listener that decides.
        while self._outbox and self._delivering.acquire(blocking=False):
            try:
                while self._outbox:
                    self._deliver_one(*self._outbox.popleft())
            finally:
                self._delivering.release()

    def fetch(self) -> tuple[int, Verdict | None] | None:
        """The version and the verdict of the store; `None` when nothing changed or the store is down."""
        if self._shared is None:
            return None
        try:
            version = self._shared.version()  # before the load: what is saved in between is seen the next time
            if version == self._seen_version:
                return None
            return version, self._shared.load(self.name)
        except Exception:  # noqa: BLE001 - our own decision stands when the store is down; it is counted
            self.shared_errors += 1
            return None

    def is_news(self, version: int, verdict: Verdict | None) -> bool:
        """Whether a fetched verdict was decided by somebody else; called under the breaker's lock."""
        if self._outbox or self._delivering.locked():
            return False  # our own decision is on its way there; fetch again later
        self._seen_version = version
        news = verdict is not None and verdict != self._in_store
        self._in_store = verdict
        return news

    def _deliver_one(self, transition: Transition | None, verdict: Verdict) -> None:
        if self._shared is not None:
            try:
                self._shared.save(self.name, verdict)
                self._in_store = verdict
            except Exception:  # noqa: BLE001 - a store that is down must not fail the call; it is counted
                self.shared_errors += 1
        if self._listener is not None and transition is not None:
            try:
                self._listener(transition)
            except Exception:  # noqa: BLE001 - a listener must not fail the call; it is counted
                self.listener_errors += 1
