"""A cache in this process's memory: least recently used leaves first."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from utils.cache.cache import CacheStatistics, CacheValueTooLarge, Entry, Hit, Purged, check_key, check_ttl
from utils.cache.codec import Payload, encode, hit
from utils.cache.decorator import Cached
from utils.clock import SYSTEM_CLOCK, Clock

_ENTRY_COST = 200  # bytes of bookkeeping a value, roughly: many tiny values count too


@dataclass(frozen=True, slots=True)
class _Kept:
    codec: int
    payload: Payload
    stored_at: float
    expires_at: float
    tag: str | None


class MemoryCache(Cached):
    """LRU with a time to live, bounded in bytes. Safe for threads; gone with the process.

    Values are kept encoded, so what a caller does to a value it got cannot reach the next caller.

    Args:
        size_limit: Bytes, keys and bookkeeping included.
        clock: Where the time comes from.
    """

    def __init__(self, *, size_limit: int = 64 << 20, clock: Clock = SYSTEM_CLOCK) -> None:
        self._size_limit = size_limit
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._hits = self._misses = self._sets = 0

    def get(self, key: str) -> Hit | None:
        found = self._look(check_key(key))
        with self._lock:
            if found is None:
                self._misses += 1
            else:
                self._hits += 1
        return found

    def set(self, key: str, value: Any, *, ttl: float, tag: str | None = None) -> bool:
        return self.set_many([Entry(key, value, ttl, tag)]) == 1

    def set_many(self, items: Iterable[Entry]) -> int:
        now = self._clock.time()
        ready = [(key, self._ready(key, value, now, ttl, tag)) for key, value, ttl, tag in items]
        with self._lock:
            for key, kept in ready:
                self._drop(key)
                self._kept[key] = kept
                self._bytes += _cost(key, kept)
            self._sets += len(ready)
            while self._bytes > self._size_limit:
                self._drop(next(iter(self._kept)))
        return len(ready)

    def delete(self, key: str) -> bool:
        check_key(key)
        with self._lock:
            return self._drop(key)

    def evict(self, tag: str) -> int:
        with self._lock:
            return sum(self._drop(key) for key in [k for k, kept in self._kept.items() if kept.tag == tag])

    def purge(self) -> Purged:
        now = self._clock.time()
        with self._lock:
            before = self._bytes
            expired = [key for key, kept in self._kept.items() if now >= kept.expires_at]
            for key in expired:
                self._drop(key)
            return Purged(len(expired), before - self._bytes)

    def clear(self) -> int:
        with self._lock:
            count = len(self._kept)
            self._kept.clear()
            self._bytes = 0
            return count

    def statistics(self) -> CacheStatistics:
        with self._lock:
            return CacheStatistics(self._hits, self._misses, self._sets, len(self._kept), self._bytes)

    def close(self) -> None:
        """Nothing to release; here because every cache has it."""

    def _look(self, key: str) -> Hit | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
        return hit(kept.codec, kept.payload, kept.stored_at, kept.expires_at, self._clock.time())

    def _ready(self, key: str, value: Any, now: float, ttl: float, tag: str | None) -> _Kept:
        kept = _Kept(*encode(check_key(key), value), now, now + check_ttl(ttl), tag)
        if (size := _cost(key, kept)) > self._size_limit:
            raise CacheValueTooLarge(key, size, self._size_limit)
        return kept

    def _drop(self, key: str) -> bool:
        kept = self._kept.pop(key, None)
        if kept is None:
            return False
        self._bytes -= _cost(key, kept)
        return True


def _cost(key: str, kept: _Kept) -> int:
    return len(key) + len(kept.payload) + _ENTRY_COST
