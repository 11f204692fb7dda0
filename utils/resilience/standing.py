"""How a circuit stands, here and in all processes, and how a decision gets from one to the other."""

import math
import threading
from collections.abc import Callable

from utils.clock import Clock
from utils.resilience.decisions import MICROSECOND, Decisions, Moment
from utils.resilience.exchange import Exchange, Transition
from utils.resilience.shared_state import SharedState, Verdict
from utils.resilience.window import Window

LOOK_EVERY = 0.1  # seconds between two looks at what other processes decided


class Standing:
    """The verdict, and the window while it is closed. The state machine around it is `Circuit`.

    Args:
        asks: Whether each result is shown to the caller's classifier.
    """

    def __init__(
        self,
        name: str,
        rules: Decisions,
        listener: Callable[[Transition], None] | None,
        shared: SharedState | None,
        clock: Clock,
        *,
        asks: bool,
    ) -> None:
        self.name = name
        self._rules, self._limits, self._asks = rules, rules.limits, asks
        self._clock, self._monotonic = clock, clock.monotonic

        self._lock = threading.Lock()
        self._verdict = Verdict("closed")
        self._window: Window | None = None  # None unless closed
        self._alert = False  # whether a success has to be judged as well
        self._calm = self._quick = -1.0  # a success below these seconds needs no lock; nor a classifier
        self._renew()
        self._retry_at = 0.0  # monotonic; only when open
        self._refused_until = -math.inf  # monotonic; before it no call passes, and nothing has to be asked
        self._opening: tuple[Verdict, Verdict] | None = None  # decided here, but not told to anybody yet
        self._decisions = self._opened = 0

        self._exchange = Exchange(name, shared, listener)
        self._look_at = math.inf if shared is None else -math.inf
        if shared is not None:
            self._look(self._monotonic())

    # --- no lock is held ------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Take over what another process decided since the last look. Listeners hear of it there, not here."""
        self._look_at = now + LOOK_EVERY
        if not self._exchange.turn.acquire(blocking=False):
            return  # somebody decides right now, and learns all there is to know
        try:
            decisions = self._decisions
            fetched = self._exchange.fetch()
            with self._lock:
                if fetched is None or decisions != self._decisions or self._opening is not None:
                    return  # nothing new, or we decided meanwhile: then look again
                if self._exchange.is_news(*fetched) and fetched[1] is not None:
                    self._take_over(fetched[1])
        finally:
            self._exchange.turn.release()

    def _decide(self, step: Callable[[Verdict, Moment], Verdict], *, anew: bool = False) -> Verdict:
        """Take one step, here and for all processes. `anew`: by hand, so that the window is emptied in any case."""
        with self._exchange.turn:
            self._share_opening()
            # The moment is that of the step: while we stood in line others may have lent permits later than we asked.
            before, after = self._exchange.apply(self._verdict, lambda before: step(before, Moment.of(self._clock)))
            with self._lock:
                self._opened += before.state != "open" and after.state == "open"
                self._take_over(after, anew=anew)
            self._exchange.post(before, after)
        self._exchange.tell()
        return after

    def _share_opening(self) -> None:
        """Tell what `_judge` decided; when another process opened the circuit before us, its verdict stands."""
        if self._opening is None:
            return
        own, opened = self._opening

        def step(before: Verdict) -> Verdict:
            return opened if before.state == "closed" and not before.held else before

        before, after = self._exchange.apply(own, step)
        with self._lock:
            self._opening = None
            self._take_over(after)
        self._exchange.post(before, after)

    # --- details; the lock is held --------------------------------------------------------------

    def _rest(self, verdict: Verdict, now: Moment) -> float:
        # Our own measure of a rest knows nothing of a wall clock that was set.
        if verdict.same_opening(self._verdict):
            rest = self._retry_at - now.steady
        else:
            rest = self._rules.rest_of(verdict, now.wall) if verdict.state == "open" else 0.0
        return rest if rest > MICROSECOND else 0.0

    def _renew(self) -> None:
        self._window = self._limits.new_window(self._monotonic)
        self._watch(False)

    def _watch(self, alert: bool) -> None:
        self._alert = alert
        self._calm = -1.0 if alert or self._limits.window_time is not None else self._limits.slow_call
        self._quick = -1.0 if self._asks else self._calm

    def _judge(self, window: Window) -> None:
        """After one more outcome of a closed circuit: open it here and now; the others are told without the lock."""
        counts = window.counts()
        # The success that completes the minimum has to be judged too; so has one after others have left by time.
        timed = self._limits.window_time is not None
        self._watch(counts.failed + counts.slow > 0 if timed else counts.calls < self._limits.minimum_calls)
        reason = "" if self._verdict.held else self._limits.reason_to_open(counts)
        if reason:
            before = self._verdict
            opened = self._rules.opened(before, reason, self._clock.time())
            self._opened += 1
            self._take_over(opened)
            self._opening = before, opened

    def _take_over(self, verdict: Verdict, *, anew: bool = False) -> None:
        before, self._verdict = self._verdict, verdict
        if verdict != before or anew:
            self._decisions += 1
        if verdict.state != "closed":
            self._window = None
        elif self._window is None or anew or verdict != before:  # from closed to closed: by hand, in another process
            self._renew()
        if verdict.state == "open" and not verdict.same_opening(before):
            now = Moment.of(self._clock)
            self._retry_at = now.steady + self._rules.rest_of(verdict, now.wall)
        self._refused_until = self._retry_at - MICROSECOND if verdict.state == "open" else -math.inf
