"""Try again after a failure that may pass, with growing pauses, within the deadline and the provider's budget."""

import functools
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import sleep
from utils.resilience.deadline import remaining
from utils.resilience.errors import RejectedError
from utils.resilience.retry_budget import RetryBudget
from utils.resilience.window import require

if TYPE_CHECKING:
    from tenacity import RetryCallState

P = ParamSpec("P")
R = TypeVar("R")

OnRetry = Callable[[int, BaseException, float], object]  # attempts so far, what the last one raised, seconds to wait


def is_transient(error: BaseException) -> bool:
    """Whether a failure may pass: what its `transient` attribute says; without one, connection errors and time-outs."""
    return bool(getattr(error, "transient", isinstance(error, (ConnectionError, TimeoutError))))


def retry_after(error: BaseException) -> float:
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
    """Call a function again while its failure may pass.

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
        is_transient: Which failures may pass.
        budget: The provider's budget; `None`: no limit.
        tally: Where to count; default: an own one.
        clock: Where sleep and time come from; tests pass a `ManualClock`.
        rng: Where the jitter comes from.
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
        is_transient: Callable[[Exception], bool] = is_transient,
        budget: RetryBudget | None = None,
        tally: RetryTally | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        owner = f"retry {name}"
        require(owner, "attempts", attempts, attempts >= 1, "at least 1")
        require(owner, "initial", initial, 0 <= initial < math.inf, "at least 0 and finite")
        require(owner, "max", max, initial <= max < math.inf, "at least `initial` and finite")
        require(owner, "multiplier", multiplier, 1 <= multiplier < 1000, "at least 1 and below 1000")
        self.name = name
        self.attempts = attempts
        self._initial, self._max, self._multiplier, self._jitter = initial, max, multiplier, jitter
        self._is_transient = is_transient
        self._budget = budget
        self._tally = tally or RetryTally(name)
        self._clock = clock
        self._rng = rng or random.Random()

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result; else its last error, or a rejection whose cause is the error before it."""
        if self._budget is not None:
            self._budget.request()
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if not self._worth(error):
                raise
            failure = error
        return self.resume(lambda: function(*args, **kwargs), failure)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function."""

        @functools.wraps(function)
        def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(function, *args, **kwargs)

        return retried

    def resume(self, function: Callable[[], R], failure: Exception, on_retry: OnRetry | None = None) -> R:
        """Go on after a first attempt that raised `failure`. `on_retry` is told before each wait."""
        if not self._worth(failure):
            raise failure
        from tenacity import Retrying, retry_if_exception  # 75 ms, which a run without failures never pays

        first: list[Exception] = [failure]
        last = failure

        def attempt() -> R:
            nonlocal last
            if first:
                raise first.pop()  # the attempt that was made already, so that tenacity counts it
            try:
                result = function()
            except RejectedError as rejection:
                raise rejection from last
            except Exception as error:
                last = error
                raise
            self._tally.add("recovered")
            return result

        def before_sleep(state: "RetryCallState") -> None:
            self._tally.add("retries")
            self._tally.add("waited", state.upcoming_sleep)
            if on_retry is not None:
                on_retry(state.attempt_number, last, state.upcoming_sleep)

        return Retrying(
            retry=retry_if_exception(self._worth),
            wait=self._wait,
            stop=self._give_up,
            sleep=lambda seconds: sleep(float(seconds), self._clock),
            before_sleep=before_sleep,
            reraise=True,
        )(attempt)

    def figures(self) -> RetryFigures:
        """The counts since the start."""
        return self._tally.figures()

    def _worth(self, error: BaseException) -> bool:
        return isinstance(error, Exception) and not isinstance(error, RejectedError) and self._is_transient(error)

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
        return pause if error is None else max(retry_after(error), pause)

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
