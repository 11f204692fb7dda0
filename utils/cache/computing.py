"""Compute what is not in the cache once, serve what is stale meanwhile: the same for every cache."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from utils.cache.cache import CacheBusy, Claim, Hit, Listener, P, R, check_key, check_stale, check_ttl
from utils.cache.codec import Encoded, decode, encode
from utils.cache.counts import Counts
from utils.cache.decorator import decorate
from utils.cache.flights import Flights
from utils.clock import Clock

FLIGHT_WAIT_S: Final = 120.0

_REFRESHES = 8  # threads that one cache has at work behind its callers' backs, at most
_REST_S = 1.0  # after a failure a stale value is served this long before somebody tries again
_RESTING_KEYS = 1024
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.001, 0.02  # how often it is looked whether another process is done

_computing: ContextVar[frozenset[tuple[int, str]]] = ContextVar("computing", default=frozenset())


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a caller of `get_or_compute` asked for."""

    key: str
    compute: Callable[[], Any]
    ttl: float
    stale: float
    kept: float  # seconds beyond ttl that the value can be of use
    tag: str | None


class Computing(ABC):
    """`get`, `set`, `get_or_compute` and `cached` over a store of values, which a subclass brings.

    Args:
        clock: Decides what has expired. Waiting for other threads and processes takes real time, whatever it says.
        listener: Told `cache.refresh_failed` (`key`, `reason`: the kind of error) when computing behind a stale value
            fails; once, until it works again.
        flight_wait: Seconds to wait at most for a value that another caller computes.
    """

    def __init__(self, *, clock: Clock, listener: Listener | None, flight_wait: float) -> None:
        self._clock = clock
        self._listener = listener
        self._place: dict[str, str] = {}  # which cache it is, in all that is told
        self._flight_wait = flight_wait
        self._counts = Counts()
        self._flights = Flights()
        self._refreshes = threading.BoundedSemaphore(_REFRESHES)
        self._resting: dict[str, float] = {}  # keys whose computation failed lately, and until when they rest

    @abstractmethod
    def _look(self, key: str, stale: float) -> Hit | None:
        """The value under a checked key, not counted."""

    @abstractmethod
    def _store(self, key: str, encoded: Encoded, tag: str | None, claim: Claim | None = None) -> bool:
        """Store one value; not counted. With a `claim` that was lost meanwhile, a newer value stays: `False`.

        Raises:
            CacheValueTooLarge: It is larger than the whole cache may be.
        """

    @abstractmethod
    def _claim(self, key: str) -> Claim | None:
        """Try once to be the only process that computes `key`; `None`: another one is. Never waits.

        A store that cannot tell (it is away, or nobody shares it) grants it.
        """

    def _end_thread(self) -> None:  # noqa: B027 - not every store keeps something
        """Let go of what the store keeps open for this thread, which is about to end."""

    def news(self) -> dict[str, int]:
        return self._counts.news()

    def get(self, key: str, *, stale: float = 0.0) -> Hit | None:
        found = self._look(check_key(key), stale)
        self._counts.lookup(found)
        return found

    def set(self, key: str, value: Any, *, ttl: float, stale: float = 0.0, tag: str | None = None) -> bool:
        encoded = encode(check_key(key), value, now=self._clock.time(), ttl=ttl, stale=stale)
        stored = self._store(key, encoded, tag)
        self._counts.sets(stored)
        return stored

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
        kept = max(check_stale(stale), stale if stale_if_error is None else check_stale(stale_if_error))
        check_ttl(ttl)
        found = self._look(check_key(key), kept)
        if found is not None and found.seen < found.expires:
            self._counts.lookup(found)
            return found
        wish = _Wish(key, compute, ttl, stale, kept, tag)
        if found is None or (found.overdue_s >= stale and not self._rests(key)):
            return self._computed(wish)
        self._counts.lookup(found)
        self._refresh_behind(wish)
        return found

    def cached(
        self,
        *,
        ttl: float,
        stale: float = 0.0,
        stale_if_error: float | None = None,
        tag: str | None = None,
        name: str | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        return decorate(self, ttl=ttl, stale=stale, stale_if_error=stale_if_error, tag=tag, name=name)

    def finish_refreshes(self, timeout: float) -> bool:
        ends = time.monotonic() + timeout
        taken = 0
        while taken < _REFRESHES and self._refreshes.acquire(timeout=max(0.0, ends - time.monotonic())):
            taken += 1
        if taken:
            self._refreshes.release(taken)
        return taken == _REFRESHES

    def _computed(self, wish: _Wish) -> Hit:
        """The value, made by this caller or by the one it waited for; a stale one when that fails."""
        try:
            if (id(self), wish.key) not in _computing.get():
                return self._fly(wish)
            made = self._make(wish, None)  # the computation asks for its own key
        except _Failed as failure:
            error = failure.error
        else:
            self._counts.lookup(None)
            return _fresh(made)
        # Without stale values the error is this caller's own, and no luck whether the next one was quick enough.
        found = self._look(wish.key, wish.kept) if wish.kept else None
        self._counts.lookup(found)
        if found is None:
            raise error
        return found

    def _fly(self, wish: _Wish) -> Hit:
        from utils.resilience.deadline import remaining

        begun = time.monotonic()
        ends = begun + min(remaining(), self._flight_wait)
        while (flight := self._flights.enter(wish.key, ends - time.monotonic())) is not None:
            if not flight.landed:
                return self._fly_first(wish, ends)
            found = self._look(wish.key, 0.0) if flight.made is None else _fresh(flight.made)
            if found is not None:  # else it came and went: expired, or thrown out
                self._counts.waited()
                self._counts.lookup(None)
                return found
        raise _Failed(self._in_vain(wish))

    def _fly_first(self, wish: _Wish, ends: float) -> Hit:
        """With the right to compute in this process: get it over all processes, and compute unless one of them has."""
        landed, made = False, None
        claim = None
        try:
            claim, had_to_wait = self._await_claim(wish.key, ends)
            if claim is None:
                raise _Failed(self._in_vain(wish))
            found = self._look(wish.key, wish.kept)
            if found is not None and (not found.stale or self._rests(wish.key)):
                landed = not found.stale
                if had_to_wait:
                    self._counts.waited()
                self._counts.lookup(None if landed else found)
                return found
            made = self._make(wish, claim)
            landed = True
            self._counts.lookup(None)
            return _fresh(made)
        finally:
            if claim is not None:
                claim.release()
            self._flights.leave(wish.key, landed=landed, made=made)

    def _await_claim(self, key: str, ends: float) -> tuple[Claim | None, bool]:
        """The claim, or `None` when it did not come in time; and whether another process had it at first."""
        from utils.resilience.cancellation import sleep

        pause = _FIRST_LOOK_S
        while (claim := self._claim(key)) is None:
            left = ends - time.monotonic()
            if left <= 0.0:
                return None, True
            sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_LOOK_S)
        return claim, pause > _FIRST_LOOK_S

    def _make(self, wish: _Wish, claim: Claim | None) -> Encoded:
        """Compute and store. Raises `_Failed` when the computation does, and what `set` raises."""
        with _alone_with((id(self), wish.key)):
            try:
                value = wish.compute()
            except Exception as error:
                self._counts.error()
                self._rest(wish.key)
                raise _Failed(error) from error
        self._resting.pop(wish.key, None)
        encoded = encode(wish.key, value, now=self._clock.time(), ttl=wish.ttl, stale=wish.kept)
        self._counts.sets(self._store(wish.key, encoded, wish.tag, claim))
        return encoded

    def _refresh_behind(self, wish: _Wish) -> None:
        """Have a thread compute the new value, unless one in any process does, or too many are at it here."""
        if self._rests(wish.key) or not self._refreshes.acquire(blocking=False):
            return
        claim = None
        entered = started = False
        try:
            entered = self._flights.enter(wish.key, 0.0) is not None
            claim = self._claim(wish.key) if entered else None
            if claim is not None:
                threading.Thread(target=self._refresh, args=(wish, claim), name="cache-refresh", daemon=True).start()
                started = True
        except RuntimeError:  # no new thread to be had, as when the program is about to end
            return
        finally:
            if not started:
                self._end_refresh(wish.key, claim, entered=entered, landed=False)

    def _refresh(self, wish: _Wish, claim: Claim) -> None:
        landed, made = False, None
        failed_before = wish.key in self._resting
        try:
            if self._look(wish.key, 0.0) is None:  # else another process was quicker
                made = self._make(wish, claim)
            landed = True
        except Exception as error:  # noqa: BLE001 - nobody is there to be told but the listener
            cause = error.error if isinstance(error, _Failed) else error
            self._rest(wish.key)
            if not failed_before:
                # Only the kind: the message of an error from anywhere may hold a secret.
                self._tell("cache.refresh_failed", key=wish.key, reason=type(cause).__name__)
        finally:
            self._end_thread()
            self._end_refresh(wish.key, claim, entered=True, landed=landed, made=made)

    def _end_refresh(
        self, key: str, claim: Claim | None, *, entered: bool, landed: bool, made: Encoded | None = None
    ) -> None:
        if claim is not None:
            claim.release()
        if entered:
            self._flights.leave(key, landed=landed, made=made)
        self._refreshes.release()

    def _tell(self, event: str, **data: str) -> None:
        if self._listener is not None:
            self._listener(event, {**self._place, **data})

    def _rest(self, key: str) -> None:
        if len(self._resting) >= _RESTING_KEYS:
            self._resting.clear()
        self._resting[key] = self._clock.monotonic() + _REST_S

    def _rests(self, key: str) -> bool:
        return self._clock.monotonic() < self._resting.get(key, float("-inf"))

    def _in_vain(self, wish: _Wish) -> Exception:
        """Why waiting ended: the caller's time is over, or ours."""
        from utils.resilience.deadline import check
        from utils.resilience.errors import DeadlineExceededError

        try:
            check(f"cache key {wish.key!r}")
        except DeadlineExceededError as error:
            return error
        return CacheBusy(wish.key, self._flight_wait)


class _Failed(Exception):
    """There is no new value, because of `error`; a stale one will do."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _alone_with(key: tuple[int, str]) -> Iterator[None]:
    """Remember, also in threads that run under a copy of this context, that `key` is being computed here."""
    before = _computing.set(_computing.get() | {key})
    try:
        yield
    finally:
        _computing.reset(before)


def _fresh(made: Encoded) -> Hit:
    """What every later caller will get, as of the moment it was made."""
    return Hit(decode(made.codec, made.payload), made.stored, made.expires, made.stored)
