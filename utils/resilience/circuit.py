"""The state machine of a circuit breaker: who may call, what the outcomes mean, who is told.

After Nygard's "Release It!" with the sliding windows, slow calls and bounded trial calls of
resilience4j. `decisions.py` has the rules; `breaker.py` puts the decorator, the with block and the fallback around it.
"""

import contextlib
import math
import os
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from utils.clock import Clock
from utils.resilience.counting import Count
from utils.resilience.decisions import Decisions, Moment
from utils.resilience.errors import CircuitOpenError, in_seconds
from utils.resilience.exchange import Transition
from utils.resilience.figures import BreakerFigures
from utils.resilience.last_resort import LastResort, LastResorts
from utils.resilience.outcomes import Outcomes
from utils.resilience.shared_state import SharedState, State, Verdict
from utils.resilience.standing import Standing
from utils.resilience.trial import Permit
from utils.resilience.window import BAD, FAILED, OK, SLOW, SLOW_FAILED, CountWindow, Window

Ticket = Window | Permit | LastResort  # what a call belongs to: an outcome of an older window or trial is dropped


class Circuit(Standing):
    """Closed, open, half-open. All times in seconds; see `CircuitBreaker` for the settings.

    A success costs one append without a lock (in a count window), since only a failure or a slow call can open the
    circuit. The lock is held for bookkeeping only; predicates, listener and shared state run outside it.
    """

    def __init__(
        self,
        name: str,
        rules: Decisions,
        outcomes: Outcomes,
        listener: Callable[[Transition], None] | None,
        shared: SharedState | None,
        clock: Clock,
    ) -> None:
        # A success needs no lock only when no classifier has to be asked either.
        super().__init__(name, rules, listener, shared, clock, asks=outcomes.is_failed_result is not None)
        self.max_open_for = rules.max_open_for
        self._outcomes = outcomes
        self._failures, self._rejected = 0, Count()
        self._dropped: deque[str] = deque()
        self._last_resorts = LastResorts(rules.patience)

    # --- what a caller asks -------------------------------------------------------------------

    @property
    def state(self) -> State:
        """`closed`, `open` or `half_open`. Open lasts until the first call after its time."""
        self._catch_up()
        return self._verdict.state

    @property
    def retry_after(self) -> float:
        """Seconds until a call makes sense: 0.0 when one may pass now."""
        now = self._catch_up()
        with self._lock:
            return self._wait(now)

    def figures(self) -> BreakerFigures:
        """The state and the counts, taken at one moment."""
        now = self._catch_up()
        with self._lock:
            verdict, trial = self._verdict, self._verdict.trial
            calls = trial if self._window is None else self._window
            counts = (CountWindow() if calls is None else calls).counts()
            return BreakerFigures(
                name=self.name,
                state=verdict.state,
                held=verdict.held,
                reason=verdict.reason,
                calls=counts.calls,
                failure_rate=counts.failed / counts.calls if counts.calls else None,
                slow_rate=counts.slow / counts.calls if counts.calls else None,
                failures=self._failures,
                rejected=self._rejected.value,
                opened=self._opened,
                times_opened=verdict.times_opened,
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
        if now >= self._look_at:
            self._look(now)
        ticket: Ticket | None = self._window
        if ticket is None and (now >= self._refused_until or self._dropped):
            ticket = self._ask()
        return self._refuse(now) if ticket is None else ticket

    def enter_as_last_resort(self) -> Ticket:
        """Like `enter`, but one call at a time may pass through an open circuit, for want of another provider.

        It takes no permit. When it comes back well, the rest ends early; when it fails, nothing changes.

        Raises:
            CircuitOpenError: The circuit was forced open, or another last resort is out.
        """
        moment = self._catch_up()
        ticket: Ticket | None = self._window
        if ticket is None:
            ticket = self._ask()
        if ticket is None:
            with self._lock:
                ticket = self._last_resorts.take(self._verdict, moment.steady)
        return self._refuse(moment.steady) if ticket is None else ticket

    def still_admits(self, ticket: Ticket) -> bool:
        """Whether a call that waited since `enter` may go on: false when the circuit changed meanwhile."""
        if isinstance(ticket, LastResort):
            return self._verdict.state == ticket.opening.state and not self._verdict.held
        if isinstance(ticket, Permit):
            trial = self._verdict.trial if self._verdict.state == "half_open" else None
            return trial is not None and ticket.id is not None and trial.has_lent(ticket.id)
        return ticket is self._window

    def came_back(self, ticket: Ticket, result: object, seconds: float = 0.0) -> None:
        """The call returned `result` after `seconds`: well, unless the classifier of results says that it failed."""
        judge = self._outcomes.is_failed_result
        if judge is None:
            self.succeeded(ticket, seconds)
            return
        try:
            failed = judge(result)
        except BaseException:
            self.give_back(ticket)
            raise
        (self.failed if failed else self.succeeded)(ticket, seconds)

    def succeeded(self, ticket: Ticket, seconds: float = 0.0) -> None:
        """The call came back well after `seconds`."""
        if seconds < self._calm and isinstance(ticket, CountWindow):
            ticket.append(OK)
        else:
            self._record(ticket, SLOW if seconds >= self._limits.slow_call else OK)

    def failed(self, ticket: Ticket, seconds: float = 0.0) -> None:
        """The call failed in a way that tells against the provider."""
        self._record(ticket, SLOW_FAILED if seconds >= self._limits.slow_call else FAILED)

    def ended_with(self, ticket: Ticket, error: BaseException, seconds: float = 0.0) -> None:
        """The call raised `error`: a failure when the predicates say so, never for a rejection or a cancellation."""
        counts = False
        try:
            counts = self._outcomes.tells_against(error)
        finally:
            if counts:
                self.failed(ticket, seconds)
            else:
                self.give_back(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """The call told nothing about the provider: its permit serves another one."""
        if isinstance(ticket, Permit):
            if ticket.id is not None:
                self._return(ticket.id)
            ticket.settled = True  # last: what is interrupted before it is told again, which changes nothing
        elif isinstance(ticket, LastResort):
            self._last_resorts.back(ticket)

    # --- by hand ------------------------------------------------------------------------------

    def force_open(self, reason: str = "opened by hand") -> None:
        """Refuse every call, in all processes and after a restart too, until `close` or `reset`."""
        self._decide(
            lambda before, now: Verdict("open", now.wall, math.inf, before.times_opened, reason, held=True), anew=True
        )

    def force_closed(self, reason: str = "kept closed by hand") -> None:
        """Let every call pass and count them, but never open, until `close` or `reset`; shared and kept as well."""
        self._decide(lambda *_: Verdict("closed", reason=reason, held=True), anew=True)

    def close(self, reason: str = "closed by hand") -> None:
        """Let calls pass again, with an empty window; what was forced ends."""
        self._decide(lambda *_: Verdict("closed", reason=reason), anew=True)

    def reset(self) -> None:
        """Close, and forget all counts."""
        with self._lock:
            self._failures, self._rejected, self._opened = 0, Count(), 0
        self.close("reset")

    # --- asking and telling; no lock is held ----------------------------------------------------

    def _ask(self) -> Ticket | None:
        """A ticket, when the circuit lets a call pass after all."""
        moment = self._catch_up()
        with self._lock:
            verdict = self._verdict
            rest, free = self._rest(verdict, moment), self._rules.free(verdict, moment.steady)
        if (verdict.state == "open" and rest > 0.0) or (verdict.state == "half_open" and free <= 0):
            return None  # without asking the others: what they decided is known well enough
        new = os.urandom(8).hex()
        permit = Permit(new, self._dropped)  # made first: an interrupt from here on gives it back
        after = self._decide(lambda before, now: self._rules.lent(before, new, self._rest(before, now), now))
        if after.trial is not None and after.trial.has_lent(new):
            return permit
        permit.settled = True
        return self._window

    def _refuse(self, steady: float) -> NoReturn:
        self._rejected.add()
        verdict = self._verdict
        if steady < self._refused_until:  # without a lock: all the datasets of a dead provider come this way
            wait = self._retry_at - steady
            wait = wait if wait < self.max_open_for else self.max_open_for  # noqa: FURB136 - min() is a call
        else:
            with self._lock:
                wait = self._wait(Moment.of(self._clock))
        why, told = verdict.reason or "opened", f", next try in {in_seconds(wait)}"
        hint = "The provider rests; wait, or close the circuit by hand when you know that it works again."
        if verdict.held:
            told, hint = "", "Somebody opened it by hand, and it stays so until somebody closes it."
        message = f"{self.name}: circuit {'held ' if verdict.held else ''}open ({why}){told}"
        raise CircuitOpenError(self.name, message, wait, hint)

    def _record(self, ticket: Ticket, code: int) -> None:
        if isinstance(ticket, LastResort):
            self._last_resorts.back(ticket)
            if code == OK:
                self._decide(lambda before, now: self._rules.ended_early(before, ticket.opening, now))
            return
        if isinstance(ticket, Permit):
            with self._lock:
                self._failures += code in BAD
            permit = ticket.id
            self._decide(lambda before, now: self._rules.recorded(before, permit, code, now))
            ticket.settled = True
            return
        with self._lock:
            if code in BAD:
                self._failures += 1
            if ticket is self._window:
                ticket.append(code)
                if code != OK or self._alert:
                    self._judge(ticket)
        if self._opening is not None:
            with self._exchange.turn:
                self._share_opening()
            self._exchange.tell()

    def _return(self, permit: str) -> None:
        trial = self._verdict.trial
        if trial is not None and trial.has_lent(permit):
            self._decide(lambda before, _: self._rules.given_back(before, permit))

    def _catch_up(self) -> Moment:
        """Before a look: what others decided, what was lost, what took too long."""
        moment = Moment.of(self._clock)
        if moment.steady >= self._look_at:
            self._look(moment.steady)
        if self._window is None:
            while self._dropped:
                with contextlib.suppress(IndexError):  # another thread was quicker
                    self.give_back(Permit(self._dropped.popleft(), self._dropped))
            if self._rules.is_overdue(self._verdict, moment.steady):
                self._decide(self._rules.overdue)
        return moment

    def _wait(self, now: Moment) -> float:
        verdict = self._verdict
        if verdict.state == "open":
            # Opened by hand ends nobody knows when; a caller still needs a number to plan with.
            return min(self._rest(verdict, now), self.max_open_for)
        if verdict.state == "closed" or self._rules.free(verdict, now.steady) > 0:
            return 0.0
        return min(self._limits.slow_call, self._rules.open_for)  # by then the trial calls have answered, or are slow
