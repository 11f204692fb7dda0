"""One instance a name, and the figures of all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.utils.resilience.memory import MemoryState
from tests.utils.resilience.providers import away
from utils.clock import ManualClock
from utils.resilience.breaker import Transition
from utils.resilience.errors import BulkheadFullError, CircuitOpenError
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.settings import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    RetrySettings,
)


def test_the_same_name_gives_the_same_instance_to_all_threads() -> None:
    """With the settings it was made with, said again or not."""
    registry, barrier = ResilienceRegistry(clock=ManualClock()), threading.Barrier(8)

    def ask(number: int) -> object:
        barrier.wait(120)
        return registry.breaker("ecb", failure_threshold=3) if number % 2 else registry.limiter("ecb", rate=5)

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(ask, range(8)))

    assert made == {registry.breaker("ecb"), registry.limiter("ecb", rate=5)}
    assert registry.bulkhead("ecb") is registry.bulkhead("ecb")
    assert registry.retry("ecb", attempts=2) is registry.retry("ecb")


def test_other_settings_for_a_name_that_is_taken_are_an_error() -> None:
    """Which tells both, since they may stand in two files."""
    registry = ResilienceRegistry(clock=ManualClock())
    registry.bulkhead("ecb", concurrency=2)
    registry.breaker("ecb")

    with pytest.raises(ValueError, match=r"bulkhead ecb: it was made with concurrency=2, now .* with concurrency=3"):
        registry.bulkhead("ecb", concurrency=3)
    with pytest.raises(ValueError, match=r"breaker ecb: it was made with the defaults, now .* failure_threshold=3"):
        registry.breaker("ecb", failure_threshold=3)


@pytest.mark.parametrize(
    ("settings", "error"), [({"attempts": 0}, ValueError), ({"atempts": 1}, TypeError)], ids=["a value", "a key"]
)
def test_what_cannot_be_made_leaves_the_name_free(settings: dict[str, int], error: type[Exception]) -> None:
    """A slip is corrected by asking again."""
    registry = ResilienceRegistry(clock=ManualClock())

    with pytest.raises(error, match=next(iter(settings))):
        registry.retry("ecb", **settings)

    assert registry.retry("ecb", attempts=2).attempts == 2


def test_figures_cover_every_instance() -> None:
    """Providers' policies and what stands alone, by name."""
    registry = ResilienceRegistry(clock=ManualClock())
    registry.policy("tcmb").call(lambda: "rates")
    with pytest.raises(ConnectionError):
        registry.breaker("mail").call(away)
    registry.limiter("api", rate=1, burst=1).acquire()
    _held = registry.bulkhead("disk", concurrency=1).take()
    with pytest.raises(BulkheadFullError):
        registry.bulkhead("disk").acquire(timeout=0.0)
    with pytest.raises(ConnectionError):
        registry.retry("ftp", attempts=2).call(away)

    figures = registry.figures()

    assert (figures.providers["tcmb"].requests, figures.breakers["mail"].failures) == (1, 1)
    assert (figures.limiters["api"].granted, figures.bulkheads["disk"].refused) == (1, 1)
    assert (figures.retries["ftp"].retries, figures.retries["ftp"].exhausted) == (1, 1)


def test_a_named_breaker_shares_its_verdict_and_tells_its_transitions() -> None:
    """As those of providers do, so that it is kept over a restart."""
    clock, shared, heard = ManualClock(), MemoryState(), list[Transition]()
    breaker = ResilienceRegistry(shared=shared, listener=heard.append, clock=clock).breaker("mail", failure_threshold=1)
    with pytest.raises(ConnectionError):
        breaker.call(away)

    after_a_restart = ResilienceRegistry(shared=shared, clock=clock).breaker("mail", failure_threshold=1)

    assert [(moved.name, moved.after) for moved in heard] == [("mail", "open")]
    with pytest.raises(CircuitOpenError):
        after_a_restart.call(lambda: "sent")


def test_news_are_told_once_and_add_up() -> None:
    """Whoever asks, and however often; what did not change is not mentioned."""
    clock = ManualClock()
    settings = ProviderResilience(
        breaker=BreakerSettings(failure_threshold=3),
        rate_limit=RateLimitSettings(rate=1.0, burst=1),
        bulkhead=BulkheadSettings(1),
    )
    registry = ResilienceRegistry(lambda _: settings, clock=clock)
    policy = registry.policy("ecb")
    policy.call(lambda: clock.advance(2.0))
    first = registry.news()
    with pytest.raises(ConnectionError):
        policy.call(away, retry=RetrySettings(attempts=2, initial=0.5, jitter=False))
    with pytest.raises(ConnectionError):
        policy.call(away)
    with pytest.raises(CircuitOpenError):
        policy.call(away)
    second = registry.news()

    assert first == {"ecb": {"requests": 1, "bulkhead_use_s": 2.0}}
    assert second["ecb"] == {
        "requests": 3,
        "failures": 3,
        "circuit_opened": 1,
        "refused_by_circuit": 1,
        "retries": 1,
        "given_up": 1,
        "retry_wait_s": 0.5,
        "limit_waits": 2,
        "limit_wait_s": 1.5,
    }
    assert registry.news() == {}


def test_news_of_a_few_of_many_providers_are_those_that_were_asked_for() -> None:
    """And those that are named: their calls end after they were looked at. What is not told now is told later."""
    registry = ResilienceRegistry(clock=ManualClock())
    slow, other = registry.policy("slow"), registry.policy("other")
    assert registry.news(besides=[]) == {}
    for policy in (slow, other):
        policy.call(lambda: None)

    assert registry.news(besides=["slow", "unknown"]) == {"slow": {"requests": 1}}
    registry.policy("quick").call(lambda: None)
    assert registry.news(besides=[]) == {"quick": {"requests": 1}}
    assert registry.news() == {"other": {"requests": 1}}
