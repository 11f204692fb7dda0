"""The state machine of a circuit breaker: who may call, what the outcomes mean, who is told.

After Nygard's "Release It!" with the sliding window, slow calls and bounded trial calls of
resilience4j. `breaker.py` puts the decorator, the with block and the fallback around it.
"""

import math
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.errors import CircuitOpenError, RejectedError
from utils.resilience.exchange import Exchange, Transition
from utils.resilience.shared_state import SharedState, State, Verdict
from utils.resilience.window import FAILED, OK, SLOW, SLOW_FAILED, Limits, Trial, require

LOOK_EVERY = 0.1  # seconds between two looks at what other processes decided


@dataclass(frozen=True, slots=True)
class BreakerFigures:
    """A breaker in numbers. The rates and `calls` are of the current window; `None`: nothing measured."""

    name: str
    state: State
    reason: str
    calls: int
    failure_rate: float | None
    slow_rate: float | None
    failures: int  # since the start or the last reset, as are the next two
    rejected: int
    opened: int
    times_opened: int  # in a row, without a recovery
    retry_after: float
    shared_errors: int
    listener_errors: int


Ticket = deque[int] | Trial  # the window or trial that a call belongs to: an outcome of an older one is dropped


class Circuit:
    """Closed, open, half-open. All times in seconds; see `CircuitBreaker` for the settings.

    A success costs one append without a lock, since only a failure or a slow call can open the
    circuit. The lock is held for bookkeeping only; predicate, listener and shared state run outside it.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        window: int = 20,
        minimum_calls: int = 5,
        failure_threshold: int | None = None,
        slow_call: float = 10.0,
        slow_rate: float = 0.8,
        open_for: float = 60.0,
        max_open_for: float = 3600.0,
        half_open_calls: int = 3,
        is_failure: Callable[[Exception], bool] | None = None,
        listener: Callable[[Transition], None] | None = None,
        shared: SharedState | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        owner = f"breaker {name}"
        self._limits = Limits(
            owner, failure_rate, window, minimum_calls, failure_threshold, slow_call, slow_rate, half_open_calls
        )
        require(owner, "open_for", open_for, 0 < open_for < math.inf, "above 0 and finite")
        longer = open_for <= max_open_for < math.inf
        require(owner, "max_open_for", max_open_for, longer, "at least `open_for` and finite")
        self.name = name
        self.max_open_for = max_open_for
        self._open_for = open_for
        self._is_failure = is_failure
        self._clock, self._monotonic = clock, clock.monotonic
        self._rng = rng or random.Random()

        self._lock = threading.Lock()
        self._window: deque[int] | None = self._limits.new_window()  # None unless closed
        self._trial: Trial | None = None  # None unless half-open
        self._quick = slow_call  # a success below this many seconds needs no judging
        self._retry_at = 0.0  # monotonic; only when open
        self._verdict = Verdict("closed")
        self._decisions = 0
        self._failures = self._rejected = self._opened = 0

        self._exchange = Exchange(name, shared, listener)
        self._look_at = math.inf if shared is None else -math.inf
        if shared is not None:
            self._look(self._monotonic())

    # --- what a caller asks -------------------------------------------------------------------

    @property
    def state(self) -> State:
        """`closed`, `open` or `half_open`. Open lasts until the first call after its time."""
        self._look_if_due(self._monotonic())
        return self._verdict.state

    @property
    def retry_after(self) -> float:
        """Seconds until a call makes sense: 0.0 when one may pass now."""
        now = self._monotonic()
        self._look_if_due(now)
        with self._lock:
            return self._wait(now)

    def figures(self) -> BreakerFigures:
        """The state and the counts, taken at one moment."""
        now = self._monotonic()
        self._look_if_due(now)
        with self._lock:
            calls, failed, slow = self._limits.counts(self._trial or tuple(self._window or ()))
            return BreakerFigures(
                name=self.name,
                state=self._verdict.state,
                reason=self._verdict.reason,
                calls=calls,
                failure_rate=failed / calls if calls else None,
                slow_rate=slow / calls if calls else None,
                failures=self._failures,
                rejected=self._rejected,
                opened=self._opened,
                times_opened=self._verdict.times_opened,
                retry_after=self._wait(now),
                shared_errors=self._exchange.shared_errors,
                listener_errors=self._exchange.listener_errors,
            )

    # --- around one call ----------------------------------------------------------------------

    def enter(self) -> Ticket:
        """Ask to make one call; hand the ticket to `succeeded`, `failed`, `ended_with` or `give_back` afterwards.

        Raises:
            CircuitOpenError: The circuit is open, or half-open with every trial call taken.
        """
        now = self._monotonic()
        self._look_if_due(now)
        window = self._window
        if window is not None:
            return window
        with self._lock:
            ticket = self._admit(now)
            if ticket is None:
                self._rejected += 1
                wait, reason = self._wait(now), self._verdict.reason
        self._exchange.deliver()
        if ticket is None:
            raise CircuitOpenError(
                self.name,
                f"{self.name}: circuit open ({reason or 'opened'}), next try in {wait:.3g} s",
                wait,
                "The provider rests; wait, or close the circuit by hand when you know that it works again.",
            )
        return ticket

    def still_admits(self, ticket: Ticket) -> bool:
        """Whether a call that waited since `enter` may go on: false when the circuit changed meanwhile."""
        return ticket is self._window or ticket is self._trial

    def succeeded(self, ticket: Ticket, seconds: float = 0.0) -> None:
        """The call came back well after `seconds`."""
        if seconds < self._quick and isinstance(ticket, deque):
            ticket.append(OK)
        else:
            self._record(ticket, SLOW if seconds >= self._limits.slow_call else OK)

    def failed(self, ticket: Ticket, seconds: float = 0.0) -> None:
        """The call failed in a way that tells against the provider."""
        self._record(ticket, SLOW_FAILED if seconds >= self._limits.slow_call else FAILED)

    def ended_with(self, ticket: Ticket, error: BaseException, seconds: float = 0.0) -> None:
        """The call raised `error`: a failure when the predicate says so, never for a rejection or a cancellation."""
        counts = False
        try:
            if isinstance(error, Exception) and not isinstance(error, RejectedError):
                counts = self._is_failure is None or self._is_failure(error)
        finally:
            if counts:
                self.failed(ticket, seconds)
            else:
                self.give_back(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """The call told nothing about the provider: its permit serves another one."""
        if isinstance(ticket, Trial):
            with self._lock:
                ticket.free += 1

    # --- by hand ------------------------------------------------------------------------------

    def force_open(self, reason: str = "opened by hand") -> None:
        """Refuse every call until `close` or `reset`."""
        self._decide(self._open, reason, math.inf)

    def close(self, reason: str = "closed by hand") -> None:
        """Let calls pass again, with an empty window."""
        self._decide(self._close, reason)

    def reset(self) -> None:
        """Close, and forget all counts."""
        with self._lock:
            self._failures = self._rejected = self._opened = 0
        self.close("reset")

    # --- decisions; the lock is held ----------------------------------------------------------

    def _admit(self, now: float) -> Ticket | None:
        if self._window is not None:
            return self._window
        trial = self._trial
        if trial is None:
            if self._retry_at - now > 1e-6:  # the wall clock's microseconds, when the verdict was another process's
                return None
            trial = self._half_open(f"{self._verdict.reason}; trying again")
        elif trial.free == 0 and now - trial.last_taken >= self._patience:
            # Nobody came back with these permits (a killed thread, a call that hangs): begin anew.
            trial = self._trial = Trial(self._limits.half_open_calls)
        if trial.free <= 0:
            return None
        trial.free -= 1
        trial.last_taken = now
        return trial

    @property
    def _patience(self) -> float:
        return max(self._open_for, 2 * self._limits.slow_call if self._limits.slow_call < math.inf else 0.0)

    def _wait(self, now: float) -> float:
        if self._window is not None or (self._trial is not None and self._trial.free > 0):
            return 0.0
        if self._trial is not None:  # by then the trial calls have answered, or are slow
            return min(self._limits.slow_call, self._open_for)
        # Opened by hand ends nobody knows when; a caller still needs a number to plan with.
        return min(max(0.0, self._retry_at - now), self.max_open_for)

    def _judge(self, window: deque[int]) -> None:
        # Below the minimum, the success that completes it has to be judged too.
        self._quick = -1.0 if len(window) < self._limits.minimum_calls else self._limits.slow_call
        reason = self._limits.reason_to_open(tuple(window))
        if reason:
            self._open(reason)

    def _judge_trial(self, trial: Trial, code: int) -> None:
        trial.add(code)
        reason = self._limits.reason_to_reopen(trial)
        if reason:
            self._open(reason)
        elif trial.recorded >= self._limits.half_open_calls:
            self._close(f"{trial.recorded - trial.failed} of {trial.recorded} trial calls succeeded")

    def _rest(self, times_opened: int) -> float:
        """Seconds to stay open: doubling, with up to a fifth taken off at random so that not all return together."""
        if times_opened == 1:
            return self._open_for
        longest = min(self.max_open_for, self._open_for * 2.0 ** min(times_opened - 1, 64))
        return max(self._open_for, longest * self._rng.uniform(0.8, 1.0))

    def _open(self, reason: str, seconds: float | None = None) -> None:
        now = self._clock.time()
        times = self._verdict.times_opened + 1
        rest = self._rest(times) if seconds is None else seconds
        self._window, self._trial = None, None
        self._retry_at = self._monotonic() + rest
        self._opened += 1
        self._settle(Verdict("open", now, now + rest, times, reason))

    def _half_open(self, reason: str) -> Trial:
        self._trial = Trial(self._limits.half_open_calls)
        verdict = self._verdict
        self._settle(Verdict("half_open", verdict.opened_at, verdict.open_until, verdict.times_opened, reason))
        return self._trial

    def _close(self, reason: str) -> None:
        self._window, self._trial = self._limits.new_window(), None
        self._quick = self._limits.slow_call
        self._settle(Verdict("closed", reason=reason))

    def _settle(self, verdict: Verdict) -> None:
        before, self._verdict = self._verdict.state, verdict
        self._decisions += 1
        changed = Transition(self.name, before, verdict.state, verdict.reason, verdict.open_until)
        self._exchange.post(changed if before != verdict.state else None, verdict)

    # --- outside the lock ---------------------------------------------------------------------

    def _record(self, ticket: Ticket, code: int) -> None:
        with self._lock:
            self._failures += code in (FAILED, SLOW_FAILED)
            if ticket is self._window:
                self._window.append(code)
                self._judge(self._window)
            elif ticket is self._trial:
                self._judge_trial(self._trial, code)
        self._exchange.deliver()

    def _decide(self, decision: Callable[..., None], *how: object) -> None:
        with self._lock:
            decision(*how)
        self._exchange.deliver()

    def _look_if_due(self, now: float) -> None:
        if now >= self._look_at:
            self._look(now)

    def _look(self, now: float) -> None:
        """Take over what another process decided since the last look. Listeners hear of it there, not here."""
        self._look_at = now + LOOK_EVERY
        decisions = self._decisions
        fetched = self._exchange.fetch()
        if fetched is None:
            return
        version, verdict = fetched
        with self._lock:
            if decisions != self._decisions or not self._exchange.is_news(version, verdict):
                return  # nothing new, or we decided meanwhile: then look again
            if verdict is not None and verdict != self._verdict:
                self._adopt(verdict, now)

    def _adopt(self, verdict: Verdict, now: float) -> None:
        self._decisions += 1
        self._verdict = verdict
        if verdict.state == "closed":
            self._trial = None
            if self._window is None:
                self._window = self._limits.new_window()
                self._quick = self._limits.slow_call
            return
        self._window = None
        if verdict.state == "half_open":
            self._trial = self._trial or Trial(self._limits.half_open_calls)
            return
        self._trial = None
        # A wall clock that was set back since must not keep the circuit open for a day.
        rest = verdict.open_until - self._clock.time()
        self._retry_at = now + (rest if rest == math.inf else min(rest, self.max_open_for))
