"""All patterns together around one request, in the promised order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.utils.resilience.memory import MemoryState
from tests.utils.resilience.providers import QUIET, TooMany, away, lifted
from utils.clock import ManualClock
from utils.resilience.breaker import Transition
from utils.resilience.cancellation import Cancelled
from utils.resilience.deadline import deadline, remaining
from utils.resilience.errors import CircuitOpenError, DeadlineExceededError, QuotaUsedUpError, RateLimitedError
from utils.resilience.first_byte import first_byte_arrived
from utils.resilience.policy import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    ResiliencePolicy,
    RetrySettings,
)
from utils.resilience.registry import ResilienceRegistry


def test_the_defaults_are_the_documented_ones() -> None:
    """As the configuration's contract states them."""
    assert ProviderResilience() == ProviderResilience(
        breaker=BreakerSettings(20, 5, 0.5, None, 10.0, 0.8, 60.0, 3600.0, 3),
        rate_limit=RateLimitSettings(10.0, 1.0, 20),
        bulkhead=BulkheadSettings(8),
        retry_budget=0.2,
    )
    assert RetrySettings() == RetrySettings(attempts=4, initial=0.2, max=10.0, jitter=True)


def test_a_request_s_result_comes_through() -> None:
    """With everything at its defaults."""
    policy = ResiliencePolicy("ecb", clock=ManualClock())

    assert policy.call(lambda: "rates", retry=QUIET) == "rates"


def test_a_request_is_retried_only_when_the_call_says_so() -> None:
    """Retrying belongs to the dataset, so it comes with the call."""
    clock = ManualClock()
    policy, calls = ResiliencePolicy("ecb", clock=clock), list[int]()

    def request() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("away")
        return "rates"

    with pytest.raises(ConnectionError):
        policy.call(request)

    assert (policy.call(request, retry=QUIET), len(calls), clock.slept) == ("rates", 3, [0.2])


def test_every_attempt_counts_in_the_breaker() -> None:
    """Four attempts are four failures; the fifth opens it and its own error is raised, without another pause."""
    clock = ManualClock()
    policy = ResiliencePolicy("ecb", clock=clock)
    with pytest.raises(ConnectionError):
        policy.call(away, retry=QUIET)
    before = (policy.breaker.state, len(clock.slept))

    with pytest.raises(ConnectionError):
        policy.call(away, retry=QUIET)

    assert (before, policy.breaker.state, len(clock.slept)) == (("closed", 3), "open", 3)


def test_an_open_circuit_refuses_without_asking_the_provider_or_taking_a_turn() -> None:
    """And a rejection is not retried."""
    clock = ManualClock()
    policy, calls = ResiliencePolicy("ecb", clock=clock), list[int]()
    policy.breaker.force_open()

    with pytest.raises(CircuitOpenError):
        policy.call(lambda: calls.append(1), retry=QUIET)

    figures = policy.figures()
    assert (calls, clock.slept) == ([], [])
    assert figures.limiter is not None
    assert (figures.limiter.granted, figures.breaker.rejected) == (0, 1)


def test_a_limit_that_leaves_no_room_does_not_count_against_the_provider() -> None:
    """The rejection is ours: the breaker keeps no trace and a trial permit comes back."""
    clock = ManualClock()
    settings = ProviderResilience(rate_limit=RateLimitSettings(rate=0.01, per=1.0, burst=1), bulkhead=None)
    policy = ResiliencePolicy("ecb", settings, clock=clock)
    policy.call(lambda: None)

    with deadline(5.0, clock), pytest.raises(RateLimitedError):
        policy.call(lambda: None, retry=QUIET)

    assert (policy.breaker.figures().calls, policy.breaker.figures().failures, clock.slept) == (1, 0, [])


def test_waiting_for_our_own_limit_is_not_the_provider_s_slowness() -> None:
    """The breaker's stopwatch starts with the request."""
    clock = ManualClock()
    settings = ProviderResilience(rate_limit=RateLimitSettings(rate=1, per=60.0, burst=1), bulkhead=None)
    policy = ResiliencePolicy("ecb", settings, clock=clock)

    for _ in range(6):
        policy.call(lambda: None)

    assert (sum(clock.slept), policy.breaker.figures().slow_rate) == (300.0, 0.0)


def test_slow_means_slow_to_the_first_byte() -> None:
    """A big file that takes an hour is not slow; an answer that begins after ten seconds is."""
    clock = ManualClock()
    policy = ResiliencePolicy("ecb", lifted(), clock=clock)

    def big_file() -> None:
        clock.advance(0.5)
        first_byte_arrived()
        clock.advance(3600.0)
        first_byte_arrived()

    for _ in range(4):
        policy.call(big_file)
    rate_of_big_files = policy.breaker.figures().slow_rate
    policy.call(lambda: clock.advance(10.0))

    assert (rate_of_big_files, policy.breaker.figures().slow_rate) == (0.0, 0.2)


def test_a_first_byte_outside_of_a_call_is_nothing() -> None:
    """A request may report it wherever it runs."""
    policy = ResiliencePolicy("ecb", clock=ManualClock())

    first_byte_arrived()

    assert policy.call(lambda: "rates") == "rates"


def test_a_hint_holds_back_every_request_to_the_provider() -> None:
    """A 429 of one dataset is heard by all; its own retry waits as long, not twice."""
    clock, starts = ManualClock(), list[float]()
    policy = ResiliencePolicy("ecb", clock=clock)

    def request() -> str:
        starts.append(clock.monotonic())
        if len(starts) == 1:
            raise TooMany(30.0)
        return "rates"

    policy.call(request, retry=QUIET)
    policy.call(request)

    assert starts == [0.0, 30.0, pytest.approx(30.1)]


def test_a_hint_of_years_pauses_no_longer_than_a_circuit_rests() -> None:
    """One broken header must not silence a provider until a restart."""
    policy = ResiliencePolicy("ecb", clock=ManualClock())

    def request() -> None:
        raise TooMany(1e9)

    with pytest.raises(TooMany):
        policy.call(request)

    assert policy.limiter is not None
    assert policy.limiter.figures().paused_for == 3600.0


def test_a_timeout_is_a_deadline_for_one_attempt() -> None:
    """The request sees the shorter of the two."""
    clock, seen = ManualClock(), list[float]()
    policy = ResiliencePolicy("ecb", clock=clock)

    with deadline(20.0, clock):
        policy.call(lambda: seen.append(remaining()), timeout=5.0)
        policy.call(lambda: seen.append(remaining()), timeout=60.0)

    assert seen == [5.0, 20.0]


def test_no_request_starts_after_the_deadline() -> None:
    """It is refused, gives its slot back, and does not count."""
    clock, calls = ManualClock(), list[int]()
    policy = ResiliencePolicy("ecb", clock=clock)

    with deadline(1.0, clock):
        clock.advance(1.0)
        with pytest.raises(DeadlineExceededError):
            policy.call(lambda: calls.append(1), retry=QUIET)

    figures = policy.figures()
    assert figures.bulkhead is not None
    assert (calls, figures.bulkhead.in_use, figures.breaker.calls) == ([], 0, 0)


def test_only_what_counts_tells_against_the_provider() -> None:
    """The caller knows a wrong address from a dead provider."""
    policy = ResiliencePolicy(
        "ecb", clock=ManualClock(), counts_in_breaker=lambda error: not isinstance(error, FileNotFoundError)
    )

    def missing() -> None:
        raise FileNotFoundError("404")

    for _ in range(20):
        with pytest.raises(FileNotFoundError):
            policy.call(missing, retry=QUIET)

    assert (policy.breaker.state, policy.figures().retry.retries) == ("closed", 0)


def test_a_cancelled_request_leaves_nothing_behind() -> None:
    """No slot, no count, and the trial permit is free for the next one."""
    clock = ManualClock()
    policy = ResiliencePolicy(
        "ecb", ProviderResilience(breaker=BreakerSettings(failure_threshold=1, half_open_calls=1)), clock=clock
    )
    with pytest.raises(ConnectionError):
        policy.call(away)
    clock.advance(60.0)

    def called_off() -> None:
        raise Cancelled("Ctrl-C")

    with pytest.raises(Cancelled):
        policy.call(called_off, retry=QUIET)

    assert policy.figures().bulkhead is not None
    assert (policy.call(lambda: "rates"), policy.breaker.state) == ("rates", "closed")


def test_a_ticket_taken_after_the_wait_comes_back_when_the_quota_refuses() -> None:
    """The circuit changed while we stood in line, and then no request was left: the new trial call is not lost."""

    class Changes(ManualClock):
        """While the caller waits for its turn, the circuit opens, and its rest goes by."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            policy.breaker.record_failure()
            policy.quota.take()  # type: ignore[union-attr]  # there is one
            self.advance(60.0)

    clock = Changes()
    limit = RateLimitSettings(rate=1.0, burst=1, quota=2)
    breaker = BreakerSettings(failure_threshold=1, half_open_calls=1)
    policy = ResiliencePolicy("ecb", ProviderResilience(breaker=breaker, rate_limit=limit), clock=clock)
    policy.call(lambda: "rates")

    with pytest.raises(QuotaUsedUpError):
        policy.call(lambda: "never asked")
    clock.advance(86_400.0)

    assert (policy.call(lambda: "rates"), policy.breaker.state) == ("rates", "closed")


def test_who_stood_in_line_while_the_circuit_opened_is_refused() -> None:
    """Fifty waiting callers do not all run into a provider that has just died."""
    policy = ResiliencePolicy(
        "ecb",
        ProviderResilience(
            breaker=BreakerSettings(failure_threshold=1), rate_limit=None, bulkhead=BulkheadSettings(concurrency=1)
        ),
    )
    others_wait, inside, asked = threading.Event(), threading.Event(), list[int]()

    def dying() -> None:
        asked.append(1)
        inside.set()
        assert others_wait.wait(30.0)
        raise ConnectionError("away")

    def first() -> None:
        with pytest.raises(ConnectionError):
            policy.call(dying)

    def other() -> None:
        assert inside.wait(30.0)
        with pytest.raises(CircuitOpenError):
            policy.call(lambda: asked.append(2))

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(first), *(pool.submit(other) for _ in range(5))]
        bulkhead, pause = policy.bulkhead, threading.Event()
        assert bulkhead is not None
        while bulkhead.figures().waiting < 5:
            pause.wait(0.001)
        others_wait.set()
        for call in calls:
            call.result(30.0)

    assert asked == [1]


def test_a_dead_provider_gets_at_most_its_budget_of_retries() -> None:
    """Fifty requests with four attempts each: ten retries a minute, not a hundred and fifty."""
    clock = ManualClock()
    policy = ResiliencePolicy("ecb", lifted(breaker=BreakerSettings(window=1000, minimum_calls=1000)), clock=clock)

    for _ in range(50):
        with pytest.raises(ConnectionError):
            policy.call(away, retry=RetrySettings(initial=0.0, jitter=False))

    assert (policy.figures().retry.retries, policy.figures().retry.over_budget) == (10, 47)


def test_a_registry_keeps_one_policy_a_provider() -> None:
    """However many threads ask first, with the provider's own settings."""
    asked, barrier = list[str](), threading.Barrier(8)

    def settings_for(provider: str) -> ProviderResilience:
        asked.append(provider)
        return lifted() if provider == "file" else ProviderResilience()

    registry = ResilienceRegistry(settings_for, clock=ManualClock())

    def ask() -> ResiliencePolicy:
        barrier.wait(30.0)
        return registry.policy("ecb")

    with ThreadPoolExecutor(8) as pool:
        policies = {id(call.result()) for call in [pool.submit(ask) for _ in range(8)]}

    assert (len(policies), registry.policy("file").limiter, registry.policy("ecb").limiter is None) == (1, None, False)
    assert list(registry.figures().providers) == ["ecb", "file"]


def test_a_registry_wires_its_breakers_to_the_shared_state_and_the_listener() -> None:
    """Ten datasets of one dead provider open one circuit, once, for every process."""
    clock, shared, heard = ManualClock(), MemoryState(), list[Transition]()
    registry = ResilienceRegistry(lambda provider: lifted(), shared, heard.append, clock)

    for _ in range(10):
        with pytest.raises((ConnectionError, CircuitOpenError)):
            registry.policy("ecb").call(away)
    elsewhere = ResilienceRegistry(lambda provider: lifted(), shared, clock=clock)

    assert [transition.after for transition in heard] == ["open"]
    assert elsewhere.policy("ecb").breaker.state == "open"
