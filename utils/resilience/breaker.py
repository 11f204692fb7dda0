"""Stop calling a provider that keeps failing, and try again after a rest."""

import functools
import inspect
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import CoroutineType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.circuit import Circuit, Ticket
from utils.resilience.decisions import Decisions
from utils.resilience.errors import CircuitOpenError
from utils.resilience.exchange import Transition
from utils.resilience.figures import BreakerFigures
from utils.resilience.limits import Limits
from utils.resilience.outcomes import Outcomes, Which
from utils.resilience.shared_state import SharedState
from utils.resilience.trial import Permit
from utils.resilience.window import OK

__all__ = ["BreakerFigures", "CircuitBreaker", "CircuitOpenError", "Transition"]

P = ParamSpec("P")
R = TypeVar("R")

# The with blocks that are open around us, the innermost first: (breaker, ticket, started, the block around it).
_Block = tuple["CircuitBreaker", Ticket, float, "_Block | None"]
_entered: ContextVar[_Block | None] = ContextVar("entered_breakers", default=None)


class CircuitBreaker(Circuit):
    """Stop calling a provider that keeps failing, and try again after a rest.

    Closed: calls pass. Open: calls are refused until the rest has gone by. Half-open: a few trial
    calls decide which of the two comes next, judged by the same rates after each of them.

    One object serves as decorator, as `with` and `async with` block and through `call`, for functions
    and coroutine functions. In a block a fallback cannot replace the body, so an open circuit raises there.

    Args:
        name: The provider's name, in every error and event.
        failure_rate: Share of failed calls in the window that opens the circuit.
        window: How many of the last calls are judged.
        window_time: Judge all calls of the last so many seconds instead, however many; `None`: the last `window` calls.
        minimum_calls: No rate is judged below this many calls.
        failure_threshold: Failures in a row that open the circuit; `None`: only the rates decide.
        slow_call: Seconds from which a call counts as slow; `inf`: never.
        slow_rate: Share of slow calls that opens the circuit.
        open_for: Seconds to rest after the first opening; doubled, with jitter, each time a trial fails.
        max_open_for: The longest rest in seconds.
        half_open_calls: Trial calls that may run at the same time, and that close the circuit when they are well.
            A permit whose call did not come back within twice `slow_call` (or `half_open_for`) is lent again.
        half_open_for: Seconds after the first trial call began from which what came so far decides: closed when some
            came back and all limits are kept, open again when none did. `None`: `open_for`, or twice `slow_call`
            when that is longer.
        fallback: Called with the function's arguments instead of it while the circuit refuses calls.
        is_failure: Which exceptions tell against the provider: types, or a predicate; default: all.
            Rejections and cancellations never do.
        ignore: Which exceptions tell nothing about it, as if the call had not been made; wins over `is_failure`.
        is_failed_result: Whether a result that came back means a failure all the same; it is returned in any case.
        listener: Told every transition that this process decides, in order, without a lock held.
        shared: Where processes share the verdict; looked at when the breaker is made and every 100 ms at most.
        clock: Where the time comes from; tests pass a `ManualClock`.
        rng: Where the jitter comes from.

    >>> breaker = CircuitBreaker("ecb", failure_threshold=1, fallback=lambda: "yesterday's rates")
    >>> breaker.record_failure()
    >>> breaker.call(lambda: "today's rates")
    "yesterday's rates"
    """

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        window: int = 20,
        window_time: float | None = None,
        minimum_calls: int = 5,
        failure_threshold: int | None = None,
        slow_call: float = 10.0,
        slow_rate: float = 0.8,
        open_for: float = 60.0,
        max_open_for: float = 3600.0,
        half_open_calls: int = 3,
        half_open_for: float | None = None,
        fallback: Callable[..., Any] | None = None,
        is_failure: Which | None = None,
        ignore: Which | None = None,
        is_failed_result: Callable[..., bool] | None = None,
        listener: Callable[[Transition], None] | None = None,
        shared: SharedState | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        limits = Limits(
            f"breaker {name}",
            failure_rate=failure_rate,
            window=window,
            window_time=window_time,
            minimum_calls=minimum_calls,
            failure_threshold=failure_threshold,
            slow_call=slow_call,
            slow_rate=slow_rate,
            half_open_calls=half_open_calls,
        )
        rules = Decisions(limits, open_for, max_open_for, half_open_for, rng or random.Random())
        super().__init__(name, rules, Outcomes(is_failure, ignore, is_failed_result), listener, shared, clock)
        self._fallback = fallback
        self._allowed: deque[Permit] = deque(maxlen=half_open_calls)  # of `allows`, until an outcome is recorded

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function`; of a coroutine function the result is to be awaited, and only then the call is judged.

        Raises:
            CircuitOpenError: The circuit refuses the call and there is no fallback.
        """
        monotonic = self._monotonic
        started = monotonic()
        ticket: Ticket | None = self._window
        if ticket is None or started >= self._look_at:
            try:
                ticket = self.enter()
            except CircuitOpenError:
                if self._fallback is None:
                    raise
                return cast("R", self._fallback(*args, **kwargs))
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self.ended_with(ticket, error, monotonic() - started)
            raise
        seconds = monotonic() - started
        if ticket is self._window and seconds < self._quick and type(result) is not CoroutineType:
            ticket.append(OK)  # the whole price of a success; a failure takes the lock
            return result
        return self._finish(ticket, result, seconds)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function.

        Raises:
            TypeError: A generator's body runs after the call came back, so its failures would not be seen.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"breaker {self.name}: {function.__name__} is a generator, whose body runs after the call; "
                "put the breaker around what fetches inside it"
            )
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._decorated_async(function))

        monotonic = self._monotonic

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            # The quick half of `call` written out: passing the arguments on once more costs as much as the rest.
            started = monotonic()
            ticket = self._window
            if ticket is None or started >= self._look_at:
                return self.call(function, *args, **kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self.ended_with(ticket, error, monotonic() - started)
                raise
            seconds = monotonic() - started
            if ticket is self._window and seconds < self._quick and type(result) is not CoroutineType:
                ticket.append(OK)
                return result
            return self._finish(ticket, result, seconds)

        return guarded

    def __enter__(self) -> Self:
        started = self._monotonic()
        ticket: Ticket | None = self._window
        if ticket is None or started >= self._look_at:
            ticket = self.enter()
            started = self._monotonic()
        _entered.set((self, ticket, started, _entered.get()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        block = _entered.get()
        if block is not None and block[0] is self:
            _, ticket, started, around = block
            _entered.set(around)
        else:
            ticket, started = self._leave(block)
        seconds = self._monotonic() - started
        if error is not None:
            self.ended_with(ticket, error, seconds)
        elif ticket is self._window and seconds < self._calm:
            ticket.append(OK)
        else:
            self.succeeded(ticket, seconds)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, at)

    # --- for code that cannot be wrapped ------------------------------------------------------

    def allows(self) -> bool:
        """Whether a call may be made now. In half-open this takes a permit: record what came of the call."""
        try:
            ticket = self.enter()
        except CircuitOpenError:
            return False
        if isinstance(ticket, Permit):
            self._allowed.append(ticket)
        return True

    def record_success(self, seconds: float = 0.0) -> None:
        """A call came back well after `seconds`."""
        ticket = self._now()
        if ticket is not None:
            self.succeeded(ticket, seconds)

    def record_failure(self, seconds: float = 0.0) -> None:
        """A call failed after `seconds`."""
        ticket = self._now()
        if ticket is not None:
            self.failed(ticket, seconds)

    def record_nothing(self) -> None:
        """A call that was allowed told nothing about the provider (cancelled, refused elsewhere)."""
        ticket = self._now()
        if ticket is not None:
            self.give_back(ticket)

    # --- details ------------------------------------------------------------------------------

    def _finish(self, ticket: Ticket, result: R, seconds: float) -> R:
        if type(result) is CoroutineType:
            return cast("R", self._awaited(ticket, cast("Awaitable[Any]", result)))
        self.came_back(ticket, result, seconds)
        return result

    def _now(self) -> Ticket | None:
        window = self._window
        while window is None and self._allowed:
            permit = self._allowed.popleft()
            if self.still_admits(permit):
                return permit
        return window if window is not None or self.state != "half_open" else Permit(None, self._dropped)

    def _leave(self, block: _Block | None) -> tuple[Ticket, float]:
        """Our block is not the innermost one: a generator may leave its own after ours was entered."""
        inside = []
        while block is not None and block[0] is not self:
            inside.append(block)
            block = block[3]
        if block is None:
            raise RuntimeError(
                f"breaker {self.name}: the block was left in another thread or task than it was entered in"
            )
        around = block[3]
        for breaker, ticket, started, _ in reversed(inside):
            around = (breaker, ticket, started, around)
        _entered.set(around)
        return block[1], block[2]

    def _decorated_async(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        monotonic = self._monotonic

        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            # Entered when awaited, not when called: a coroutine that nobody awaits takes no permit.
            started = monotonic()
            ticket: Ticket | None = self._window
            if ticket is None or started >= self._look_at:
                try:
                    ticket = self.enter()
                except CircuitOpenError:
                    if self._fallback is None:
                        raise
                    instead = self._fallback(*args, **kwargs)
                    return cast("R", await instead if inspect.isawaitable(instead) else instead)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                self.ended_with(ticket, error, monotonic() - started)
                raise
            seconds = monotonic() - started
            if ticket is self._window and seconds < self._quick:
                ticket.append(OK)
            else:
                self.came_back(ticket, result, seconds)
            return result

        return guarded

    async def _awaited(self, ticket: Ticket, pending: Awaitable[R]) -> R:
        monotonic = self._monotonic
        started = monotonic()
        try:
            result = await pending
        except BaseException as error:
            self.ended_with(ticket, error, monotonic() - started)
            raise
        self.came_back(ticket, result, monotonic() - started)
        return result
