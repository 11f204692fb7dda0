"""The cache in Redis: lazy, apart from everybody else's keys, tags that neither leak nor lose."""

import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.redis_server import RedisServer
from utils.cache import CacheValueTooLarge, Entry
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

pytestmark = pytest.mark.usefixtures("patient_redis")

LIMIT = 64 << 20


@pytest.fixture
def cache(redis_server: RedisServer, secret: str, clock: ManualClock) -> Iterator[RedisCache]:
    made = RedisCache(redis_server.url, secret=secret, size_limit=LIMIT, clock=clock)
    yield made
    made.close()


def names_of(server: RedisServer, kind: str, cache: RedisCache) -> list[bytes]:
    """The keys in Redis of a cache: `v` values, `t` tags, `c` claims."""
    prefix = {"v": cache._values, "t": cache._tags, "c": cache._claims}[kind]
    with server.client() as client:
        return sorted(client.keys(f"{prefix}*"))


def test_an_unused_cache_costs_nothing() -> None:
    """Making one imports no redis, nor anything else that is heavy, and asks nobody."""
    code = (
        "import sys; from utils.cache.redis import RedisCache\n"
        "RedisCache('redis://192.0.2.1', secret='x' * 16, size_limit=1 << 20).close()\n"
        "assert not {'redis', 'diskcache', 'sqlite3', 'pyarrow', 'pandas', 'ssl', 'asyncio'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_short_secret_is_refused() -> None:
    """It would name the keys of half the world."""
    with pytest.raises(ValueError, match="16 characters"):
        RedisCache("redis://h", secret="secret", size_limit=LIMIT)


def test_values_outlive_the_process(redis_server: RedisServer, secret: str, clock: ManualClock) -> None:
    """Another object with the same secret finds them, one with another secret does not."""
    first = RedisCache(redis_server.url, secret=secret, size_limit=LIMIT, clock=clock)
    first.set("key", {"a": 1}, ttl=60)
    first.close()
    second = RedisCache(redis_server.url, secret=secret, size_limit=LIMIT, clock=clock)
    stranger = RedisCache(redis_server.url, secret=uuid4().hex, size_limit=LIMIT, clock=clock)

    hit = second.get("key")

    assert hit is not None
    assert hit.value == {"a": 1}
    assert stranger.get("key") is None
    second.close()
    stranger.close()


def test_clear_and_purge_leave_other_keys_alone(redis_server: RedisServer, cache: RedisCache) -> None:
    """Neither another installation's nor those of another program, whatever they look like."""
    other = RedisCache(redis_server.url, secret=uuid4().hex, size_limit=LIMIT, clock=ManualClock())
    other.set("key", 1, ttl=60, tag="t")
    cache.set("key", 1, ttl=60, tag="t")
    with redis_server.client() as client:
        client.set("orchestrator:mine", "precious")
        client.rpush("key", "precious")

        assert cache.clear() == 1
        cache.purge()

        assert client.get("orchestrator:mine") == b"precious"
        assert client.lrange("key", 0, -1) == [b"precious"]
        client.delete("orchestrator:mine", "key")
    assert other.get("key") is not None
    assert cache.get("key") is None
    other.close()


def test_clear_forgets_thousands(cache: RedisCache) -> None:
    """More than one step of the walk through the keys."""
    cache.set_many(Entry(f"k{i}", i, 60, "many" if i % 2 else None) for i in range(2500))
    assert cache.statistics().entries == 2500

    assert cache.clear() == 2500
    assert cache.statistics().entries == 0


def test_redis_itself_forgets_what_is_no_longer_kept(redis_server: RedisServer, cache: RedisCache) -> None:
    """Its expiry is the end of the time to live and of the stale time after it, to the millisecond."""
    cache.set("short", 1, ttl=60)
    cache.set("kept", 1, ttl=60, stale=600)
    cache.set("tiny", 1, ttl=1e-9)
    cache.set("for ever", 1, ttl=math.inf)
    cache.set("nearly for ever", 1, ttl=1e300)
    cache.set("short for ever", 1, ttl=1, stale=math.inf)

    with redis_server.client() as client:
        left = {name.decode().rpartition(":")[2]: client.pttl(name) for name in names_of(redis_server, "v", cache)}

    assert 59_000 < left["short"] <= 60_000
    assert 659_000 < left["kept"] <= 660_000
    assert left.get("tiny", 0) <= 1
    assert [left[name] for name in ("for ever", "nearly for ever", "short for ever")] == [-1, -1, -1]


def test_a_clock_set_back_or_forth_never_makes_a_value_younger(
    redis_server: RedisServer, cache: RedisCache, clock: ManualClock
) -> None:
    """Redis still has it after our clock jumped an hour; the header decides."""
    cache.set("key", 1, ttl=60)

    clock.set_back(3600)
    assert cache.get("key") is None
    clock.set_back(-3600)
    assert cache.get("key") is not None
    clock.set_back(-3600)
    assert cache.get("key") is None

    assert len(names_of(redis_server, "v", cache)) == 1


def test_a_tag_expires_with_its_last_value(redis_server: RedisServer, cache: RedisCache) -> None:
    """Its set lives as long as the longest lived of them, and for ever when one of them does."""
    cache.set("a", 1, ttl=600, tag="fx")
    cache.set("b", 1, ttl=60, tag="fx")
    (name,) = names_of(redis_server, "t", cache)
    with redis_server.client() as client:
        assert 599_000 < client.pttl(name) <= 600_000
        cache.set("c", 1, ttl=math.inf, tag="fx")
        assert client.pttl(name) == -1
        cache.delete("c")
        cache.set("b", 1, ttl=60, tag="fx")
        assert 599_000 < client.pttl(name) <= 600_000


def test_a_tag_forgets_values_that_expired(redis_server: RedisServer, cache: RedisCache) -> None:
    """A tag that is used again and again, with ever new keys, does not grow for ever."""
    cache.set_many(Entry(f"old{i}", 1, 0.001, "fx") for i in range(50))
    with redis_server.client() as client:
        (name,) = names_of(redis_server, "t", cache) or [b""]
        gone = threading.Event()
        for _ in range(200):  # Redis runs on its own clock
            cache.set("new", 1, ttl=60, tag="fx")
            (name,) = names_of(redis_server, "t", cache)
            if client.zrange(name, 0, -1) == [b"new"]:
                break
            gone.wait(0.01)

        assert client.zrange(name, 0, -1) == [b"new"]


def test_a_value_stored_anew_belongs_to_its_new_tag_only(cache: RedisCache) -> None:
    """Evicting the old tag leaves it."""
    cache.set("a", 1, ttl=60, tag="fx")
    cache.set("a", 2, ttl=60, tag="eq")
    cache.set("b", 1, ttl=60, tag="fx")
    cache.set("b", 2, ttl=60)

    assert cache.evict("fx") == 0
    assert cache.get("a") is not None
    assert cache.get("b") is not None
    assert cache.evict("eq") == 1
    assert cache.get("a") is None


def test_purge_takes_what_is_gone_out_of_its_tags(redis_server: RedisServer, cache: RedisCache) -> None:
    """Redis throws values out without asking, and a value may have moved to another tag: no tag is left behind."""
    cache.set_many(Entry(f"k{i}", 1, math.inf, "fx") for i in range(1500))
    cache.set("moved", 1, ttl=math.inf, tag="fx")
    cache.set("moved", 1, ttl=math.inf, tag="eq")
    with redis_server.client() as client:
        client.delete(*(f"{cache._values}k{i}" for i in range(1500)))

    cache.purge()

    assert len(names_of(redis_server, "t", cache)) == 1
    assert cache.evict("eq") == 1


def test_evict_takes_thousands_and_tags_of_any_text(redis_server: RedisServer, cache: RedisCache) -> None:
    """In several steps, and nothing of the tag stays."""
    for tag in ("", "*", "a:b", "æ🙂" * 1000, "\ud800"):
        cache.set_many(Entry(f"k{i}", i, 60, tag) for i in range(1001))

        assert cache.evict(tag) == 1001
        assert names_of(redis_server, "t", cache) == names_of(redis_server, "v", cache) == []


def test_a_value_set_while_its_tag_is_evicted_is_never_untagged(redis_server: RedisServer, cache: RedisCache) -> None:
    """Four threads store, one evicts: what is there in the end goes with one more evict."""
    done = threading.Event()

    def store(worker: int) -> None:
        for number in range(150):
            cache.set(f"{worker}-{number % 10}", number, ttl=60, tag="fx")

    def evict() -> None:
        while not done.is_set():
            cache.evict("fx")

    evicting = threading.Thread(target=evict)
    storing = [threading.Thread(target=store, args=(worker,)) for worker in range(4)]
    for thread in (evicting, *storing):
        thread.start()
    for thread in storing:
        thread.join()
    done.set()
    evicting.join()

    left = len(names_of(redis_server, "v", cache))
    assert cache.evict("fx") == left
    assert names_of(redis_server, "v", cache) == names_of(redis_server, "t", cache) == []


def test_a_value_above_redis_own_limit_is_refused(redis_server: RedisServer, secret: str) -> None:
    """512 MB, whatever size_limit says; Redis would close the connection."""
    cache = RedisCache(redis_server.url, secret=secret, size_limit=1 << 40)

    with pytest.raises(CacheValueTooLarge, match="536,870,"):
        cache.set("big", bytes(512 << 20), ttl=60)
    assert cache.set("small", 1, ttl=60)
    cache.close()


def test_a_large_value_is_sent_in_pieces_and_comes_back(cache: RedisCache) -> None:
    """The time-out is one of a piece, not of fifty megabytes."""
    value = os.urandom(1 << 20) * 20 + b"end"

    assert cache.set("big", value, ttl=60)

    hit = cache.get("big")
    assert hit is not None
    assert hit.value == value


def test_set_many_is_all_or_nothing_for_other_readers(redis_server: RedisServer, cache: RedisCache) -> None:
    """A reader at any moment sees none of a batch or all of it."""
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        with redis_server.client() as client:
            while not done.is_set():
                seen.add(client.exists(*(f"{cache._values}k{i}" for i in range(100))))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(30):
        cache.set_many(Entry(f"k{i}", i, 60, "t") for i in range(100))
        cache.evict("t")
    done.set()
    reader.join()

    assert seen <= {0, 100}


def test_a_fork_has_connections_of_its_own(cache: RedisCache) -> None:
    """Parent and child talk to Redis at the same time, each gets its own answers."""
    cache.set("key", "parent", ttl=60)
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = all(
                cache.set(f"child-{i}", i, ttl=60) and cache._look(f"child-{i}").value == i  # type: ignore[union-attr]
                for i in range(200)
            )
        finally:
            os._exit(0 if good else 1)

    mine = [cache.set(f"parent-{i}", i, ttl=60) and cache.get(f"parent-{i}") for i in range(200)]

    assert os.waitpid(child, 0)[1] == 0
    assert [hit.value for hit in mine if hit] == list(range(200))
