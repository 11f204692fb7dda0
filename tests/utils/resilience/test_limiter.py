"""The rate is kept in every window, waiting is in turn and told before, a pause holds for everybody."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError, RateLimitedError
from utils.resilience.limiter import RateLimiter


def test_a_burst_passes_and_then_the_rate() -> None:
    """Three at once, then one each half second."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=2, burst=3, clock=clock)

    at_once = [bool(limiter.acquire()) for _ in range(5)]
    clock.advance(0.5)
    later = [bool(limiter.acquire()) for _ in range(2)]

    assert (at_once, later) == ([True, True, True, False, False], [True, False])


def test_the_default_burst_is_what_one_period_allows() -> None:
    """Ten in a minute: ten at once after a silence."""
    limiter = RateLimiter("ecb", rate=10, per=60.0, clock=ManualClock())

    assert sum(bool(limiter.acquire()) for _ in range(20)) == 10


def test_a_refusal_is_false_and_tells_the_wait() -> None:
    """After that many seconds the same question is granted."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=4, burst=1, clock=clock)
    limiter.acquire()

    refused = limiter.acquire()
    clock.advance(refused.retry_after)

    assert (bool(refused), refused.retry_after, bool(limiter.acquire())) == (False, 0.25, True)


def test_asking_for_the_delay_takes_nothing() -> None:
    """`delay` looks only."""
    limiter = RateLimiter("ecb", rate=2, burst=1, clock=ManualClock())

    before = [limiter.delay(), limiter.delay()]
    limiter.acquire()

    assert (before, limiter.delay()) == ([0.0, 0.0], 0.5)


def test_waiting_sleeps_until_the_turn_and_tells_it_before() -> None:
    """`on_wait` hears the seconds that are then slept."""
    clock, told = ManualClock(), list[tuple[float, int]]()
    limiter = RateLimiter("ecb", rate=2, burst=1, clock=clock)
    limiter.acquire()

    grant = limiter.acquire(wait=True, on_wait=lambda seconds: told.append((seconds, len(clock.slept))))

    assert (bool(grant), grant.waited, clock.slept, told) == (True, 0.5, [0.5], [(0.5, 0)])


def test_clients_have_buckets_of_their_own() -> None:
    """One greedy client takes nothing from another."""
    limiter = RateLimiter("api", rate=1, burst=1, clock=ManualClock())

    answers = [bool(limiter.acquire(client_id=who)) for who in ("a", "a", "b", None)]

    assert answers == [True, False, True, True]


def test_many_clients_are_forgotten_when_their_buckets_are_full_again() -> None:
    """Ten thousand names leave no ten thousand entries."""
    clock = ManualClock()
    limiter = RateLimiter("api", rate=1000, burst=1, clock=clock)

    for number in range(10_000):
        limiter.acquire(client_id=str(number))
        clock.advance(0.001)

    assert limiter.figures().clients <= 1024


def test_a_turn_after_the_deadline_is_refused_at_once() -> None:
    """Nobody sleeps for nothing, and no turn is lost by it."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=0.1, burst=1, clock=clock)
    limiter.acquire()

    with (
        deadline(5.0, clock),
        pytest.raises(RateLimitedError, match="room in 10 s, the deadline ends in 5 s") as caught,
    ):
        limiter.acquire(wait=True)

    assert (caught.value.retry_after, clock.slept, limiter.delay()) == (10.0, [], 10.0)


def test_a_deadline_that_is_over_says_so() -> None:
    """That is not the rate's fault."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=1, burst=1, clock=clock)
    limiter.acquire()

    with deadline(0.5, clock):
        clock.advance(0.5)
        with pytest.raises(DeadlineExceededError):
            limiter.acquire(wait=True)


def test_a_pause_holds_for_every_client_and_ends_without_a_burst() -> None:
    """After a 429 the provider is met at its plain rate."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=2, burst=5, clock=clock)

    limiter.pause(30.0)
    refused = [limiter.acquire().retry_after, limiter.acquire("a").retry_after]
    clock.advance(30.0)
    after = [bool(limiter.acquire()) for _ in range(3)]

    assert (refused, after) == ([30.0, 30.0], [True, False, False])


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Nor does nonsense: zero, less than zero, for ever."""
    limiter = RateLimiter("ecb", rate=2, clock=ManualClock())
    limiter.pause(30.0)

    for seconds in (5.0, 0.0, -1.0, float("inf"), float("nan")):
        limiter.pause(seconds)

    assert limiter.figures().paused_for == 30.0


def test_a_pause_shorter_than_the_interval_lets_nothing_through_early() -> None:
    """The rate holds over the pause."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=0.5, burst=1, clock=clock)
    limiter.acquire()

    limiter.pause(0.1)

    assert limiter.acquire(wait=True).waited == 2.0


def test_who_waits_already_waits_for_a_pause_too() -> None:
    """A 429 that comes while we sleep is heard on waking up."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=1, burst=1, clock=clock)
    limiter.acquire()
    pauses = iter([30.0])

    grant = limiter.acquire(wait=True, on_wait=lambda seconds: limiter.pause(next(pauses, 0.0)))

    assert (grant.waited, clock.slept) == (30.0, [1.0, 29.0])


def test_a_cancelled_wait_ends_at_once() -> None:
    """Ctrl-C while a caller stands in line."""
    limiter = RateLimiter("ecb", rate=0.001, burst=1)
    limiter.acquire()
    token, waiting = CancelToken(), threading.Event()

    def caller() -> None:
        with cancellable(token), pytest.raises(Cancelled):
            limiter.acquire(wait=True, on_wait=lambda seconds: waiting.set())

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(caller)
        assert waiting.wait(120)
        token.cancel()
        done.result(120)

    assert limiter.figures().granted == 1


def test_decorated_functions_wait_for_their_turn() -> None:
    """Plain and coroutine functions alike."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=2, burst=1, clock=clock)

    @limiter
    def one() -> int:
        return 1

    @limiter
    async def two() -> int:
        return 2

    assert (one(), one(), asyncio.run(two())) == (1, 1, 2)
    assert clock.slept == [0.5, 0.5]


def test_a_generator_is_refused() -> None:
    """Its requests would be made after the turn was taken."""
    limiter = RateLimiter("ecb", rate=2, clock=ManualClock())

    def pages() -> Iterator[int]:
        yield 1

    async def pages_async() -> AsyncIterator[int]:
        yield 1

    for generator in (pages, pages_async):
        with pytest.raises(TypeError, match=f"limiter ecb: {generator.__name__} is a generator"):
            limiter(generator)


def test_many_who_wait_are_all_served_however_late_they_wake() -> None:
    """Nobody waits for ever, also where every sleep takes far longer than the rate's interval."""

    class Sluggish(ManualClock):
        """Wakes everybody up a hundredth of a second late."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 0.01)

    clock = Sluggish()
    limiter = RateLimiter("ecb", rate=10_000, burst=1, clock=clock)

    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda _: bool(limiter.acquire(wait=True)), range(200)))

    assert granted == [True] * 200


def test_async_callers_are_refused_with_the_wait() -> None:
    """As the others are."""
    limiter = RateLimiter("ecb", rate=2, burst=1, clock=ManualClock())

    async def ask() -> list[bool]:
        return [bool(await limiter.acquire_async(wait=False)) for _ in range(2)]

    assert asyncio.run(ask()) == [True, False]


def test_threads_share_one_rate() -> None:
    """Of 400 questions at one moment exactly the burst is granted."""
    limiter = RateLimiter("ecb", rate=1, burst=50, clock=ManualClock())

    with ThreadPoolExecutor(8) as pool:
        granted = sum(map(bool, pool.map(lambda _: limiter.acquire(), range(400))))

    assert (granted, limiter.figures().granted, limiter.figures().refused) == (50, 50, 350)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 1, "per": 0.0}, {"rate": 1, "burst": 0}], ids=str)
def test_a_limit_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    """With the key and the value."""
    with pytest.raises(ValueError, match=r"limiter ecb: (rate|per|burst) must be .*, got 0"):
        RateLimiter("ecb", **wrong)  # type: ignore[arg-type]  # settings of many types


ASK, WAIT, ADVANCE, PAUSE = "ask", "wait", "advance", "pause"


@given(
    rate=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    burst=st.integers(1, 3),
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from([ASK, ASK, WAIT]), st.just(0.0)),
            st.tuples(st.just(WAIT), st.just(0.0)),
            st.tuples(st.just(ADVANCE), st.sampled_from([0.01, 0.1, 0.4, 1.0, 3.0])),
            st.tuples(st.just(PAUSE), st.sampled_from([0.01, 0.1, 0.4, 1.0, 3.0])),
        ),
        min_size=5,
        max_size=60,
    ),
)
@settings(max_examples=few(100), deadline=None)
def test_in_no_window_are_more_than_the_rate_and_the_burst_granted(
    rate: float, burst: int, steps: list[tuple[str, float]]
) -> None:
    """Whatever the order of questions, waits and pauses; and never one while paused."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=rate, burst=burst, clock=clock)
    grants, paused_until = list[float](), 0.0

    for step, seconds in steps:
        if step == ADVANCE:
            clock.advance(seconds)
        elif step == PAUSE:
            limiter.pause(seconds)
            paused_until = max(paused_until, clock.monotonic() + seconds)
        elif limiter.acquire(wait=step == WAIT):
            grants.append(clock.monotonic())
            assert grants[-1] >= paused_until - 1e-6

    for first in range(len(grants)):
        for last in range(first, len(grants)):
            assert last - first + 1 <= burst + rate * (grants[last] - grants[first]) + 1e-6


@given(gaps=st.lists(st.floats(0.0, 2.0), max_size=40), burst=st.integers(1, 4))
@settings(max_examples=few(60), deadline=None)
def test_nothing_is_refused_that_the_bucket_has_room_for(gaps: list[float], burst: int) -> None:
    """The same answers as a plain token bucket, away from the exact edge."""
    clock = ManualClock()
    limiter = RateLimiter("ecb", rate=2.0, burst=burst, clock=clock)
    tokens = float(burst)

    for gap in gaps:
        clock.advance(gap)
        tokens = min(float(burst), tokens + 2.0 * gap)
        granted = bool(limiter.acquire())
        if abs(tokens - 1.0) > 1e-6:
            assert granted == (tokens > 1.0)
        tokens -= granted


@pytest.mark.parametrize("client", [None, "a"], ids=["all", "one client"])
def test_what_was_kept_for_waking_late_is_given_back(client: str | None) -> None:
    """Who slept too long once is given time to wake up; who then wakes in time leaves it to the next one."""

    class Sleepy(ManualClock):
        """Wakes up more than half a second late, once."""

        late = 0.6

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + self.late)
            self.late = 0.0

    limiter = RateLimiter("ecb", rate=1, burst=1, clock=Sleepy())
    limiter.acquire(client)

    waited = [limiter.acquire(client, wait=True).waited for _ in range(3)]

    assert waited[1:] == pytest.approx([1.0, 1.0])
