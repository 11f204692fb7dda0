"""Any order of operations, on every kind of cache."""

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.redis_server import RedisServer
from tests.utils.cache.machine import CacheMachine
from utils.cache import Cache, DiskCache, MemoryCache
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

pytestmark = pytest.mark.usefixtures("patient_redis")

LIMIT = 8 << 20


def run(machine: type[CacheMachine], examples: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # hypothesis leaves it without types
        machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )


@pytest.mark.parametrize("examples", [15, pytest.param(300, marks=pytest.mark.prove)])
def test_the_disk_cache_keeps_its_contract(tmp_path: Path, examples: int) -> None:
    """SQLite and files."""

    class OnDisk(CacheMachine):
        limit = LIMIT

        def open(self, clock: ManualClock) -> Cache:
            return DiskCache(tmp_path / uuid4().hex, size_limit=LIMIT, clock=clock)

    run(OnDisk, examples)


@pytest.mark.parametrize("examples", [30, pytest.param(1000, marks=pytest.mark.prove)])
def test_the_memory_cache_keeps_its_contract(examples: int) -> None:
    """A dict with an order."""

    class InMemory(CacheMachine):
        limit = LIMIT

        def open(self, clock: ManualClock) -> Cache:
            return MemoryCache(size_limit=LIMIT, clock=clock)

    run(InMemory, examples)


@pytest.mark.parametrize("examples", [10, pytest.param(200, marks=pytest.mark.prove)])
def test_the_redis_cache_keeps_its_contract(redis_server: RedisServer, examples: int) -> None:
    """A real Redis, a namespace of its own for each run."""

    class InRedis(CacheMachine):
        limit = LIMIT

        def open(self, clock: ManualClock) -> Cache:
            return RedisCache(redis_server.url, secret=uuid4().hex, size_limit=LIMIT, clock=clock)

    run(InRedis, examples)
