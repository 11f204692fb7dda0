"""Count what a cache did."""

import threading

from utils.cache.cache import CacheStatistics, Hit


class Counts:
    """What happened since a cache object was made. Safe for threads."""

    __slots__ = ("_errors", "_hits", "_lock", "_misses", "_sets", "_stale_hits", "_told", "_waited")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits = self._stale_hits = self._misses = self._sets = self._waited = self._errors = 0
        self._told: dict[str, int] = {}

    def lookup(self, found: Hit | None) -> None:
        with self._lock:
            if found is None:
                self._misses += 1
            elif found.seen < found.expires:
                self._hits += 1
            else:
                self._stale_hits += 1

    def sets(self, count: int) -> None:
        with self._lock:
            self._sets += count

    def waited(self) -> None:
        with self._lock:
            self._waited += 1

    def error(self) -> None:
        with self._lock:
            self._errors += 1

    def news(self) -> dict[str, int]:
        """What was counted since this was asked last, by name; what was not is left out."""
        with self._lock:
            now = {
                "hits": self._hits,
                "misses": self._misses,
                "stale_hits": self._stale_hits,
                "sets": self._sets,
                "errors": self._errors,
            }
            before, self._told = self._told, now
        return {name: more for name, count in now.items() if (more := count - before.get(name, 0))}

    def statistics(self, entries: int, size: int) -> CacheStatistics:
        """With what the cache holds now: values and bytes."""
        with self._lock:
            return CacheStatistics(
                self._hits, self._misses, self._sets, entries, size, self._stale_hits, self._waited, self._errors
            )
