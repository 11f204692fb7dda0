"""Carry a breaker's decisions to its listener and to other processes, and bring back theirs."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from utils.resilience.shared_state import SharedState, State, Step, Verdict


@dataclass(frozen=True, slots=True)
class Transition:
    """A circuit changed its state, or is held in one by hand.

    `open_until` is in seconds since the epoch: 0.0 when closed, `inf` by hand. `held`: forced open or forced closed.
    """

    name: str
    before: State
    after: State
    reason: str
    open_until: float
    held: bool = False


V = TypeVar("V")


def _verdict(stored: V) -> V:
    """What a store gave; `TypeError` when it is garbage."""
    if stored is not None and not isinstance(stored, Verdict):
        raise TypeError(f"the store gave a {type(stored).__name__} and no verdict")
    return stored


class Exchange:
    """Keeps the order of decisions, and survives a listener or a store that fails: both are counted, never raised.

    Decide, and post what was decided, while holding `turn`; call `tell` without any lock.
    """

    def __init__(self, name: str, shared: SharedState | None, listener: Callable[[Transition], None] | None) -> None:
        self.name = name
        self.shared_errors = self.listener_errors = 0
        self.turn = threading.RLock()
        self._shared, self._listener = shared, listener
        self._outbox: deque[Transition] = deque()
        self._telling = threading.Lock()
        self._in_store: Verdict | None = None
        self._seen_version: int | None = None

    def apply(self, own: Verdict, step: Step) -> tuple[Verdict, Verdict]:
        """Decide where all processes do; gives what stood there before, and what stands there now.

        What somebody else decided since we looked last takes the place of our own verdict. When the store is
        down, the decision is made on our own verdict, and stands.
        """
        if self._shared is None:
            return own, step(own)
        before = after = own

        def decide(stored: Verdict | None) -> Verdict:
            nonlocal before, after
            before = own if stored is None or stored == self._in_store else _verdict(stored)
            after = step(before)
            return after

        try:
            self._shared.change(self.name, decide)
        except Exception:  # noqa: BLE001 - our own decision stands when the store is down; it is counted
            self.shared_errors += 1
            return own, step(own)
        self._in_store = after
        return before, after

    def fetch(self) -> tuple[int, Verdict | None] | None:
        """The version and the verdict of the store; `None` when nothing changed or the store is down."""
        if self._shared is None:
            return None
        try:
            version = self._shared.version()  # before the load: what is saved in between is seen the next time
            if version == self._seen_version:
                return None
            return version, _verdict(self._shared.load(self.name))
        except Exception:  # noqa: BLE001 - our own decision stands when the store is down; it is counted
            self.shared_errors += 1
            return None

    def is_news(self, version: int, verdict: Verdict | None) -> bool:
        """Whether a fetched verdict was decided by somebody else."""
        self._seen_version = version
        news = verdict is not None and verdict != self._in_store
        self._in_store = verdict
        return news

    def post(self, before: Verdict, after: Verdict) -> None:
        """Note a decision for the listener, when it changed anything to be told."""
        if (before.state, before.held) != (after.state, after.held):
            changed = Transition(self.name, before.state, after.state, after.reason, after.open_until, after.held)
            self._outbox.append(changed)

    def tell(self) -> None:
        """Tell the listener what was posted, by one thread at a time."""
        # A thread that finds another one telling leaves its post to it; so does a listener that decides.
        while self._outbox and self._telling.acquire(blocking=False):
            try:
                while self._outbox:
                    self._tell_one(self._outbox.popleft())
            finally:
                self._telling.release()

    def _tell_one(self, transition: Transition) -> None:
        if self._listener is not None:
            try:
                self._listener(transition)
            except Exception:  # noqa: BLE001 - a listener must not fail the call; it is counted
                self.listener_errors += 1
