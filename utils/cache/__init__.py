"""Caches behind one contract: on disk (`DiskCache`) and in memory (`MemoryCache`). No pickle anywhere."""

from utils.cache.cache import (
    Cache,
    CacheBusy,
    CacheError,
    CacheKeyInvalid,
    CacheStatistics,
    CacheValueInvalid,
    CacheValueTooLarge,
    Entry,
    Hit,
    Listener,
    Purged,
)
from utils.cache.disk import DiskCache
from utils.cache.memory import MemoryCache

__all__ = [
    "Cache",
    "CacheBusy",
    "CacheError",
    "CacheKeyInvalid",
    "CacheStatistics",
    "CacheValueInvalid",
    "CacheValueTooLarge",
    "DiskCache",
    "Entry",
    "Hit",
    "Listener",
    "MemoryCache",
    "Purged",
]
