"""Whoever may write to our Redis, or stands in for it, can make us miss: never run code, lie or crash."""

import os
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.redis_server import RedisServer
from tests.utils.cache.test_disk import Told
from utils.cache.codec import encode, seal
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

pytestmark = pytest.mark.usefixtures("patient_redis")

Plant = Callable[[Any, str, bytes], object]


class Bomb:
    """Unpickled, it makes a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def cache(redis_server: RedisServer, told: Told) -> Iterator[RedisCache]:
    made = RedisCache(redis_server.url, secret=uuid4().hex, size_limit=1 << 22, clock=ManualClock(), listener=told)
    yield made
    made.close()


def a_valid_value_of_somebody_else(key: str, value: Any) -> bytes:
    """Header and digest as our codec makes them, without knowing the secret."""
    encoded = encode(key, value, now=ManualClock().time(), ttl=60)
    return b"-" * 32 + bytes(16) + seal(key, encoded) + bytes(encoded.payload)


PLANTED: dict[str, Plant] = {
    "pickle": lambda redis, name, bomb: redis.set(name, bomb),
    "pickle after our header": lambda redis, name, bomb: redis.set(name, redis.get(name)[:109] + bomb),
    "valid but not signed by us": lambda redis, name, _: redis.set(name, a_valid_value_of_somebody_else("key", "lie")),
    "our value under another key": lambda redis, name, _: redis.copy(name.replace("key", "other"), name, replace=True),
    "our value with another tag": lambda redis, name, _: redis.setrange(name, 0, b"0" * 32),
    "empty": lambda redis, name, _: redis.set(name, b""),
    "a list": lambda redis, name, bomb: (redis.delete(name), redis.rpush(name, bomb)),
    "a hash": lambda redis, name, bomb: (redis.delete(name), redis.hset(name, "key", bomb)),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_we_did_not_store_is_a_miss_deleted_and_told(
    planted: Plant, redis_server: RedisServer, cache: RedisCache, told: Told, tmp_path: Path
) -> None:
    """By every route into the value; the next value is stored as if nothing had been."""
    cache.set("key", "ours", ttl=60)
    cache.set("other", "of another key", ttl=60)
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    with redis_server.client() as client:
        planted(client, f"{cache._values}key", bomb)

        assert cache.get("key") is None

        assert not client.exists(f"{cache._values}key")
    ((event, data),) = told.events
    assert (event, data["what"], data["key"]) == ("cache.set_aside", "value", "key")
    assert data["url"] == redis_server.url
    assert not (tmp_path / "exploded").exists()
    assert cache.set("key", "ours again", ttl=60)
    assert cache.get("key") is not None


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_value_is_never_served(seed: int, redis_server: RedisServer, cache: RedisCache, told: Told) -> None:
    """Any bit flipped, and any cut: a miss each time."""
    chance = random.Random(seed)
    with redis_server.client() as client:
        for round_ in range(60):
            cache.set("key", {"rows": list(range(20))}, ttl=60, tag="fx")
            name = f"{cache._values}key"
            whole = bytearray(client.get(name))
            if round_ % 3:
                whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            else:
                del whole[chance.randrange(len(whole)) :]
            client.set(name, bytes(whole))

            assert cache.get("key") is None

    assert [event for event, _ in told.events] == ["cache.set_aside"] * 60


def test_planted_tags_and_keys_do_no_harm(redis_server: RedisServer, cache: RedisCache, told: Told) -> None:
    """A tag that is no set, one that names foreign keys, values of every type: nothing but ours is touched."""
    cache.set("key", 1, ttl=60, tag="fx")
    with redis_server.client() as client:
        (tag,) = client.keys(f"{cache._tags}*")
        client.set("precious", "of another program")
        client.zadd(tag, {"../../precious": 1e18, b"\xff\x00": 1e18, "": 1e18})
        client.rpush(f"{cache._values}list", "x")
        client.hset(f"{cache._values}hash", "x", "y")
        client.set(f"{cache._values}\xff", "x")
        client.set(f"{cache._tags}{'0' * 32}", "no set")

        assert cache.statistics().entries == 2  # ours, and the string
        assert cache.purge().entries == 3
        assert cache.evict("fx") == 1
        client.set(tag, "no set either")
        assert cache.evict("fx") == 0
        client.set(tag, "no set either")
        assert cache.set("key", 1, ttl=60, tag="fx")
        assert cache.evict("fx") == 1

        assert client.get("precious") == b"of another program"
        client.delete("precious")
    assert told.events == []
