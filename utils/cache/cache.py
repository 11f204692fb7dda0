"""What every cache can do: the contract, the values that travel, and the errors.

    CacheError
    ├── CacheKeyInvalid      the key is not a usable string
    ├── CacheValueInvalid    the value is not bytes, JSON or an Arrow table
    └── CacheValueTooLarge   the value alone is larger than the whole cache may be

Only mistakes of the caller raise. A cache that is full, locked, unreadable or gone answers "miss" and "not stored",
because everything in it can be had again.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Listener = Callable[[str, dict[str, Any]], None]
"""Told what happened as (event type, data): `cache.set_aside`, `cache.unavailable`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A value that was found and has not expired."""

    value: Any
    stored_at: datetime
    expires_at: datetime | None  # None: it does not expire
    age_s: float


class Entry(NamedTuple):
    """One value to store, for `set_many`."""

    key: str
    value: Any
    ttl: float
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge freed."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts since this object was made (hits, misses, sets); contents as they are now (entries, bytes)."""

    hits: int
    misses: int
    sets: int
    entries: int
    bytes: int

    @property
    def hit_rate(self) -> float | None:
        """Share of lookups that found something, 0.0 to 1.0; `None` before the first lookup."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else None


class Cache(Protocol):
    """Keep values for a while, quickly; losing any of them at any moment costs only time.

    Values are `bytes`, JSON (`None`, bool, int within 64 bits, float, str, list, dict with str keys) or a
    `pyarrow.Table`. As in JSON, a tuple comes back as a list and NaN or infinity as `None`. A value that came back is
    the caller's own: changing it does not change the cache. `ttl` is seconds, above zero; `math.inf` never expires.
    """

    def get(self, key: str) -> Hit | None:
        """The value under `key`, or `None` when there is none, it expired, or it is damaged."""
        ...

    def set(self, key: str, value: Any, *, ttl: float, tag: str | None = None) -> bool:
        """Store one value; `False` when the cache could not take it (disk full, locked, read-only).

        Raises:
            CacheKeyInvalid, CacheValueInvalid, CacheValueTooLarge, ValueError: The caller's mistakes; nothing changed.
        """
        ...

    def set_many(self, items: Iterable[Entry]) -> int:
        """Store all of `items` in one transaction, or none of them; how many were stored. Raises as `set`."""
        ...

    def delete(self, key: str) -> bool:
        """Forget one value; `True` when there was one."""
        ...

    def evict(self, tag: str) -> int:
        """Forget every value with this tag; how many there were."""
        ...

    def purge(self) -> Purged:
        """Remove what has expired (a lookup never returns it anyway) and give the space back."""
        ...

    def clear(self) -> int:
        """Forget everything; how many values there were."""
        ...

    def statistics(self) -> CacheStatistics:
        """Hits, misses, sets; entries and bytes held now."""
        ...

    def cached(
        self, *, ttl: float, tag: str | None = None, name: str | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function so that equal arguments are computed once every `ttl` seconds."""
        ...


class CacheError(Exception):
    """The cache was used wrongly. `hint` says what to do; trying again does not help (`transient` is False)."""

    transient = False

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}. {hint}")
        self.message = message
        self.hint = hint


class CacheKeyInvalid(CacheError):
    """The key is not a usable string."""


class CacheValueInvalid(CacheError):
    """The value is not bytes, JSON or an Arrow table."""


class CacheValueTooLarge(CacheError):
    """The value alone is larger than the whole cache may be; storing it would throw everything else out."""

    def __init__(self, key: str, size: int, size_limit: int) -> None:
        super().__init__(
            f"cache key {key!r}: the value has {size:,} bytes, the whole cache may hold {size_limit:,}",
            "Raise cache.size_limit or store less under one key",
        )
        self.key = key
        self.size = size
        self.size_limit = size_limit


def check_key(key: object) -> str:
    """`key` when it is a string of 1 to 1,024 characters that UTF-8 can hold, else raise `CacheKeyInvalid`."""
    if type(key) is not str:
        raise CacheKeyInvalid(f"cache key {key!r} is a {type(key).__name__}, not a str", "Build a string from it")
    if not 0 < len(key) <= 1024:
        raise CacheKeyInvalid(f"cache key of {len(key)} characters", "Use 1 to 1,024 characters, or a hash of them")
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            raise CacheKeyInvalid(f"cache key {key!r} holds half a character", "Decode it properly first") from None
    return key


def check_ttl(ttl: float) -> float:
    """`ttl` when it is above zero, else raise `ValueError`."""
    if ttl > 0 and not math.isnan(ttl):
        return ttl
    raise ValueError(f"ttl must be above 0 seconds, got {ttl!r}; use delete() to forget a value")
