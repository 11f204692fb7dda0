"""Try again after a failure that may pass, with growing pauses, within the deadline and the provider's budget."""

import functools
import inspect
import math
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import sleep, sleep_async
from utils.resilience.deadline import remaining
from utils.resilience.decorating import refuse_generators
from utils.resilience.errors import RejectedError
from utils.resilience.retry_budget import RetryBudget
from utils.resilience.window import require

if TYPE_CHECKING:
    from tenacity import RetryCallState

P = ParamSpec("P")
R = TypeVar("R")

OnRetry = Callable[[int, BaseException, float], object]  # attempts so far, what the last one raised, seconds to wait
Passing = Callable[[Exception], bool] | type[Exception] | tuple[type[Exception], ...]  # which failures may pass


def is_transient(error: BaseException) -> bool:
    """Whether a failure may pass: what its `transient` attribute says; without one, connection errors and time-outs."""
    return bool(getattr(error, "transient", isinstance(error, (ConnectionError, TimeoutError))))


def hint_of(error: BaseException) -> float:
    """The provider's hint in seconds, from the error's `retry_after`; 0.0 when there is none (zero is none)."""
    hint = getattr(error, "retry_after", None)
    return float(hint) if isinstance(hint, (int, float)) and 0 < hint < math.inf else 0.0


def backoff(
    attempts: int, *, initial: float, maximum: float, multiplier: float, jitter: bool, rng: random.Random
) -> float:
    """Seconds to wait after so many attempts: exponential, with full jitter (Brooker, AWS Architecture Blog, 2015)."""
    longest = min(maximum, initial * multiplier ** min(attempts - 1, 64))
    return rng.uniform(0.0, longest) if jitter else longest


@dataclass(slots=True)
class RetryFigures:
    """What retrying did since the start.

    Args:
        name: Whose calls.
        retries: Attempts after the first one.
        recovered: Calls that a retry saved.
        exhausted: Calls given up after the last attempt,
        over_deadline: because the wait would have ended after the deadline,
        over_budget: because the provider's budget was used up.
        waited: Seconds slept between attempts, summed over all callers.
    """

    name: str
    retries: int = 0
    recovered: int = 0
    exhausted: int = 0
    over_deadline: int = 0
    over_budget: int = 0
    waited: float = 0.0


class RetryTally:
    """Counts for one or several `Retry` objects. Only failures come here, so a lock costs nothing that matters."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._figures = RetryFigures(name)

    def add(self, key: str, amount: float = 1) -> None:
        """Add to one of the fields of `RetryFigures`."""
        with self._lock:
            setattr(self._figures, key, getattr(self._figures, key) + amount)

    def figures(self) -> RetryFigures:
        """A copy of the counts."""
        with self._lock:
            figures = self._figures
            return RetryFigures(*(getattr(figures, key) for key in RetryFigures.__slots__))


class Retry:
    """Call a function or coroutine function again while its failure may pass.

    The first attempt is bare and costs nothing; tenacity is imported and set up only after it failed.
    A rejection (`RejectedError`) and a cancellation are never tried again. Between attempts it waits the
    longer of the error's `retry_after` (seconds) and the backoff, and gives up at once, with the last
    error, when that would end after the deadline. Without a deadline any hint is obeyed.

    Args:
        name: Whose calls, for the figures.
        attempts: How many in all, the first included.
        initial: Seconds after the first failure; multiplied each time.
        max: The longest backoff in seconds; a provider's hint may be longer.
        multiplier: Growth of the backoff.
        jitter: Draw each pause between 0 and the backoff, so that callers do not return together.
        on: Which failures may pass: a class of exceptions, several of them, or a function that says so of an error.
        budget: The provider's budget; `None`: no limit.
        tally: Where to count; default: an own one.
        clock: Where sleep and time come from; tests pass a `ManualClock`.
        rng: Where the jitter comes from.

    >>> from utils.clock import ManualClock
    >>> answers = iter([ConnectionError("reset"), "rates"])
    >>> def request():
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> Retry(attempts=3, on=ConnectionError, clock=ManualClock()).call(request)
    'rates'
    """

    def __init__(
        self,
        name: str = "retry",
        *,
        attempts: int = 4,
        initial: float = 0.2,
        max: float = 10.0,
        multiplier: float = 2.0,
        jitter: bool = True,
        on: Passing = is_transient,
        budget: RetryBudget | None = None,
        tally: RetryTally | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        owner = f"retry {name}"
        require(owner, "attempts", attempts, lambda times: times >= 1, "at least 1", whole=True)
        require(owner, "initial", initial, lambda seconds: 0 <= seconds < math.inf, "at least 0 and finite")
        require(owner, "max", max, lambda longest: initial <= longest < math.inf, "at least `initial` and finite")
        require(owner, "multiplier", multiplier, lambda times: 1 <= times < 1000, "at least 1 and below 1000")
        if not _can_tell(on):
            wanted = "a class of exceptions, a tuple of such classes, or a function"
            raise ValueError(f"{owner}: on must be {wanted}, got {on!r}")
        parts = (("jitter", jitter, bool), ("budget", budget, RetryBudget), ("tally", tally, RetryTally))
        for key, part, kind in (*parts, ("rng", rng, random.Random)):
            if not isinstance(part, kind) and (part is not None or kind is bool):
                wanted = "True or False" if kind is bool else f"a {kind.__name__}, or None"
                raise ValueError(f"{owner}: {key} must be {wanted}, got {repr(part)[:40]}")
        self.name = name
        self.attempts = attempts
        self._initial, self._max, self._multiplier, self._jitter = initial, max, multiplier, jitter
        self._may_pass = _predicate(on)
        self._budget = budget
        self._tally = tally or RetryTally(name)
        self._clock = clock
        self._rng = rng or random.Random()

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result; else its last error, or a rejection whose cause is the error before it.

        Of a coroutine function the result is to be awaited, and only then it is tried, and tried again.
        """
        if self._budget is not None:
            self._budget.request()
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            if not self._worth(error):
                raise
            failure = error
        else:
            if type(result) is CoroutineType:
                again = cast("Callable[[], Awaitable[Any]]", functools.partial(function, *args, **kwargs))
                return cast("R", self._awaited(cast("Awaitable[Any]", result), again))
            return result
        return self.resume(lambda: function(*args, **kwargs), failure)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function.

        Raises:
            TypeError: It is a generator.
        """
        refuse_generators(f"retry {self.name}", function, "put the retry around what fetches inside it")
        if inspect.iscoroutinefunction(function):
            pending = cast("Callable[P, Awaitable[R]]", function)

            @functools.wraps(function)
            async def retried_async(*args: P.args, **kwargs: P.kwargs) -> R:
                return await self.call(pending, *args, **kwargs)

            return cast("Callable[P, R]", retried_async)

        @functools.wraps(function)
        def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(function, *args, **kwargs)

        return retried

    def resume(self, function: Callable[[], R], failure: Exception, on_retry: OnRetry | None = None) -> R:
        """Go on after a first attempt that raised `failure`. `on_retry` is told before each wait."""
        if not self._worth(failure):
            raise failure
        from tenacity import Retrying  # 75 ms, which a run without failures never pays

        record = _Record(failure, self._tally)

        def attempt() -> R:
            with record:
                return function()

        def pause(seconds: float) -> None:
            sleep(float(seconds), self._clock)

        return Retrying(sleep=pause, **self._rules(record, on_retry))(attempt)

    async def resume_async(
        self, function: Callable[[], Awaitable[R]], failure: Exception, on_retry: OnRetry | None = None
    ) -> R:
        """The same for coroutines: the event loop goes on while it waits."""
        if not self._worth(failure):
            raise failure
        from tenacity import AsyncRetrying

        record = _Record(failure, self._tally)

        async def attempt() -> R:
            with record:
                return await function()

        async def pause(seconds: float) -> None:
            await sleep_async(float(seconds), self._clock)

        return await AsyncRetrying(sleep=pause, **self._rules(record, on_retry))(attempt)

    def figures(self) -> RetryFigures:
        """The counts since the start."""
        return self._tally.figures()

    async def _awaited(self, first: Awaitable[R], again: Callable[[], Awaitable[R]]) -> R:
        try:
            return await first
        except Exception as error:
            if not self._worth(error):
                raise
            failure = error
        return await self.resume_async(again, failure)

    def _worth(self, error: BaseException) -> bool:
        return isinstance(error, Exception) and not isinstance(error, RejectedError) and self._may_pass(error)

    def _rules(self, record: "_Record", on_retry: OnRetry | None) -> dict[str, Any]:
        """What tenacity is told for one call, whichever of its two forms makes it."""
        from tenacity import retry_if_exception

        def before_sleep(state: "RetryCallState") -> None:
            self._tally.add("retries")
            self._tally.add("waited", state.upcoming_sleep)
            if on_retry is not None:
                on_retry(state.attempt_number, record.last, state.upcoming_sleep)

        return {
            "retry": retry_if_exception(self._worth),
            "wait": self._wait,
            "stop": self._give_up,
            "before_sleep": before_sleep,
            "reraise": True,
        }

    def _wait(self, state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        pause = backoff(
            state.attempt_number,
            initial=self._initial,
            maximum=self._max,
            multiplier=self._multiplier,
            jitter=self._jitter,
            rng=self._rng,
        )
        return pause if error is None else max(hint_of(error), pause)

    def _give_up(self, state: "RetryCallState") -> bool:
        # tenacity asks once a failure, after `_wait`: the budget is the last to be asked, since asking spends it.
        if state.attempt_number >= self.attempts:
            self._tally.add("exhausted")
        elif state.upcoming_sleep >= remaining():
            self._tally.add("over_deadline")
        elif self._budget is not None and not self._budget.take():
            self._tally.add("over_budget")
        else:
            return False
        return True


class _Record:
    """The attempts of one call, as a block around each; it belongs to the call, so no thread sees another's.

    The first block raises the failure that was there already, so that tenacity counts that attempt.
    """

    def __init__(self, failure: Exception, tally: RetryTally) -> None:
        self.last = failure
        self._tally = tally
        self._is_first = True

    def __enter__(self) -> None:
        if self._is_first:
            self._is_first = False
            raise self.last

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._tally.add("recovered")
        elif isinstance(error, RejectedError):
            error.__cause__ = self.last
        elif isinstance(error, Exception):
            self.last = error


def _can_tell(on: object) -> bool:
    classes = on if isinstance(on, tuple) else (on,) if isinstance(on, type) else ()
    if not classes:
        return callable(on)
    return all(isinstance(one, type) and issubclass(one, Exception) for one in classes)


def _predicate(on: Passing) -> Callable[[Exception], bool]:
    if isinstance(on, (type, tuple)):
        classes = on
        return lambda error: isinstance(error, classes)
    return on
