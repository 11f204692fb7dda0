"""A provider's quota: windows, refusals, and what happens when the shared count is out of reach."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from utils.clock import ManualClock
from utils.resilience.deadline import deadline
from utils.resilience.errors import CircuitOpenError, DeadlineExceededError, RateLimitedError
from utils.resilience.policy import BreakerSettings, ProviderResilience, RateLimitSettings, ResiliencePolicy
from utils.resilience.quota import Quota, window_of
from utils.resilience.settings import RetrySettings

DAY = 86_400.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Counted:
    """A shared count in memory; raises while `broken`."""

    counts: dict[tuple[str, float, int], int] = field(default_factory=dict)
    broken: bool = False

    def used(self, name: str, per: float, window: int) -> int:
        self._check()
        return self.counts.get((name, per, window), 0)

    def take(self, name: str, per: float, window: int, limit: int, owed: int, known: int) -> tuple[bool, int]:
        before = max(self.used(name, per, window), known) + owed
        self.counts[name, per, window] = before + (before < limit)
        return before < limit, self.counts[name, per, window]

    def _check(self) -> None:
        if self.broken:
            raise OSError("the disk is away")


def policy_with(quota: int, *, clock: ManualClock, quotas: Counted | None = None, **more: object) -> ResiliencePolicy:
    """A policy whose only limit is a quota a day."""
    limit = RateLimitSettings(rate=1000.0, burst=1000, quota=quota)
    settings = ProviderResilience(rate_limit=limit, bulkhead=None, **more)  # type: ignore[arg-type]  # of many types
    return ResiliencePolicy("ecb", settings, quotas=quotas, clock=clock)


def test_the_request_over_the_quota_is_refused_at_once_and_says_when_it_is_free_again() -> None:
    """Nobody waits until midnight; the message names quota, use and moment."""
    clock = ManualClock(NOON)
    policy = policy_with(2, clock=clock)
    made = [policy.call(lambda: "rates") for _ in range(2)]

    with pytest.raises(RateLimitedError) as refused:
        policy.call(lambda: "rates", retry=RetrySettings(attempts=5))

    assert made == ["rates", "rates"]
    assert clock.slept == []
    assert refused.value.retry_after == DAY / 2
    assert "ecb: the quota of 2 requests in 1 d is used up (2 made); free again at 2026-03-02 00:00:00 UTC" in str(
        refused.value
    )
    assert "rate_limit.quota" in refused.value.hint


def test_a_new_window_begins_with_the_whole_quota() -> None:
    """Days are days in UTC, whenever the first request came."""
    clock = ManualClock(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
    policy = policy_with(1, clock=clock)
    policy.call(lambda: "last of the day")

    clock.advance(1.0)

    assert policy.call(lambda: "first of the next") == "first of the next"
    with pytest.raises(RateLimitedError):
        policy.call(lambda: "second")


def test_every_attempt_counts() -> None:
    """A provider counts retries too; the third attempt finds the quota used up, and the failure is its cause."""
    clock, calls = ManualClock(NOON), list[int]()
    policy = policy_with(2, clock=clock)

    def away() -> None:
        calls.append(1)
        raise ConnectionError("away")

    with pytest.raises(RateLimitedError) as refused:
        policy.call(away, retry=RetrySettings(attempts=4))

    assert len(calls) == 2
    assert isinstance(refused.value.__cause__, ConnectionError)


def test_a_request_that_is_not_made_is_not_counted() -> None:
    """Refused by the breaker, or too late: the provider has not seen it."""
    clock = ManualClock(NOON)
    policy = policy_with(10, clock=clock, breaker=BreakerSettings(failure_threshold=1))
    with deadline(0.0, clock), pytest.raises(DeadlineExceededError):
        policy.call(lambda: "late")
    with pytest.raises(ZeroDivisionError):
        policy.call(lambda: 1 / 0)
    policy.breaker.force_open()
    with pytest.raises(CircuitOpenError):
        policy.call(lambda: "refused")

    figures = policy.figures().quota
    assert figures is not None
    assert (figures.used, figures.refused) == (1, 0)


def test_an_exhausted_quota_does_not_count_against_the_provider() -> None:
    """The circuit stays closed, however often we refuse ourselves."""
    policy = policy_with(1, clock=ManualClock(NOON), breaker=BreakerSettings(failure_threshold=1))
    policy.call(lambda: "rates")
    for _ in range(30):
        with pytest.raises(RateLimitedError):
            policy.call(lambda: "rates")
    assert policy.breaker.state == "closed"


def test_without_a_quota_nothing_is_counted() -> None:
    """A provider without one pays nothing, and its shared count is never asked."""
    policy = ResiliencePolicy("ecb", quotas=Counted(broken=True), clock=ManualClock())
    assert policy.call(lambda: "rates") == "rates"
    assert (policy.quota, policy.figures().quota) == (None, None)


def test_what_others_used_is_seen_before_anybody_stands_in_line() -> None:
    """Two processes share the count: the second one is refused without waiting for the rate limit."""
    clock, counted = ManualClock(NOON), Counted()
    first = policy_with(1, clock=clock, quotas=counted)
    slow = ProviderResilience(rate_limit=RateLimitSettings(rate=0.001, burst=1, quota=1), bulkhead=None)
    second = ResiliencePolicy("ecb", slow, quotas=counted, clock=clock)
    assert second.limiter is not None
    second.limiter.acquire()

    first.call(lambda: "rates")
    with pytest.raises(RateLimitedError, match="quota"):
        second.call(lambda: "rates")

    assert clock.slept == []


def test_the_own_count_stands_when_the_shared_one_is_away_and_is_told_it_afterwards() -> None:
    """Requests made meanwhile are not forgotten."""
    counted = Counted()
    quota = Quota("ecb", limit=4, per=DAY, shared=counted, clock=ManualClock(NOON))
    quota.take()
    counted.broken = True
    quota.check()
    quota.take()
    quota.take()
    counted.broken = False

    quota.take()

    assert list(counted.counts.values()) == [4]
    with pytest.raises(RateLimitedError):
        quota.take()


def test_the_own_count_alone_ends_at_the_limit_too() -> None:
    """A broken disk is no licence."""
    quota = Quota("ecb", limit=2, per=DAY, shared=Counted(broken=True), clock=ManualClock(NOON))
    quota.take()
    quota.take()
    with pytest.raises(RateLimitedError):
        quota.check()
    with pytest.raises(RateLimitedError):
        quota.take()
    assert quota.figures().refused == 2


def test_a_clock_that_is_set_back_gives_no_second_quota() -> None:
    """The shared count remembers the window that it goes back to."""
    clock, counted = ManualClock(datetime(2026, 3, 1, 23, 59, 50, tzinfo=UTC)), Counted()
    quota = Quota("ecb", limit=1, per=DAY, shared=counted, clock=clock)
    quota.take()
    clock.advance(20)
    quota.take()
    clock.set_back(20)
    with pytest.raises(RateLimitedError):
        quota.take()


@pytest.mark.parametrize(
    ("key", "value"), [("limit", 0), ("per", 0.0), ("per", math.inf)], ids=["no requests", "no time", "for ever"]
)
def test_settings_without_a_sense_are_refused(key: str, value: float) -> None:
    """With owner, key and value."""
    given: dict[str, float] = {"limit": 1, "per": DAY, key: value}
    with pytest.raises(ValueError, match=f"quota ecb: {key}"):
        Quota("ecb", limit=int(given["limit"]), per=given["per"])


periods = st.one_of(st.sampled_from([1.0, 60.0, 3600.0, DAY, 7 * DAY]), st.floats(0.001, 400 * DAY))
moments = st.floats(0, 4e9)


@example(moment=1944584993.9999998, per=3.3)  # their quotient rounds over the border
@given(moment=moments, per=periods)
def test_every_moment_lies_in_its_window(moment: float, per: float) -> None:
    """It begins no later than the moment, ends after it, and its number does not go back as time goes on."""
    number, end = window_of(moment, per)
    assert number * per <= moment < end
    assert end - moment <= per * (1 + 1e-6) + 1e-6
    assert window_of(end, per)[0] > number


@given(
    limit=st.integers(1, 5),
    per=st.sampled_from([1.0, 7.5, 60.0, 3600.0]),
    gaps=st.lists(st.floats(0, 2000), max_size=60),
    processes=st.integers(1, 3),
)
def test_no_window_ever_sees_more_requests_than_the_quota(
    limit: int, per: float, gaps: list[float], processes: int
) -> None:
    """Whatever the rhythm and however many processes share it; and within the quota nobody is refused."""
    clock, counted = ManualClock(NOON), Counted()
    quotas = [Quota("ecb", limit=limit, per=per, shared=counted, clock=clock) for _ in range(processes)]
    made: dict[int, int] = {}
    for number, gap in enumerate(gaps):
        clock.advance(gap)
        window, _ = window_of(clock.time(), per)
        take = quotas[number % processes].take
        if made.get(window, 0) < limit:
            take()
            made[window] = made.get(window, 0) + 1
        else:
            with pytest.raises(RateLimitedError) as refused:
                take()
            assert 0 < refused.value.retry_after <= per
