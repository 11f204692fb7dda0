"""Cache a function by its arguments; threads that miss together compute once."""

import functools
import hashlib
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import orjson

from utils.cache.cache import CacheKeyInvalid, Hit, P, R, check_ttl
from utils.cache.codec import decode, encode


class _Lookup(Protocol):
    """What the decorator needs of the cache it belongs to."""

    def get(self, key: str) -> Hit | None: ...
    def set(self, key: str, value: Any, *, ttl: float, tag: str | None = None) -> bool: ...
    def _look(self, key: str) -> Hit | None: ...  # `get` without counting


class Cached:
    """Gives a cache its `cached` decorator."""

    def cached(
        self: _Lookup, *, ttl: float, tag: str | None = None, name: str | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function so that equal arguments are computed once every `ttl` seconds.

        Arguments must be JSON; positional and keyword spelling and spelled-out defaults are the same call. What the
        function returns must be a value the cache takes, and comes back as the cache gives it (a tuple as a list),
        the first time as well. The decorated function has `cache_key(*args, **kwargs)` for `delete`.

        Args:
            ttl: Seconds, above zero.
            tag: For `evict`.
            name: First part of the key; `None`: module and name of the function.

        Raises:
            CacheKeyInvalid: At a call, an argument is not JSON (a method's `self`, for instance).
            TypeError: At the decoration, the function is a coroutine: its result cannot be stored.
        """
        check_ttl(ttl)
        flights = _Flights()

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            if inspect.iscoroutinefunction(function):
                raise TypeError(f"{function.__qualname__} is async: cache what it awaits, not the coroutine")
            prefix = name or f"{function.__module__}.{function.__qualname__}"
            signature = inspect.signature(function)

            def cache_key(*args: Any, **kwargs: Any) -> str:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                return _key(prefix, dict(bound.arguments))

            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> R:
                key = cache_key(*args, **kwargs)
                hit = self.get(key)
                if hit is None:
                    with flights.alone(key):
                        hit = self._look(key)  # somebody may have brought it while we waited
                        if hit is None:
                            result = function(*args, **kwargs)
                            self.set(key, result, ttl=ttl, tag=tag)
                            return cast("R", decode(*encode(key, result)))  # as every later caller will see it
                return cast("R", hit.value)

            call.cache_key = cache_key  # type: ignore[attr-defined]  # a function may carry attributes; mypy has no type for it
            return call

        return decorate


def _key(prefix: str, arguments: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(arguments, None, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except (TypeError, RecursionError) as error:
        raise CacheKeyInvalid(
            f"{prefix}: its arguments do not make a cache key ({error})",
            "Arguments must be JSON: numbers, strings, lists, dicts with str keys",
        ) from None
    if len(text) > 200:
        text = hashlib.sha256(text.encode()).hexdigest()
    return f"{prefix}:{text}"


class _Flights:
    """One lock a key, for as long as somebody needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[threading.RLock, int]] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        with self._lock:
            lock, users = self._open.get(key) or (threading.RLock(), 0)
            self._open[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._open[key]
                if users == 1:
                    del self._open[key]
                else:
                    self._open[key] = (lock, users - 1)
