"""A cache in this process's memory: least recently used leaves first."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from utils.cache.cache import CacheStatistics, CacheValueTooLarge, Claim, Entry, Hit, Listener, Purged, check_key
from utils.cache.codec import Encoded, encode, hit
from utils.cache.computing import FLIGHT_WAIT_S, Computing
from utils.clock import SYSTEM_CLOCK, Clock

_ENTRY_COST = 200  # bytes of bookkeeping a value, roughly: many tiny values count too


class _Kept(NamedTuple):
    encoded: Encoded
    tag: str | None


class MemoryCache(Computing):
    """LRU with a time to live, bounded in bytes. Safe for threads; gone with the process.

    Values are kept encoded, so what a caller does to a value it got cannot reach the next caller.

    Args:
        size_limit: Bytes, keys and bookkeeping included.
        clock: Where the time comes from.
        listener: Told `cache.refresh_failed`, see `Computing`.
        flight_wait: Seconds to wait at most for a value that another thread computes.
    """

    def __init__(
        self,
        *,
        size_limit: int = 64 << 20,
        clock: Clock = SYSTEM_CLOCK,
        listener: Listener | None = None,
        flight_wait: float = FLIGHT_WAIT_S,
    ) -> None:
        super().__init__(clock=clock, listener=listener, flight_wait=flight_wait)
        self._size_limit = size_limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    def set_many(self, items: Iterable[Entry]) -> int:
        now = self._clock.time()
        ready = []
        for key, value, ttl, tag, stale in items:
            kept = _Kept(encode(check_key(key), value, now=now, ttl=ttl, stale=stale), tag)
            self._check_size(key, kept)
            ready.append((key, kept))
        self._put(ready)
        self._counts.sets(len(ready))
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
            over = [key for key, kept in self._kept.items() if now >= kept.encoded.kept_until]
            for key in over:
                self._drop(key)
            return Purged(len(over), before - self._bytes)

    def clear(self) -> int:
        with self._lock:
            count = len(self._kept)
            self._kept.clear()
            self._bytes = 0
            return count

    def statistics(self) -> CacheStatistics:
        with self._lock:
            return self._counts.statistics(len(self._kept), self._bytes)

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing to release; here because every cache has it."""

    def _look(self, key: str, stale: float) -> Hit | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
        return hit(kept.encoded, self._clock.time(), stale)

    def _store(self, key: str, encoded: Encoded, tag: str | None, claim: Claim | None = None) -> bool:
        kept = _Kept(encoded, tag)
        self._check_size(key, kept)
        self._put([(key, kept)])
        return True

    def _claim(self, key: str) -> Claim:
        return _NOBODY_ELSE

    def _put(self, ready: list[tuple[str, _Kept]]) -> None:
        with self._lock:
            for key, kept in ready:
                self._drop(key)
                self._kept[key] = kept
                self._bytes += _cost(key, kept)
            while self._bytes > self._size_limit:
                self._drop(next(iter(self._kept)))

    def _check_size(self, key: str, kept: _Kept) -> None:
        if (size := _cost(key, kept)) > self._size_limit:
            raise CacheValueTooLarge(key, size, self._size_limit)

    def _drop(self, key: str) -> bool:
        kept = self._kept.pop(key, None)
        if kept is None:
            return False
        self._bytes -= _cost(key, kept)
        return True


class _NobodyElse:
    """No other process sees this memory, so there is nothing to hold."""

    def release(self) -> None:
        return


_NOBODY_ELSE = _NobodyElse()


def _cost(key: str, kept: _Kept) -> int:
    return len(key) + len(kept.encoded.payload) + _ENTRY_COST
