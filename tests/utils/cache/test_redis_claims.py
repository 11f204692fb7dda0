"""One computation for all processes that share a Redis: claims are held, renewed, and end with their owner."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.redis_server import RedisServer
from tests.utils.cache.test_redis import names_of
from tests.utils.children import finish, let_go, start
from utils.cache import CacheBusy, redis_claim
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

pytestmark = pytest.mark.usefixtures("patient_redis")

LIMIT = 64 << 20


@pytest.fixture
def cache(redis_server: RedisServer, secret: str, clock: ManualClock) -> Iterator[RedisCache]:
    made = RedisCache(redis_server.url, secret=secret, size_limit=LIMIT, clock=clock)
    yield made
    made.close()


def test_threads_of_two_processes_compute_a_cold_key_once(redis_server: RedisServer, secret: str) -> None:
    """Eight threads in each of two processes: one computation, sixteen equal answers."""
    children = [start("redis-flight", redis_server.url, secret, 8) for _ in range(2)]
    let_go(*children)

    printed = [line for child in children for line in finish(child)]

    assert sorted(printed) == ["answer"] * 16 + ["computed"]


def test_the_claim_of_a_killed_owner_ends(redis_server: RedisServer, secret: str, cache: RedisCache) -> None:
    """It is held while its owner computes, longer than it lasts by itself; after a kill -9 it ends by itself."""
    child = start("redis-hold", redis_server.url, secret)
    assert child.stdout is not None
    assert child.stdout.readline() == "computing\n"
    (name,) = names_of(redis_server, "c", cache)
    with redis_server.client() as client:
        client.pexpire(name, 2_000)  # less than one renewal away from its end
        renewed = threading.Event()
        while client.pttl(name) <= 2_000:  # ends by pytest's own limit if it is never renewed
            assert client.exists(name)
            renewed.wait(0.02)
        child.kill()
        child.communicate()
        assert 0 < client.pttl(name) <= 5_000
        client.pexpire(name, 1)  # what time does, sooner

    assert cache.get_or_compute("key", lambda: "ours", ttl=60).value == "ours"


def test_waiting_for_another_process_ends(redis_server: RedisServer, secret: str, clock: ManualClock) -> None:
    """Somebody who computes for ever does not hold everybody up for ever."""
    hasty = RedisCache(redis_server.url, secret=secret, size_limit=LIMIT, clock=clock, flight_wait=0.05)
    with redis_server.client() as client:
        client.set(f"{hasty._claims}key", "somebody", px=60_000)

        with pytest.raises(CacheBusy):
            hasty.get_or_compute("key", lambda: 1, ttl=60)
        client.set(f"{hasty._claims}key", "planted without an end")

        assert hasty.get_or_compute("key", lambda: 1, ttl=60).value == 1
    hasty.close()


def test_who_lost_its_claim_does_not_overwrite_what_is_newer(
    redis_server: RedisServer, cache: RedisCache, clock: ManualClock
) -> None:
    """It slept through the end of its claim; another one computed meanwhile, from newer data."""

    def slow() -> str:
        clock.advance(10)
        with redis_server.client() as client:
            client.delete(*names_of(redis_server, "c", cache))
        cache.set("key", "newer", ttl=60)
        clock.advance(10)
        return "older"

    assert cache.get_or_compute("key", slow, ttl=60).value == "older"

    hit = cache.get("key")
    assert hit is not None
    assert hit.value == "newer"


def test_a_lost_claim_that_nobody_took_does_not_lose_the_value(redis_server: RedisServer, cache: RedisCache) -> None:
    """Redis was restarted while somebody computed: what was computed is stored."""

    def compute() -> Any:
        with redis_server.client() as client:
            client.delete(*names_of(redis_server, "c", cache))
        return "value"

    cache.get_or_compute("key", compute, ttl=60)

    assert cache.get("key") is not None
    assert names_of(redis_server, "c", cache) == []


def test_renewing_the_claim_never_costs_the_value(cache: RedisCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storing looks whether the claim is still ours; its own renewals, here at every moment, are no change of owner."""
    monkeypatch.setattr(redis_claim, "_BEAT_S", 0.0001)

    for number in range(30):
        cache.get_or_compute(f"key{number}", lambda: bytes(200_000), ttl=60)

    assert cache.statistics().sets == 30
