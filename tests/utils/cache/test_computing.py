"""What every cache promises about computing: once, in turn, behind a stale value, and never for ever."""

import contextvars
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.utils.cache.conftest import LIMIT, Make
from utils.cache import Cache, CacheBusy, CacheValueInvalid, CacheValueTooLarge, Hit
from utils.clock import ManualClock
from utils.resilience import Cancelled, CancelToken, DeadlineExceededError, cancellable, deadline

SOON = 120.0  # seconds that a test waits for something that comes at once


class Counter:
    """A computation that counts, gives the number of its call, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = self.most_at_once = 0
        self.failing: Exception | None = None
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.calls += 1
            call = self.calls
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.release()
        assert self.go_on.wait(SOON)
        with self._lock:
            self.at_once -= 1
        if self.failing is not None:
            raise self.failing
        return call


@pytest.fixture
def counter() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    counter.go_on.set()


class Asking(threading.Thread):
    """One caller in a thread of its own; `answer()` waits for what came of it."""

    def __init__(self, ask: Callable[[], Hit]) -> None:
        super().__init__(daemon=True)
        self._ask = ask
        self._hit: Hit | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._hit = self._ask()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def answer(self) -> Hit:
        self.join(SOON)
        if self.error is not None:
            raise self.error
        assert self._hit is not None
        return self._hit


@contextmanager
def somebody_computing(cache: Cache, counter: Counter, **wish: Any) -> Iterator[Asking]:
    """Another thread is in the middle of computing "key"."""
    counter.go_on.clear()
    asking = Asking(lambda: cache.get_or_compute("key", counter, ttl=60, **wish))
    assert counter.begun.acquire(timeout=SOON)
    try:
        yield asking
    finally:
        counter.go_on.set()
        asking.join(SOON)


def wait_until_waiting(cache: Cache, waiting: int) -> None:
    """Until so many threads wait for "key"; without this a thread might come too late to have to wait."""
    flights = cache._flights  # type: ignore[attr-defined]  # nothing public tells
    for _ in range(int(SOON * 1000)):
        if len(flights._open["key"].waiting) >= waiting:
            return
        threading.Event().wait(0.001)
    raise AssertionError("they do not wait")


def test_a_value_is_computed_once_and_then_found(cache: Cache, counter: Counter, clock: ManualClock) -> None:
    """The first caller computes; later ones get it with its age, until the ttl is over."""
    first = cache.get_or_compute("key", counter, ttl=60)
    clock.advance(59)
    later = cache.get_or_compute("key", counter, ttl=60)
    clock.advance(1)
    over = cache.get_or_compute("key", counter, ttl=60)

    assert [(hit.value, hit.age_s, hit.stale) for hit in (first, later, over)] == [
        (1, 0.0, False),
        (1, 59.0, False),
        (2, 0.0, False),
    ]


def test_threads_on_a_cold_key_compute_once_and_all_get_it(cache: Cache, counter: Counter) -> None:
    """Who comes while another computes waits for that one, and is counted."""
    with somebody_computing(cache, counter) as first:
        others = [Asking(lambda: cache.get_or_compute("key", counter, ttl=60)) for _ in range(7)]
        wait_until_waiting(cache, 7)

    assert [asking.answer().value for asking in (first, *others)] == [1] * 8
    assert counter.calls == 1
    assert cache.statistics().waited == 7
    assert cache.statistics().sets == 1


def test_who_waited_gets_a_copy_of_its_own(cache: Cache) -> None:
    """What one caller does to the value is not seen by another that waited for it."""
    counter = Counter()
    with somebody_computing(cache, counter) as first:
        other = Asking(lambda: cache.get_or_compute("key", counter, ttl=60))
        wait_until_waiting(cache, 1)
    cache.set("list", [1], ttl=60)

    a, b = (cache.get_or_compute("list", lambda: None, ttl=60).value for _ in range(2))
    a.append(2)

    assert b == [1]
    assert first.answer() == other.answer()


def test_other_keys_do_not_wait(cache: Cache, counter: Counter) -> None:
    """One slow computation holds up nobody but those who want its value."""
    with somebody_computing(cache, counter):
        assert cache.get_or_compute("other", lambda: "quick", ttl=60).value == "quick"


def test_the_error_goes_to_its_caller_and_the_next_one_computes(cache: Cache, counter: Counter) -> None:
    """Eight callers of a provider that is down: eight errors, each its own, never two calls at a time."""
    counter.failing = RuntimeError("down")
    with somebody_computing(cache, counter) as first:
        others = [Asking(lambda: cache.get_or_compute("key", counter, ttl=60)) for _ in range(7)]
        wait_until_waiting(cache, 7)

    for asking in (first, *others):
        with pytest.raises(RuntimeError, match="down"):
            asking.answer()
    assert (counter.calls, counter.most_at_once) == (8, 1)
    assert cache.statistics().errors == 8


def test_after_an_error_the_first_success_serves_all_who_wait(cache: Cache, counter: Counter) -> None:
    """The provider comes back: the next in line computes, the others get that."""
    counter.failing = RuntimeError("down")
    succeeded: list[int] = []

    def succeed() -> str:
        succeeded.append(1)
        return "up"

    with somebody_computing(cache, counter) as first:
        others = [Asking(lambda: cache.get_or_compute("key", succeed, ttl=60)) for _ in range(5)]
        wait_until_waiting(cache, 5)

    with pytest.raises(RuntimeError):
        first.answer()
    assert [asking.answer().value for asking in others] == ["up"] * 5
    assert len(succeeded) == 1


def test_an_error_keeps_its_cause(cache: Cache) -> None:
    """What the computation raised arrives as it was raised, cause and all."""

    def fail() -> None:
        try:
            {}["missing"]
        except KeyError as error:
            raise ValueError("no such thing") from error

    with pytest.raises(ValueError, match="no such thing") as raised:
        cache.get_or_compute("key", fail, ttl=60)

    assert isinstance(raised.value.__cause__, KeyError)


def test_a_stale_value_is_served_at_once_and_renewed_behind(cache: Cache, counter: Counter, clock: ManualClock) -> None:
    """While one thread computes, everybody gets the old value, marked; then the new one is there."""
    cache.get_or_compute("key", counter, ttl=60, stale=30)
    clock.advance(70)
    counter.go_on.clear()

    served = [cache.get_or_compute("key", counter, ttl=60, stale=30) for _ in range(5)]
    counter.go_on.set()
    assert cache.finish_refreshes(SOON)
    renewed = cache.get_or_compute("key", counter, ttl=60, stale=30)

    assert {(hit.value, hit.stale, hit.age_s, hit.overdue_s) for hit in served} == {(1, True, 70.0, 10.0)}
    assert (renewed.value, renewed.stale) == (2, False)
    assert counter.calls == 2
    statistics = cache.statistics()
    assert (statistics.hits, statistics.stale_hits, statistics.misses) == (1, 5, 1)
    assert statistics.hit_rate == pytest.approx(6 / 7)


def test_beyond_the_stale_limit_the_caller_waits_for_the_new_value(
    cache: Cache, counter: Counter, clock: ManualClock
) -> None:
    """At exactly `stale` seconds after expiry the old value is served no more."""
    cache.get_or_compute("key", counter, ttl=60, stale=30)
    clock.advance(90)

    assert cache.get_or_compute("key", counter, ttl=60, stale=30).value == 2


def test_a_failing_refresh_keeps_the_stale_value_and_is_told_once(
    make: Make, counter: Counter, clock: ManualClock
) -> None:
    """Nobody sees the error but the listener, which hears of it once, and without its message."""
    told: list[tuple[str, dict[str, Any]]] = []
    cache = make(listener=lambda event, data: told.append((event, data)))
    cache.get_or_compute("key", counter, ttl=60, stale=1000)
    clock.advance(70)
    counter.failing = RuntimeError("https://user:secret@host is down")

    for _ in range(3):
        assert cache.get_or_compute("key", counter, ttl=60, stale=1000).value == 1
        assert cache.finish_refreshes(SOON)
        clock.advance(2)

    assert [event for event, _ in told] == ["cache.refresh_failed"]
    assert {"key": "key", "reason": "RuntimeError"}.items() <= told[0][1].items()
    assert "secret" not in str(told)
    assert cache.statistics().errors == 3
    counter.failing = None
    cache.get_or_compute("key", counter, ttl=60, stale=1000)
    assert cache.finish_refreshes(SOON)
    assert cache.get_or_compute("key", counter, ttl=60, stale=1000).value == 5


def test_a_failed_refresh_rests_for_a_moment(cache: Cache, counter: Counter, clock: ManualClock) -> None:
    """A hundred lookups within a second of a failure are no hundred calls to a provider that is down."""
    cache.get_or_compute("key", counter, ttl=60, stale=1000)
    clock.advance(70)
    counter.failing = RuntimeError("down")

    for _ in range(100):
        cache.get_or_compute("key", counter, ttl=60, stale=1000)
        assert cache.finish_refreshes(SOON)

    assert counter.calls == 2


def test_a_stale_value_is_served_when_computing_fails(cache: Cache, counter: Counter, clock: ManualClock) -> None:
    """With `stale_if_error` alone the caller waits for the new value, and gets the old one when there is none."""
    cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)
    clock.advance(70)
    counter.failing = RuntimeError("down")
    fallback = cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)
    counter.failing = None
    clock.advance(2)
    renewed = cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)

    assert (fallback.value, fallback.stale, fallback.age_s) == (1, True, 70.0)
    assert (renewed.value, renewed.stale) == (3, False)
    assert cache.statistics().stale_hits == 1


def test_beyond_its_limit_a_stale_value_does_not_hide_the_error(
    cache: Cache, counter: Counter, clock: ManualClock
) -> None:
    """The last good copy for ever is not the cache's business."""
    cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)
    clock.advance(160)
    counter.failing = RuntimeError("down")

    with pytest.raises(RuntimeError, match="down"):
        cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)


def test_all_who_wait_get_the_stale_value_after_one_failure(cache: Cache, counter: Counter, clock: ManualClock) -> None:
    """With something to serve, a dead provider is asked once, not once a caller."""
    cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)
    assert counter.begun.acquire(timeout=SOON)
    clock.advance(70)
    counter.failing = RuntimeError("down")
    with somebody_computing(cache, counter, stale_if_error=100) as first:
        others = [Asking(lambda: cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)) for _ in range(7)]
        wait_until_waiting(cache, 7)

    assert [(asking.answer().value, asking.answer().stale) for asking in (first, *others)] == [(1, True)] * 8
    assert counter.calls == 2


@pytest.mark.parametrize("value", [object(), b"x" * (LIMIT + 1)], ids=["no value", "too large"])
def test_a_mistake_is_not_hidden_by_a_stale_value(cache: Cache, clock: ManualClock, value: object) -> None:
    """What the cache cannot take is an error of the program, not of the provider."""
    cache.get_or_compute("key", lambda: 1, ttl=60, stale_if_error=100)
    clock.advance(70)

    with pytest.raises((CacheValueInvalid, CacheValueTooLarge)):
        cache.get_or_compute("key", lambda: value, ttl=60, stale_if_error=100)


def test_get_gives_a_stale_value_only_to_who_asks(cache: Cache, clock: ManualClock) -> None:
    """Fresh for 60 s, kept for 30 more; who asks for less gets less, who asks for more gets no more."""
    cache.set("key", 1, ttl=60, stale=30)
    clock.advance(80)

    assert cache.get("key") is None
    assert cache.get("key", stale=20) is None
    hit = cache.get("key", stale=20.5)
    assert hit is not None
    assert (hit.value, hit.stale, hit.overdue_s) == (1, True, 20.0)
    clock.advance(10)
    assert cache.get("key", stale=math.inf) is None


def test_purge_leaves_what_is_still_kept(cache: Cache, clock: ManualClock) -> None:
    """A stale value goes when nobody may have it any more; so says `statistics`."""
    cache.set("stale", 1, ttl=60, stale=30)
    cache.set("over", 2, ttl=60)
    clock.advance(70)

    assert cache.purge().entries == 1
    assert cache.statistics().entries == 1
    clock.advance(20)
    assert cache.purge().entries == 1
    assert cache.statistics().entries == 0


def test_stale_values_are_deleted_and_evicted_like_others(cache: Cache, clock: ManualClock) -> None:
    """`delete` and `evict` do not care about the time."""
    cache.set("a", 1, ttl=60, stale=100, tag="fx")
    cache.set("b", 1, ttl=60, stale=100)
    clock.advance(70)

    assert cache.evict("fx") == 1
    assert cache.delete("b") is True
    assert [cache.get(key, stale=100) for key in "ab"] == [None, None]


def test_a_computation_may_ask_for_its_own_key(cache: Cache) -> None:
    """It computes inside itself instead of waiting for itself."""
    depth: list[int] = []

    def compute() -> int:
        depth.append(1)
        return 1 + (cache.get_or_compute("key", compute, ttl=60).value if len(depth) < 3 else 0)

    assert cache.get_or_compute("key", compute, ttl=60).value == 3


def test_a_computation_may_ask_for_its_own_key_in_a_thread_of_its_own(cache: Cache) -> None:
    """A worker that runs under a copy of the context knows whom it works for."""

    def compute() -> int:
        context = contextvars.copy_context()
        return 1 + Asking(lambda: context.run(cache.get_or_compute, "key", lambda: 41, ttl=60)).answer().value

    assert cache.get_or_compute("key", compute, ttl=60).value == 42


def test_waiting_ends_with_the_deadline(cache: Cache, counter: Counter) -> None:
    """Who has no time left gets the error of the deadline, and the one that computes is not disturbed."""
    with (
        somebody_computing(cache, counter) as first,
        deadline(0.02),
        pytest.raises(DeadlineExceededError, match="'key'"),
    ):
        cache.get_or_compute("key", counter, ttl=60)

    assert first.answer().value == 1
    assert counter.calls == 1


def test_waiting_ends_with_the_patience_of_the_cache(make: Make, counter: Counter) -> None:
    """A computation that hangs does not hang everybody: an error says what to look at."""
    cache = make(flight_wait=0.02)

    with somebody_computing(cache, counter), pytest.raises(CacheBusy, match=r"'key'.*0.02 s.*flight_wait") as raised:
        cache.get_or_compute("key", counter, ttl=60)

    assert raised.value.transient is True


def test_a_stale_value_is_better_than_waiting_in_vain(make: Make, counter: Counter, clock: ManualClock) -> None:
    """The deadline is over, but there is something to serve."""
    cache = make(flight_wait=0.02)
    cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)
    assert counter.begun.acquire(timeout=SOON)
    clock.advance(70)

    with somebody_computing(cache, counter, stale_if_error=100):
        hit = cache.get_or_compute("key", counter, ttl=60, stale_if_error=100)

    assert (hit.value, hit.stale) == (1, True)


def test_waiting_ends_when_the_work_is_called_off(cache: Cache, counter: Counter) -> None:
    """Ctrl-C reaches who waits for another's computation."""
    token = CancelToken()

    def ask() -> Hit:
        with cancellable(token):
            return cache.get_or_compute("key", counter, ttl=60)

    with somebody_computing(cache, counter):
        asking = Asking(ask)
        wait_until_waiting(cache, 1)
        token.cancel("Ctrl-C")

        with pytest.raises(Cancelled):
            asking.answer()


def test_two_objects_compute_one_at_a_time(make: Make, counter: Counter) -> None:
    """Over the same values, a second object waits for the first; memory is each one's own."""
    cache, other = make(), make()
    cache.set("probe", 1, ttl=60)
    shared = other.get("probe") is not None
    with somebody_computing(cache, counter):
        asking = Asking(lambda: other.get_or_compute("key", counter, ttl=60))
        if not shared:
            assert counter.begun.acquire(timeout=SOON)

    assert asking.answer().value == (1 if shared else 2)
    assert counter.calls == (1 if shared else 2)


def test_a_decorated_function_serves_stale_values_too(cache: Cache, clock: ManualClock) -> None:
    """The decorator takes the same two limits."""
    answers: Iterator[int | Exception] = iter([1, RuntimeError("down")])

    @cache.cached(ttl=60, stale_if_error=100)
    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert ask() == 1
    clock.advance(70)
    assert ask() == 1


@pytest.mark.parametrize("name", ["stale", "stale_if_error"])
@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_a_stale_limit_below_zero_is_refused(cache: Cache, name: str, seconds: float) -> None:
    """Before anything is computed, and at the decoration."""
    wish: dict[str, Any] = {name: seconds}

    with pytest.raises(ValueError, match="stale"):
        cache.get_or_compute("key", lambda: pytest.fail("computed"), ttl=60, **wish)
    with pytest.raises(ValueError, match="stale"):
        cache.cached(ttl=60, **wish)
