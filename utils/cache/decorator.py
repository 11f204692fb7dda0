"""Cache a function by its arguments."""

import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast

import orjson

from utils.cache.cache import CacheKeyInvalid, Hit, P, R, check_stale, check_ttl


class _Computing(Protocol):
    """What the decorator needs of the cache it belongs to."""

    def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Any],
        *,
        ttl: float,
        stale: float = 0.0,
        stale_if_error: float | None = None,
        tag: str | None = None,
    ) -> Hit: ...


def decorate(
    cache: _Computing, *, ttl: float, stale: float, stale_if_error: float | None, tag: str | None, name: str | None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that equal arguments are computed once every `ttl` seconds.

    Arguments must be JSON; positional and keyword spelling and spelled-out defaults are the same call. What the
    function returns must be a value the cache takes, and comes back as the cache gives it (a tuple as a list), the
    first time as well. The decorated function has `cache_key(*args, **kwargs)` for `delete`.

    Args:
        cache: Where it is kept.
        ttl: Seconds, above zero.
        stale: As for `get_or_compute`.
        stale_if_error: As for `get_or_compute`.
        tag: For `evict`.
        name: First part of the key; `None`: module and name of the function.

    Raises:
        CacheKeyInvalid: At a call, an argument is not JSON (a method's `self`, for instance).
        TypeError: At the decoration, the function is a coroutine: its result cannot be stored.
    """
    check_ttl(ttl)
    check_stale(stale)
    check_stale(stale_if_error or 0.0)

    def decorate_one(function: Callable[P, R]) -> Callable[P, R]:
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
            hit = cache.get_or_compute(
                cache_key(*args, **kwargs),
                functools.partial(function, *args, **kwargs),
                ttl=ttl,
                stale=stale,
                stale_if_error=stale_if_error,
                tag=tag,
            )
            return cast("R", hit.value)

        call.cache_key = cache_key  # type: ignore[attr-defined]  # a function may carry attributes; mypy has no type for it
        return call

    return decorate_one


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
