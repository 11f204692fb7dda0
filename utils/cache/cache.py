"""What every cache can do: the contract, the values that travel, and the errors.

    CacheError
    ├── CacheKeyInvalid      the key is not a usable string
    ├── CacheValueInvalid    the value is not bytes, JSON or an Arrow table
    ├── CacheValueTooLarge   the value alone is larger than the whole cache may be
    └── CacheBusy            another caller computes the key and does not come to an end

A cache that is full, locked, unreadable or gone answers "miss" and "not stored", because everything in it can be had
again: apart from `CacheBusy` only mistakes of the caller raise.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Listener = Callable[[str, dict[str, Any]], None]
"""Told what happened as (event type, data): `cache.set_aside`, `cache.unavailable`, `cache.refresh_failed`."""


class Hit(NamedTuple):  # one a lookup: a dataclass costs twice as much
    """A value that was found, with its moments in seconds since the epoch."""

    value: Any
    stored: float
    expires: float  # inf: it does not expire
    seen: float  # when it was looked up

    @property
    def age_s(self) -> float:
        """Seconds since it was stored."""
        return max(0.0, self.seen - self.stored)

    @property
    def overdue_s(self) -> float:
        """Seconds since it expired, 0.0 when it has not."""
        return max(0.0, self.seen - self.expires)

    @property
    def stale(self) -> bool:
        """It has expired; only who asked for stale values gets one."""
        return self.seen >= self.expires

    @property
    def stored_at(self) -> datetime:
        return datetime.fromtimestamp(self.stored, UTC)

    @property
    def expires_at(self) -> datetime | None:
        """`None` when it does not expire."""
        return None if self.expires == math.inf else datetime.fromtimestamp(self.expires, UTC)


class Entry(NamedTuple):
    """One value to store, for `set_many`."""

    key: str
    value: Any
    ttl: float
    tag: str | None = None
    stale: float = 0.0  # seconds it is kept beyond its ttl


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge freed."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts since this object was made; contents (entries, bytes) as they are now, stale values included."""

    hits: int  # lookups that found a value within its ttl
    misses: int
    sets: int
    entries: int
    bytes: int
    stale_hits: int = 0  # lookups that were served an expired value
    waited: int = 0  # calls that got what another thread or process computed meanwhile
    errors: int = 0  # computations that failed, those behind the caller's back included

    @property
    def hit_rate(self) -> float | None:
        """Share of lookups that found something, 0.0 to 1.0; `None` before the first lookup."""
        found = self.hits + self.stale_hits
        lookups = found + self.misses
        return found / lookups if lookups else None


class Cache(Protocol):
    """Keep values for a while, quickly; losing any of them at any moment costs only time.

    Values are `bytes`, JSON (`None`, bool, int within 64 bits, float, str, list, dict with str keys) or a
    `pyarrow.Table`. As in JSON, a tuple comes back as a list and NaN or infinity as `None`. A value that came back is
    the caller's own: changing it does not change the cache. `ttl` is seconds, above zero; `math.inf` never expires.

    A value is fresh for `ttl` seconds. It is kept for `stale` seconds more and given then only to who asks for it.
    """

    def get(self, key: str, *, stale: float = 0.0) -> Hit | None:
        """The value under `key`, or `None` when there is none, it expired, or it is damaged.

        Args:
            stale: Take also a value that expired less than this many seconds ago and is still kept; `Hit.stale` tells.
        """
        ...

    def set(self, key: str, value: Any, *, ttl: float, stale: float = 0.0, tag: str | None = None) -> bool:
        """Store one value; `False` when the cache could not take it (disk full, locked, read-only).

        Args:
            stale: Seconds to keep it beyond its `ttl`, for `get(stale=...)`; `purge` removes it afterwards.

        Raises:
            CacheKeyInvalid, CacheValueInvalid, CacheValueTooLarge, ValueError: The caller's mistakes; nothing changed.
        """
        ...

    def set_many(self, items: Iterable[Entry]) -> int:
        """Store all of `items` in one transaction, or none of them; how many were stored. Raises as `set`."""
        ...

    def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Any],
        *,
        ttl: float,
        stale: float = 0.0,
        stale_if_error: float | None = None,
        tag: str | None = None,
    ) -> Hit:
        """The value under `key`; computed by one caller, over all threads and processes, when there is none.

        The others wait for that one, no longer than the current deadline and the cache's own `flight_wait`. When the
        one that computes is killed, another takes over; when it fails, the error is its own and the next one computes.
        A computation that asks for its own key computes it without waiting for itself.

        Args:
            compute: Brings the value; runs in the caller's thread, or in one of the cache's own behind a stale value.
            stale: A value that expired less than this many seconds ago is served at once, while one thread computes
                the new one.
            stale_if_error: A value that expired less than this many seconds ago is served when computing fails, or
                does not end in time; `None`: as `stale`.
            tag: For `evict`.

        Raises:
            CacheBusy: Another caller computes and did not come to an end; nothing stale may be served.
            DeadlineExceededError: The deadline was over before the other caller was done.
            Exception: What `compute` raised, and what `set` raises.
        """
        ...

    def finish_refreshes(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the refreshes this object runs behind stale values; `True`: all done."""
        ...

    def delete(self, key: str) -> bool:
        """Forget one value; `True` when there was one, be it stale."""
        ...

    def evict(self, tag: str) -> int:
        """Forget every value with this tag; how many there were."""
        ...

    def purge(self) -> Purged:
        """Remove what is no longer kept (expired, its `stale` seconds over) and give the space back."""
        ...

    def clear(self) -> int:
        """Forget everything; how many values there were."""
        ...

    def statistics(self) -> CacheStatistics:
        """Lookups, sets, computations; entries and bytes held now."""
        ...

    def news(self) -> dict[str, int]:
        """`hits misses stale_hits sets errors` since this was asked last, of this object; what is 0 is left out."""
        ...

    def trouble(self) -> str:
        """Why it cannot be used now, in words without secrets; "" when it can. It is asked, to find out."""
        ...

    def cached(
        self,
        *,
        ttl: float,
        stale: float = 0.0,
        stale_if_error: float | None = None,
        tag: str | None = None,
        name: str | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function so that equal arguments are computed once every `ttl` seconds, by `get_or_compute`."""
        ...

    def close(self) -> None:
        """Release connections and files; the next use opens them again."""
        ...


class Claim(Protocol):
    """The right to compute one key, against all other processes. What a store of values gives to `Computing`."""

    def release(self) -> None:
        """Give it up; never raises."""
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


class CacheBusy(CacheError):
    """Another caller computes the key and did not come to an end. Trying again later may help."""

    transient = True

    def __init__(self, key: str, waited: float) -> None:
        super().__init__(
            f"cache key {key!r}: another caller has been computing it for more than {waited:g} s",
            "See what hangs in that computation, or give the cache a longer flight_wait",
        )
        self.key = key
        self.waited = waited


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


def check_stale(stale: float) -> float:
    """`stale` when it is zero or above, else raise `ValueError`."""
    if stale >= 0:
        return stale
    raise ValueError(f"stale must be 0 seconds or more, got {stale!r}")
