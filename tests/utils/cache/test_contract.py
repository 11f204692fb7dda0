"""What every cache promises, checked on each of them."""

import math
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.cache.conftest import LIMIT
from utils.arrow import pa
from utils.cache import (
    Cache,
    CacheKeyInvalid,
    CacheValueInvalid,
    CacheValueTooLarge,
    Entry,
    MemoryCache,
)
from utils.clock import ManualClock

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00\xff", b"x" * 100_000, None, True, 0, -(2**63), 1.5, "", "æ🙂", [1, [2]], {"a": {"b": None}}],
    ids=lambda value: f"{type(value).__name__}-{len(str(value))}",
)
def test_a_value_comes_back_equal(cache: Cache, value: object) -> None:
    """Bytes and JSON of every kind survive the cache, `None` included."""
    cache.set("key", value, ttl=60)

    hit = cache.get("key")

    assert hit is not None
    assert hit.value == value
    assert type(hit.value) is type(value)


@pytest.mark.parametrize("rows", [0, 10, 200_000], ids=["empty", "small", "large, compressed"])
def test_an_arrow_table_comes_back_equal(cache: Cache, rows: int) -> None:
    """A table keeps its values, types, nulls and metadata."""
    table = pa.table(
        {"id": pa.array(range(rows), pa.int64()), "name": pa.array(["same" if i % 3 else None for i in range(rows)])}
    ).replace_schema_metadata({"origin": "test"})

    cache.set("table", table, ttl=60)

    hit = cache.get("table")
    assert hit is not None
    assert hit.value.equals(table, check_metadata=True)


@settings(max_examples=few(60), deadline=None)
@given(value=JSON)
def test_any_json_comes_back_equal(value: object) -> None:
    """The memory cache and the codec it shares with the disk keep any JSON."""
    cache = MemoryCache(size_limit=LIMIT, clock=ManualClock())
    cache.set("key", value, ttl=1)

    hit = cache.get("key")

    assert hit is not None
    assert hit.value == value


def test_a_hit_tells_its_age_and_times(cache: Cache, clock: ManualClock) -> None:
    """`age_s` and both moments follow the injected clock."""
    start = clock.now()
    cache.set("key", 1, ttl=60)
    clock.advance(45)

    hit = cache.get("key")

    assert hit is not None
    assert hit.age_s == 45.0
    assert hit.stored_at == start
    assert hit.expires_at is not None
    assert (hit.expires_at - start).total_seconds() == 60


def test_a_value_is_missing_from_its_expiry_on(cache: Cache, clock: ManualClock) -> None:
    """At exactly `ttl` seconds the value is gone, just before it is there."""
    cache.set("key", 1, ttl=60)
    clock.advance(59.999)
    assert cache.get("key") is not None

    clock.advance(0.001)

    assert cache.get("key") is None


def test_an_infinite_ttl_never_expires(cache: Cache, clock: ManualClock) -> None:
    """`math.inf` is a ttl; such a hit has no `expires_at`."""
    cache.set("key", 1, ttl=math.inf)
    clock.advance(10 * 365 * 86_400)

    hit = cache.get("key")

    assert hit is not None
    assert hit.expires_at is None


def test_a_value_from_the_future_is_missing(cache: Cache, clock: ManualClock) -> None:
    """After the wall clock was set back, an entry cannot live longer than its ttl."""
    cache.set("key", 1, ttl=60)

    clock.set_back(3600)

    assert cache.get("key") is None


def test_a_second_set_replaces_value_and_expiry(cache: Cache, clock: ManualClock) -> None:
    """The last `set` holds, in value, in time and in size class."""
    cache.set("key", b"x" * 100_000, ttl=1)
    cache.set("key", "new", ttl=60)
    clock.advance(30)

    hit = cache.get("key")

    assert hit is not None
    assert hit.value == "new"
    assert cache.statistics().entries == 1


def test_changing_a_value_does_not_change_the_cache(cache: Cache) -> None:
    """What a caller does to its copy stays with the caller."""
    value = {"rows": [1]}
    cache.set("key", value, ttl=60)
    value["rows"].append(2)
    first = cache.get("key")
    assert first is not None
    first.value["rows"].append(3)

    second = cache.get("key")

    assert second is not None
    assert second.value == {"rows": [1]}


def test_set_many_stores_all(cache: Cache) -> None:
    """A batch is there as a whole afterwards, tags included."""
    stored = cache.set_many([Entry(f"k{i}", {"i": i}, 60, "even" if i % 2 == 0 else None) for i in range(100)])

    assert stored == 100
    assert cache.statistics().entries == 100
    assert cache.evict("even") == 50


@pytest.mark.parametrize(
    "bad", [Entry("b", object(), 60), Entry("", 1, 60), Entry("b", 1, 0)], ids=["value", "key", "ttl"]
)
def test_set_many_stores_nothing_when_one_is_wrong(cache: Cache, bad: Entry) -> None:
    """A batch with a mistake in it leaves the cache as it was."""
    with pytest.raises((CacheValueInvalid, CacheKeyInvalid, ValueError)):
        cache.set_many([Entry("a", 1, 60), bad])

    assert cache.get("a") is None


def test_delete_forgets_one(cache: Cache) -> None:
    """`delete` tells whether there was something."""
    cache.set_many([Entry("a", 1, 60), Entry("b", 2, 60)])

    assert cache.delete("a") is True
    assert cache.delete("a") is False
    assert cache.get("a") is None
    assert cache.get("b") is not None


def test_evict_forgets_a_tag(cache: Cache) -> None:
    """Only what carries the tag goes."""
    cache.set("a", 1, ttl=60, tag="fx")
    cache.set("b", 2, ttl=60, tag="eq")
    cache.set("c", 3, ttl=60)

    assert cache.evict("fx") == 1
    assert [key for key in "abc" if cache.get(key)] == ["b", "c"]


def test_purge_frees_what_expired_and_nothing_else(cache: Cache, clock: ManualClock) -> None:
    """Entries and bytes freed are told; what lives stays."""
    cache.set("short", b"x" * 50_000, ttl=10)
    cache.set("shorter", b"y" * 100, ttl=5)
    cache.set("long", 1, ttl=1000)
    cache.set("for ever", 1, ttl=math.inf)
    clock.advance(20)

    purged = cache.purge()

    assert purged.entries == 2
    assert purged.bytes >= 50_100
    assert cache.statistics().entries == 2
    assert cache.purge().entries == 0


def test_clear_forgets_everything(cache: Cache) -> None:
    """`clear` leaves an empty, working cache."""
    cache.set_many([Entry(str(i), b"z" * 40_000, 60) for i in range(10)])

    assert cache.clear() == 10
    assert cache.statistics().entries == 0
    assert cache.set("again", 1, ttl=1)


def test_statistics_count_hits_misses_and_sets(cache: Cache) -> None:
    """Each lookup is a hit or a miss; the hit rate follows."""
    cache.set("a", 1, ttl=60)
    cache.get("a")
    cache.get("a")
    cache.get("b")

    statistics = cache.statistics()

    assert (statistics.hits, statistics.misses, statistics.sets, statistics.entries) == (2, 1, 1, 1)
    assert statistics.bytes > 0
    assert statistics.hit_rate == pytest.approx(2 / 3)


def test_a_value_above_the_whole_limit_is_refused(cache: Cache) -> None:
    """One value too large is an error that says so, and evicts nothing."""
    cache.set("small", 1, ttl=60)

    with pytest.raises(CacheValueTooLarge, match=r"'big'.*4,194,304.*size_limit") as refused:
        cache.set("big", b"x" * (LIMIT + 1), ttl=60)

    assert refused.value.size > LIMIT
    assert refused.value.transient is False
    assert cache.get("small") is not None


@pytest.mark.parametrize("make", ["disk", "memory"], indirect=True)  # Redis has its own bound, its maxmemory
def test_the_limit_holds_and_the_newest_value_stays(cache: Cache) -> None:
    """Many values never take much more than the limit, and what was just stored is there."""
    for i in range(30):
        cache.set(f"k{i}", bytes([i]) * 500_000, ttl=60)

        assert cache.get(f"k{i}") is not None

    assert cache.statistics().bytes <= LIMIT * 1.02
    assert cache.statistics().entries >= 6


@pytest.mark.parametrize(
    "value",
    [object(), {1: 2}, {"a": {1, 2}}, 2**70, ManualClock().now(), Entry],
    ids=["object", "int key", "set", "huge int", "datetime", "class"],
)
def test_what_is_no_json_is_refused(cache: Cache, value: object) -> None:
    """Nothing is turned into something else silently."""
    with pytest.raises(CacheValueInvalid, match="'key'"):
        cache.set("key", value, ttl=60)


@pytest.mark.parametrize(
    "key", ["", "x" * 1025, b"key", 5, None, "\ud800"], ids=["empty", "long", "bytes", "int", "none", "half"]
)
def test_a_key_that_is_no_usable_string_is_refused(cache: Cache, key: object) -> None:
    """Reading, writing and deleting refuse the same keys."""
    wrong: Any = key
    for action in (cache.get, cache.delete, lambda key: cache.set(key, 1, ttl=1)):
        with pytest.raises(CacheKeyInvalid):
            action(wrong)


@pytest.mark.parametrize("ttl", [0, -1, math.nan])
def test_a_ttl_that_is_not_positive_is_refused(cache: Cache, ttl: float) -> None:
    """`ttl=0` is a mistake, not a way to delete."""
    with pytest.raises(ValueError, match="ttl"):
        cache.set("key", 1, ttl=ttl)


def test_a_cached_function_runs_once_for_equal_arguments(cache: Cache, clock: ManualClock) -> None:
    """Positional, keyword and default spelling are one call; after the ttl it runs again."""
    calls: list[tuple[int, int]] = []

    @cache.cached(ttl=60)
    def add(a: int, b: int = 2) -> int:
        calls.append((a, b))
        return a + b

    assert [add(1), add(1, 2), add(a=1), add(b=2, a=1)] == [3, 3, 3, 3]
    assert add(1, 3) == 4
    clock.advance(61)
    assert add(1) == 3
    assert calls == [(1, 2), (1, 3), (1, 2)]


def test_a_cached_none_is_a_result(cache: Cache) -> None:
    """A function that returns `None` is not run again."""
    calls: list[int] = []

    @cache.cached(ttl=60, name="nothing")
    def nothing() -> None:
        calls.append(1)

    nothing()
    nothing()

    assert len(calls) == 1


def test_a_cached_function_keeps_arguments_of_different_types_apart(cache: Cache) -> None:
    """`1`, `1.0`, `True` and `"1"` are four calls."""

    @cache.cached(ttl=60)
    def name_of(value: object) -> str:
        return type(value).__name__

    assert [name_of(v) for v in (1, 1.0, True, "1")] == ["int", "float", "bool", "str"]


def test_a_cached_function_refuses_arguments_that_make_no_key(cache: Cache) -> None:
    """An object as argument is an error that names the function."""

    @cache.cached(ttl=60)
    def of(value: object) -> int:
        return 1

    with pytest.raises(CacheKeyInvalid, match="of"):
        of(object())


def test_a_coroutine_function_cannot_be_cached(cache: Cache) -> None:
    """Its result could not be stored; the decorator says so at once."""

    async def later() -> int:
        return 1

    with pytest.raises(TypeError, match="async"):
        cache.cached(ttl=1)(later)


def test_a_failing_function_is_not_cached(cache: Cache) -> None:
    """An exception passes through and the next call tries again."""
    answers = iter([RuntimeError("down"), 5])

    @cache.cached(ttl=60)
    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, int)
        return answer

    with pytest.raises(RuntimeError, match="down"):
        ask()

    assert ask() == 5


def test_threads_that_miss_together_compute_once(cache: Cache) -> None:
    """Eight threads on a cold key: one computation, eight equal answers."""
    calls: list[int] = []
    everybody = threading.Barrier(8)
    slow = threading.Event()

    @cache.cached(ttl=60)
    def compute() -> dict[str, int]:
        calls.append(1)
        slow.wait(0.05)
        return {"a": 1}

    answers: list[dict[str, int]] = []

    def work() -> None:
        everybody.wait()
        answers.append(compute())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 1
    assert answers == [{"a": 1}] * 8


def test_asking_for_trouble_leaves_nothing_behind(cache: Cache) -> None:
    """There is none: no key, no count, no event."""
    assert cache.trouble() == ""

    found = cache.statistics()
    assert (found.entries, found.hits, found.misses, found.sets) == (0, 0, 0, 0)
