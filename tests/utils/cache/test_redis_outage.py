"""Redis stopped, started, hung, full, locked or no Redis at all: quick misses, told once, well again by itself."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.redis_server import RedisServer
from tests.utils.cache.no_redis import PASSWORD, NoRedis
from tests.utils.cache.test_disk import Told
from utils.cache import CacheKeyInvalid, Entry, redis_line
from utils.cache.redis import RedisCache
from utils.clock import ManualClock

Make = Callable[[str], RedisCache]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make(request: pytest.FixtureRequest, clock: ManualClock, told: Told) -> Iterator[Make]:
    """A cache over the Redis at an address. A real one is waited for, however busy the machine is."""
    if "redis_folder" in request.fixturenames:
        request.getfixturevalue("patient_redis")
    with contextlib.ExitStack() as stack:

        def maker(url: str) -> RedisCache:
            cache = RedisCache(url, secret=uuid4().hex, size_limit=1 << 24, clock=clock, listener=told)
            stack.callback(cache.close)
            return cache

        yield maker


def reasons(told: Told) -> list[str]:
    """Why the cache was unavailable, each time that it was told."""
    assert {event for event, _ in told.events} <= {"cache.unavailable"}
    return [data["reason"] for _, data in told.events]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on it is waited as long as the product does."""
    return lambda: monkeypatch.setattr(redis_line, "ANSWER_WITHIN_S", 0.5)


def every_call_misses(cache: RedisCache) -> None:
    """All of the contract, with the answers of a cache that is not there; mistakes still raise."""
    assert cache.get("key") is None
    assert cache.set("key", 1, ttl=60) is False
    assert cache.set("key", 1, ttl=60, tag="fx") is False
    assert cache.set_many([Entry("a", 1, 60), Entry("b", 2, 60)]) == 0
    assert cache.delete("key") is False
    assert cache.evict("fx") == cache.clear() == cache.purge().entries == cache.statistics().entries == 0
    assert cache.get_or_compute("key", lambda: "computed", ttl=60).value == "computed"
    with pytest.raises(CacheKeyInvalid):
        cache.get("")


def test_redis_stopped_and_started_in_mid_use(redis_folder: Path, make: Make, clock: ManualClock, told: Told) -> None:
    """Told once at each stop; a second after the start all is well, though the old connections are dead."""
    server = RedisServer(redis_folder)
    with server:
        cache = make(server.url)
        for stop in range(1, 4):
            assert cache.set("key", stop, ttl=60, tag="fx")
            server.stop()

            every_call_misses(cache)
            clock.advance(1)
            every_call_misses(cache)
            assert len(reasons(told)) == stop
            assert "refused" in reasons(told)[-1]
            assert cache.trouble() == reasons(told)[-1]
            server.start()
            assert cache.get("key") is None  # the second is not over
            clock.advance(1)

            assert cache.trouble() == ""
            assert cache.set("key", stop, ttl=60, tag="fx")
            hit = cache.get("key")
            assert hit is not None
            assert hit.value == stop
        server.stop()
        server.start()

        assert cache.set("unnoticed", 1, ttl=60)  # stopped and started between two calls: no call is lost
        assert len(reasons(told)) == 3


def test_threads_go_on_while_redis_comes_and_goes(redis_folder: Path, make: Make, clock: ManualClock) -> None:
    """Eight threads use all of the cache through ten restarts: no error, no wrong value, and in the end it works."""
    over = threading.Event()
    wrong: list[object] = []
    used = [0] * 8

    def use(worker: int) -> None:
        number = 0
        try:
            while not over.is_set():
                number += 1
                key = f"{worker}-{number % 5}"
                cache.set(key, key, ttl=60, tag=f"t{worker}")
                if (hit := cache.get(key)) is not None and hit.value != key:
                    wrong.append(hit)
                if (computed := cache.get_or_compute(f"computed-{key}", lambda key=key: key, ttl=60)).value != key:
                    wrong.append(computed)
                cache.set_many(Entry(f"{key}-{part}", part, 60, f"t{worker}") for part in range(5))
                if number % 7 == 0:
                    cache.evict(f"t{worker}")
                used[worker] = number
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            wrong.append(error)

    with RedisServer(redis_folder) as server:
        cache = make(server.url)
        threads = [threading.Thread(target=use, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for restart in range(10):
            before = min(used)
            server.stop()
            server.start()
            clock.advance(1.0 + restart)
            patience = threading.Event()
            while min(used) <= before and not wrong:  # everybody came by since
                patience.wait(0.005)
        over.set()
        for thread in threads:
            thread.join()
        clock.advance(10)

        assert wrong == []
        assert cache.set("key", 1, ttl=60)
        assert cache.get("key") is not None


def test_a_server_that_was_never_there_is_no_failure(redis_folder: Path, make: Make, told: Told) -> None:
    """The very first call finds nobody."""
    every_call_misses(make(RedisServer(redis_folder).url))
    every_call_misses(make("redis://no-such-host.invalid"))

    assert len(reasons(told)) == 2


def test_redis_goes_away_while_somebody_computes(
    redis_folder: Path, make: Make, clock: ManualClock, told: Told
) -> None:
    """The value comes all the same; there is just nobody to keep it, and the claim is nobody's any more."""
    with RedisServer(redis_folder) as server:
        cache = make(server.url)

        def compute() -> str:
            server.stop()
            return "value"

        assert cache.get_or_compute("key", compute, ttl=60).value == "value"
        server.start()
        clock.advance(1)

        assert cache.get_or_compute("key", lambda: "again", ttl=60).value == "again"
        assert len(reasons(told)) == 1


def test_a_hung_server_costs_one_time_out(
    redis_folder: Path, make: Make, clock: ManualClock, told: Told, hasty: Callable[[], None]
) -> None:
    """After it nobody asks until the rest is over; then it may work again."""
    with RedisServer(redis_folder) as server:
        cache = make(server.url)
        cache.set("key", 1, ttl=60)
        hasty()
        with server.hung():
            every_call_misses(cache)
        assert reasons(told) == ["no answer within 0.5 s"]
        assert cache.get("key") is None
        clock.advance(1)

        assert cache.get("key") is not None


def test_a_server_that_accepts_and_never_answers_is_asked_once_a_rest(
    make: Make, clock: ManualClock, told: Told
) -> None:
    """However often the cache is used: one connection, then one more after the rest."""
    with NoRedis(None) as server:
        cache = make(server.url)
        for _ in range(3):
            every_call_misses(cache)
        assert server.callers == 1
        clock.advance(1)
        every_call_misses(cache)

        assert server.callers == 2
    assert reasons(told) == ["no answer within 0.5 s"]


def test_a_batch_of_thousands_may_take_longer(
    redis_folder: Path, make: Make, told: Told, hasty: Callable[[], None]
) -> None:
    """Redis takes it as one and is silent meanwhile: that is no outage, as it would be for a single value."""
    with RedisServer(redis_folder) as server, server.client() as client:
        cache = make(server.url)
        cache.get("key")
        busy = client.connection_pool.get_connection()
        busy.send_command("DEBUG", "SLEEP", "0.7")
        hasty()

        assert cache.set_many(Entry(f"k{number}", number, 60, "fx") for number in range(1001)) == 1001

        busy.read_response()
        client.connection_pool.release(busy)
    assert told.events == []


def test_one_of_many_threads_tries_while_the_others_go_without(make: Make, clock: ManualClock) -> None:
    """A hung server holds up one thread a rest, not all of them."""
    with NoRedis(None) as server:
        cache = make(server.url)
        cache.get("key")
        clock.advance(1)
        threads = [threading.Thread(target=cache.get, args=("key",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert server.callers == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"\x00" * 100,
        b":not a number\r\n" * 9,
        b"$-7\r\n" * 9,
        b"*2\r\n*2\r\n" * 9,
        b"+OK\r\n+OK\r\n:5\r\n",
        b"+OK\r\n" + b"*1\r\n:5\r\n" * 9,
        b"-ERR \xff\xfe\r\n" * 9,
        f"-ERR unknown command 'AUTH', with args beginning with '{PASSWORD}'\r\n".encode() * 9,
        f"AUTH {PASSWORD}\r\n".encode() * 9,
    ],
    ids=[
        "http",
        "ssh",
        "closes",
        "zeros",
        "number",
        "length",
        "array",
        "integer",
        "list",
        "bytes",
        "repeats",
        "echoes",
    ],
)
def test_what_is_no_redis_is_a_miss(answer: bytes, make: Make, told: Told) -> None:
    """Whatever stands at the address: no crash, a reason on one line, and no password in it."""
    with NoRedis(answer) as server:
        cache = make(server.url)

        every_call_misses(cache)

    assert len(reasons(told)) >= 1
    assert "\n" not in reasons(told)[0]
    assert PASSWORD not in str(told.events)


@pytest.mark.usefixtures("patient_redis")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "it is still loading its data"),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", "it is a Redis Cluster, which is not supported"),
        (b"-MISCONF Redis is configured to save snapshots\r\n", "it refused: MISCONF Redis is configured to save"),
    ],
    ids=["loading", "cluster", "cannot save"],
)
def test_what_redis_says_is_put_in_words(answer: bytes, reason: str, make: Make, told: Told) -> None:
    """It comes to an address and is let in, and every question is refused."""
    with NoRedis(answer, polite=True) as server:
        cache = make(server.url)
        assert cache.get("key") is None
        cache.close()

    assert len(reasons(told)) == 1
    assert reasons(told)[0].startswith(reason)


@pytest.mark.parametrize(
    ("password", "suffix", "reason"),
    [
        ("wrong-password", "", "the user or the password is wrong, or missing"),
        ("", "", "the user or the password is wrong, or missing"),
        (PASSWORD, "/99", "there is no such database (DB index is out of range)"),
    ],
    ids=["wrong password", "no password", "no such database"],
)
def test_who_may_not_come_in_is_told_why(
    password: str, suffix: str, reason: str, redis_folder: Path, make: Make, told: Told
) -> None:
    """Over TCP, with a password; the reason is told, the password never."""
    with RedisServer(redis_folder, tcp=True, password=PASSWORD) as server:
        good = make(server.url)
        assert good.set("key", 1, ttl=60)
        bad = make(server.url.replace(f":{PASSWORD}@", f":{password}@" if password else "") + suffix)

        every_call_misses(bad)

        assert good.get("key") is not None
    assert reasons(told) == [reason]
    assert PASSWORD not in str(told.events)
    assert "wrong-password" not in str(told.events)


def test_a_full_redis_is_still_read(redis_folder: Path, make: Make, clock: ManualClock, told: Told) -> None:
    """It stores nothing, not half a batch, and says why once; lookups go on; with room it stores again."""
    with RedisServer(redis_folder, **{"maxmemory-policy": "noeviction"}) as server, server.client() as client:
        cache = make(server.url)
        assert cache.set("small", 1, ttl=60)
        client.config_set("maxmemory", 1)

        for _ in range(2):
            assert cache.set("small", 2, ttl=60) is False
            clock.advance(1)
            assert cache.set_many([Entry("a", 1, 60, "fx"), Entry("b", 2, 60)]) == 0
            clock.advance(1)
        hit = cache.get("small")
        assert hit is not None
        assert hit.value == 1
        assert cache.clear() == 1
        assert reasons(told) == ["its memory is full (maxmemory) and its policy does not evict"]
        assert [cache.trouble(), make(server.url).trouble()] == [reasons(told)[0]] * 2  # who never asked finds out
        client.config_set("maxmemory", 0)
        clock.advance(1)

        assert cache.trouble() == ""
        assert cache.set("small", 1, ttl=60)


def test_a_redis_that_evicts_keeps_taking_values(redis_folder: Path, make: Make, told: Told) -> None:
    """With allkeys-lru the bound is Redis's own: what is old leaves, nothing is refused."""
    with RedisServer(redis_folder, maxmemory="8mb", **{"maxmemory-policy": "allkeys-lru"}) as server:
        cache = make(server.url)

        assert all(cache.set(f"k{number}", bytes(1 << 20), ttl=60, tag="fx") for number in range(30))

        assert 1 <= cache.statistics().entries < 10
        assert cache.get("k29") is not None
    assert told.events == []


def test_a_replica_is_read_and_not_written(redis_folder: Path, make: Make, clock: ManualClock, told: Told) -> None:
    """Nothing is stored there, the reason is told once; made the primary again it stores."""
    with RedisServer(redis_folder) as server:
        cache = make(server.url)
        cache.set("key", 1, ttl=60)
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)  # of nobody: it keeps what it has, and takes nothing

            assert cache.set("new", 1, ttl=60) is False
            assert cache.set("new", 1, ttl=60, tag="fx") is False
            clock.advance(1)
            assert cache.set("new", 1, ttl=60) is False
            assert cache.get("key") is not None
            assert cache.get_or_compute("other", lambda: 5, ttl=60).value == 5
            assert reasons(told) == ["it is a replica that only reads"]
            client.replicaof("no", "one")
        clock.advance(1)

        assert cache.set("new", 1, ttl=60)


@pytest.mark.parametrize("rights", ["+get", "+set"], ids=["may only read", "may only write"])
def test_a_user_without_rights_is_told_once(
    rights: str, redis_folder: Path, make: Make, clock: ManualClock, told: Told
) -> None:
    """A user of Redis's own access lists who may do half of it."""
    with RedisServer(redis_folder) as server:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "somebody", "on", f">{PASSWORD}", "~*", rights)
        cache = make(server.url.replace("unix://", f"unix://somebody:{PASSWORD}@"))

        for _ in range(3):
            assert cache.get("key") is None
            cache.set("key", 1, ttl=60)
            clock.advance(1)

    (reason,) = reasons(told)
    assert reason.startswith("this user may not do that")
    assert PASSWORD not in str(told.events)


def test_tls_to_a_redis_without_it_is_a_miss(
    redis_folder: Path, make: Make, told: Told, hasty: Callable[[], None]
) -> None:
    """`rediss://` to a plain one, and to a certificate file that is not there."""
    with RedisServer(redis_folder, tcp=True) as server:
        address = server.url.replace("redis://", "rediss://")
        hasty()
        every_call_misses(make(address))
        every_call_misses(make(f"{address}?ssl_ca_certs=/no/such/file.pem"))

    assert len(reasons(told)) == 2
