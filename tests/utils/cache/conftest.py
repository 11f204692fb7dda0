"""Every kind of cache, empty, for the tests of what all of them promise."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from utils.cache import Cache, DiskCache, MemoryCache
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

LIMIT = 4 << 20


class Make(Protocol):
    """Opens the cache; a second call gives another object, over the same values where the kind can be shared."""

    def __call__(self, **options: Any) -> Cache: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def secret() -> str:
    """In Redis every test has a namespace of its own."""
    return uuid4().hex


@pytest.fixture(params=["disk", "memory", "redis"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, secret: str) -> Iterator[Make]:
    with ExitStack() as opened:

        def build(**options: Any) -> Cache:
            cache: Cache
            if request.param == "memory":
                cache = MemoryCache(size_limit=LIMIT, clock=clock, **options)
            elif request.param == "redis":
                request.getfixturevalue("patient_redis")
                url = request.getfixturevalue("redis_server").url
                cache = RedisCache(url, secret=secret, size_limit=LIMIT, clock=clock, **options)
            else:
                cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock, **options)
            return opened.enter_context(closing(cache))

        yield build


@pytest.fixture
def cache(make: Make) -> Cache:
    return make()
