"""Retrying: what is tried again, how long it waits, and what stops it."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.resilience.providers import ProviderUnavailable, failing
from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import CircuitOpenError, RejectedError
from utils.resilience.retry import Passing, Retry, backoff, hint_of, is_transient
from utils.resilience.retry_budget import RetryBudget


def test_a_passing_failure_is_tried_again_with_growing_pauses() -> None:
    """0.2, 0.4, 0.8 s without jitter; the fourth attempt serves."""
    clock = ManualClock()
    retry = Retry(jitter=False, clock=clock)

    result = retry.call(failing(ConnectionError(), TimeoutError(), ProviderUnavailable(), "rates"))

    assert (result, clock.slept) == ("rates", [0.2, 0.4, 0.8])
    assert (retry.figures().retries, retry.figures().recovered, retry.figures().waited) == (3, 1, pytest.approx(1.4))


def test_after_the_last_attempt_its_error_is_raised() -> None:
    """The very error, not one of the library's."""
    clock, last = ManualClock(), ConnectionError("last")
    retry = Retry(attempts=3, clock=clock)

    with pytest.raises(ConnectionError) as caught:
        retry.call(failing(ConnectionError("first"), ConnectionError("second"), last, "never"))

    assert caught.value is last
    assert (len(clock.slept), retry.figures().exhausted) == (2, 1)


@pytest.mark.parametrize(
    "error",
    [ValueError("400"), CircuitOpenError("ecb", "open", 5.0), Cancelled(), KeyboardInterrupt()],
    ids=["permanent", "a rejection", "called off", "Ctrl-C"],
)
def test_what_will_not_pass_is_not_tried_again(error: BaseException) -> None:
    """Nor waited for."""
    clock = ManualClock()

    with pytest.raises(type(error)):
        Retry(clock=clock, on=lambda error: not isinstance(error, ValueError)).call(failing(error, "never"))

    assert clock.slept == []


def test_a_rejection_of_a_later_attempt_tells_the_failure_before_it() -> None:
    """The circuit opened between two attempts: the cause is what the provider did."""
    failure = ConnectionError("away")

    with pytest.raises(CircuitOpenError) as caught:
        Retry(clock=ManualClock()).call(failing(failure, CircuitOpenError("ecb", "open", 5.0), "never"))

    assert caught.value.__cause__ is failure


@pytest.mark.parametrize(
    ("hint", "waits"),
    [
        (7.0, 7.0),
        (0.0, 0.2),
        (-3.0, 0.2),
        (None, 0.2),
        (0.1, 0.2),
        (float("nan"), 0.2),
        (float("inf"), 0.2),
        (99.0, 99.0),
    ],
)
def test_the_longer_of_the_hint_and_the_backoff_is_waited(hint: float | None, waits: float) -> None:
    """Zero and less are no hint, and a hint may be longer than `max`."""
    clock = ManualClock()

    Retry(jitter=False, clock=clock).call(failing(ProviderUnavailable(hint), "rates"))

    assert clock.slept == [waits]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """The last error comes at once."""
    clock, retry = ManualClock(), Retry(clock=ManualClock())
    retry = Retry(jitter=False, clock=clock)

    with deadline(5.0, clock), pytest.raises(ProviderUnavailable):
        retry.call(failing(ProviderUnavailable(1.0), ProviderUnavailable(5.0), "never"))

    assert (clock.slept, retry.figures().over_deadline) == ([1.0], 1)


def test_a_used_up_budget_ends_retrying() -> None:
    """With the last error; the next minute has room again."""
    clock = ManualClock()
    budget = RetryBudget(share=0.0, free_per_minute=2, clock=clock)
    retry = Retry(budget=budget, initial=0.0, clock=clock)

    with pytest.raises(ConnectionError, match="third"):
        retry.call(failing(ConnectionError("first"), ConnectionError("second"), ConnectionError("third"), "never"))
    clock.advance(60.0)

    assert retry.call(failing(ConnectionError(), "rates")) == "rates"
    assert retry.figures().over_budget == 1


def test_a_cancelled_pause_ends_within_a_tenth_of_a_second() -> None:
    """Ctrl-C while a retry sleeps an hour: the error is the cancellation, and nothing is tried again.

    A machine that has something else to do may need some tries to show it.
    """

    def seconds_to_end() -> float:
        token, sleeping, times = CancelToken(), threading.Event(), list[float]()

        def cancel() -> None:
            assert sleeping.wait(120)
            threading.Event().wait(0.02)
            times.append(time.monotonic())
            token.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with cancellable(token), pytest.raises(Cancelled):
            Retry().resume(failing("never"), ProviderUnavailable(3600.0), on_retry=lambda *told: sleeping.set())
        woke = time.monotonic()
        thread.join()
        return woke - times[0]

    assert any(seconds_to_end() < 0.1 for _ in range(100))


def test_each_retry_is_told_before_its_pause() -> None:
    """Attempts so far, the error, the seconds."""
    clock, told = ManualClock(), list[tuple[int, str, float]]()
    retry = Retry(jitter=False, clock=clock)

    retry.resume(
        failing(ConnectionError("second"), "rates"),
        ConnectionError("first"),
        on_retry=lambda attempts, error, seconds: told.append((attempts, str(error), seconds)),
    )

    assert told == [(1, "first", 0.2), (2, "second", 0.4)]


def test_a_decorated_function_is_retried_with_its_arguments() -> None:
    """The same arguments every time."""
    calls = list[tuple[str, int]]()

    @Retry(clock=ManualClock())
    def rate(currency: str, *, factor: int) -> str:
        calls.append((currency, factor))
        if len(calls) < 3:
            raise ConnectionError
        return currency

    assert (rate("USD", factor=2), calls) == ("USD", [("USD", 2)] * 3)


@pytest.mark.parametrize(
    ("on", "tried"),
    [
        (ConnectionError, [2, 1]),
        ((ConnectionError, ValueError), [2, 2]),
        (lambda error: "again" in str(error), [1, 2]),
    ],
    ids=["a class", "several classes", "a function"],
)
def test_which_failures_may_pass_can_be_said_in_three_ways(on: Passing, tried: list[int]) -> None:
    """How often a lost connection and a wrong value are tried."""
    attempts = []
    for error in (ConnectionResetError("lost"), ValueError("again")):
        calls = list[int]()

        def request(error: Exception = error, calls: list[int] = calls) -> None:
            calls.append(1)
            raise error

        with pytest.raises(type(error)):
            Retry(attempts=2, on=on, clock=ManualClock()).call(request)
        attempts.append(len(calls))

    assert attempts == tried


def test_a_generator_is_refused() -> None:
    """Its body runs after the call, so its failures would not be seen."""

    def pages() -> Iterator[int]:
        yield 1

    async def pages_async() -> AsyncIterator[int]:
        yield 1

    for function in (pages, pages_async):
        with pytest.raises(TypeError, match=f"retry ecb: {function.__name__} is a generator"):
            Retry("ecb")(function)


def test_many_threads_share_one_object_without_mixing_their_attempts() -> None:
    """Each call counts its own attempts."""
    retry, results = Retry(attempts=3, initial=0.0), list[object]()

    def caller() -> None:
        for _ in range(20):
            results.append(retry.call(failing(ConnectionError(), ConnectionError(), "rates")))

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["rates"] * 80
    assert (retry.figures().recovered, retry.figures().retries) == (80, 160)


def test_tenacity_is_not_imported_while_nothing_fails() -> None:
    """Its 75 ms are paid by the first failure only."""
    code = (
        "import sys; from utils.resilience import Retry; Retry().call(int); assert 'tenacity' not in sys.modules\n"
        "assert not {'asyncio', 'pandas', 'httpx'} & set(sys.modules), sorted(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"initial": -1.0},
        {"max": 0.1},
        {"multiplier": 0.5},
        {"on": KeyboardInterrupt},
        {"on": ()},
        {"on": "ConnectionError"},
    ],
    ids=lambda wrong: "{} {}".format(*next(iter(wrong.items()))),
)
def test_a_setting_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    """With the key and the value."""
    with pytest.raises(ValueError, match=rf"retry ecb: {next(iter(wrong))} must be .*, got"):
        Retry("ecb", **wrong)  # type: ignore[arg-type]  # settings of many types


@given(
    attempts=st.integers(1, 10_000),
    initial=st.floats(0.0, 10.0),
    multiplier=st.floats(1.0, 100.0),
    jitter=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=few(100), deadline=None)
def test_a_backoff_stays_between_zero_and_its_maximum(
    attempts: int, initial: float, multiplier: float, jitter: bool, seed: int
) -> None:
    """For any number of attempts, without an overflow."""
    pause = backoff(
        attempts, initial=initial, maximum=30.0, multiplier=multiplier, jitter=jitter, rng=random.Random(seed)
    )

    assert 0.0 <= pause <= 30.0


@given(hints=st.lists(st.one_of(st.none(), st.floats(-5.0, 50.0)), min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=few(60), deadline=None)
def test_delays_never_shrink_below_the_hint(hints: list[float | None], seed: int) -> None:
    """Whatever the jitter draws."""
    clock = ManualClock()
    retry = Retry(attempts=4, clock=clock, rng=random.Random(seed))

    retry.call(failing(*map(ProviderUnavailable, hints), "rates"))

    assert len(clock.slept) <= len(hints)
    total_of_hints = sum(hint for hint in hints if hint is not None and hint > 0)
    assert sum(clock.slept) >= total_of_hints - 1e-9


@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.floats(0.0, 40.0)), max_size=20),
    share=st.sampled_from([0.0, 0.2, 0.5]),
    free=st.integers(0, 10),
)
@settings(max_examples=few(60), deadline=None)
def test_the_budget_holds_in_every_minute(steps: list[tuple[int, int, float]], share: float, free: int) -> None:
    """Retries of any sixty seconds: at most the free ones, or the share of the requests of the time around them."""
    clock = ManualClock()
    budget = RetryBudget(share, free, clock=clock)
    requests, retries = list[float](), list[float]()

    for new_requests, wanted, seconds in steps:
        for _ in range(new_requests):
            budget.request()
            requests.append(clock.monotonic())
        for _ in range(wanted):
            recent = sum(1 for at in retries if clock.monotonic() - at < 60.0)
            taken = budget.take()
            if taken:
                retries.append(clock.monotonic())
                in_a_minute = sum(1 for at in requests if clock.monotonic() - at < 60.0)
                assert recent + 1 <= max(free, share * in_a_minute)
            else:
                assert recent >= free
        clock.advance(seconds)


def test_the_budget_is_a_share_of_the_requests_of_the_last_minute() -> None:
    """However long nobody asked for a retry: a hundred requests give ten, and a minute later none."""
    clock = ManualClock()
    budget = RetryBudget(0.1, 0, clock=clock)

    for _ in range(100):
        budget.request()
    given = sum(budget.take() for _ in range(20))
    clock.advance(120.0)
    budget.request()

    assert (given, budget.take()) == (10, False)


def test_what_is_transient_says_the_error_itself_else_its_kind() -> None:
    """A rejection is transient by its attribute, though never retried."""
    errors = [ProviderUnavailable(), ConnectionResetError(), TimeoutError(), RejectedError("x", "y"), ValueError()]

    assert [is_transient(error) for error in errors] == [True, True, True, True, False]


def test_a_hint_that_is_no_number_is_none() -> None:
    """A header's text that nobody parsed does no harm."""
    error = ConnectionError()
    error.retry_after = "Wed, 21 Oct 2015 07:28:00 GMT"  # type: ignore[attr-defined]  # as a careless collector would

    assert hint_of(error) == 0.0
