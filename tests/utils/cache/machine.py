"""A state machine of the cache's contract: any order of its operations, beside a model that is a dict.

`test_machine.py` runs it on every kind of cache.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from utils.cache import Cache, CacheStatistics, CacheValueTooLarge, Entry
from utils.clock import ManualClock

KEYS = ("a", "b", "ä c", "d" * 1024)
TAGS = (None, "fx", "eq")
SECONDS = (0.5, 1.0, 10.0, 60.0)

keys = st.sampled_from(KEYS)
tags = st.sampled_from(TAGS)
ttls = st.sampled_from(SECONDS)
stales = st.sampled_from((0.0, *SECONDS))
values = st.one_of(
    st.integers(-5, 5),
    st.binary(max_size=40),
    st.lists(st.text("xyz", max_size=3), max_size=3),
    st.integers(8_000, 12_000).map(lambda size: b"large" * size),  # on disk in a file of its own
    st.integers(8_000, 12_000).map(lambda size: "text" * size),
)


@dataclass(frozen=True)
class Kept:
    """What the model knows of a value."""

    value: Any
    stored: float
    ttl: float
    stale: float
    tag: str | None

    def found(self, now: float, stale: float) -> bool:
        overdue = now - self.stored - self.ttl
        return overdue < 0 or overdue < min(stale, self.stale)

    def kept(self, now: float) -> bool:
        return now - self.stored < self.ttl + self.stale


class CacheMachine(RuleBasedStateMachine):
    """Far below its limit a cache forgets nothing, so the model is exact. A subclass says how to open the cache."""

    limit: ClassVar[int]

    def open(self, clock: ManualClock) -> Cache:
        """An empty cache on `clock` that refuses values above `limit`."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.clock = ManualClock()
        self.now = 0.0
        self.cache = self.open(self.clock)
        self.model: dict[str, Kept] = {}
        self.hits = self.stale_hits = self.misses = self.sets = self.errors = 0

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds

    @rule(key=keys, value=values, ttl=ttls, stale=stales, tag=tags)
    def set(self, key: str, value: Any, ttl: float, stale: float, tag: str | None) -> None:
        assert self.cache.set(key, value, ttl=ttl, stale=stale, tag=tag)
        self._keep(key, value, ttl, stale, tag)

    @rule(entries=st.lists(st.tuples(keys, values, ttls, tags, stales), max_size=4))
    def set_many(self, entries: list[tuple[str, Any, float, str | None, float]]) -> None:
        assert self.cache.set_many([Entry(*entry) for entry in entries]) == len(entries)
        for key, value, ttl, tag, stale in entries:
            self._keep(key, value, ttl, stale, tag)

    @rule(key=keys, many=st.booleans())
    def set_too_much(self, key: str, many: bool) -> None:
        value = b"x" * (self.limit + 1)
        try:
            if many:
                self.cache.set_many([Entry("a", 1, 60), Entry(key, value, 60)])
            else:
                self.cache.set(key, value, ttl=60)
        except CacheValueTooLarge:
            return
        raise AssertionError("it was not refused")

    @rule(key=keys, stale=stales)
    def get(self, key: str, stale: float) -> None:
        hit = self.cache.get(key, stale=stale)
        known = self.model.get(key)
        if known is None or not known.found(self.now, stale):
            assert hit is None
            self.misses += 1
            return
        assert hit is not None
        assert hit.value == known.value
        assert type(hit.value) is type(known.value)
        assert abs(hit.age_s - (self.now - known.stored)) < 1e-3
        assert hit.stale is (self.now - known.stored >= known.ttl)
        self._count(stale=hit.stale)

    @rule(key=keys, value=values, ttl=ttls, stale=stales, tag=tags, fails=st.booleans())
    def get_or_compute(self, key: str, value: Any, ttl: float, stale: float, tag: str | None, fails: bool) -> None:
        """With `stale_if_error`, which computes in the foreground: what comes of it is certain."""

        def compute() -> Any:
            if fails:
                raise RuntimeError("down")
            return value

        self.clock.advance(2.0)  # a failure of this key that is no longer than this ago would be rested upon
        self.now += 2.0
        known = self.model.get(key)
        fresh = known is not None and known.found(self.now, 0.0)
        fallback = known is not None and known.found(self.now, stale)
        try:
            hit = self.cache.get_or_compute(key, compute, ttl=ttl, stale_if_error=stale, tag=tag)
        except RuntimeError:
            assert fails
            assert not fallback
            self.misses += 1
            self.errors += 1
            return
        if fresh or (fails and fallback):
            assert known is not None
            assert (hit.value, hit.stale) == (known.value, not fresh)
            self._count(stale=hit.stale)
            self.errors += not fresh
            return
        assert not fails
        assert (hit.value, hit.stale, hit.age_s) == (value, False, 0.0)
        self.misses += 1
        self._keep(key, value, ttl, stale, tag)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        there = self.cache.delete(key)
        known = self.model.pop(key, None)
        if known is None or known.kept(self.now):  # what is over may be gone already: Redis forgets by itself
            assert there is (known is not None)

    @rule(tag=st.sampled_from(["fx", "eq", "none has it"]))
    def evict(self, tag: str) -> None:
        count = self.cache.evict(tag)
        tagged = [key for key, known in self.model.items() if known.tag == tag]
        assert sum(self.model[key].kept(self.now) for key in tagged) <= count <= len(tagged)
        for key in tagged:
            del self.model[key]

    @rule()
    def purge(self) -> None:
        purged = self.cache.purge()
        over = [key for key, known in self.model.items() if not known.kept(self.now)]
        assert purged.entries <= len(over)
        for key in over:
            del self.model[key]
        assert self.cache.statistics().entries == len(self.model)

    @precondition(lambda self: len(self.model) > 2)
    @rule()
    def clear(self) -> None:
        kept = sum(known.kept(self.now) for known in self.model.values())
        assert kept <= self.cache.clear() <= len(self.model)
        self.model.clear()
        assert self.cache.statistics().entries == 0

    @invariant()
    def the_counts_are_exact(self) -> None:
        if hasattr(self, "cache"):
            statistics = self.cache.statistics()
            kept = sum(known.kept(self.now) for known in self.model.values())
            assert kept <= statistics.entries <= len(self.model)
            assert statistics == CacheStatistics(
                self.hits, self.misses, self.sets, statistics.entries, statistics.bytes, self.stale_hits, 0, self.errors
            )

    def teardown(self) -> None:
        if hasattr(self, "cache"):
            self.cache.close()

    def _keep(self, key: str, value: Any, ttl: float, stale: float, tag: str | None) -> None:
        self.model[key] = Kept(value, self.now, ttl, stale, tag)
        self.sets += 1

    def _count(self, *, stale: bool) -> None:
        if stale:
            self.stale_hits += 1
        else:
            self.hits += 1
