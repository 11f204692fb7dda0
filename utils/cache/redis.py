"""A cache in Redis, shared by processes and hosts; a Redis that is gone or damaged is a miss, never a crash."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hmac import compare_digest
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from utils.cache import redis_scripts as scripts
from utils.cache.cache import CacheStatistics, CacheValueTooLarge, Claim, Entry, Hit, Listener, Purged, check_key
from utils.cache.codec import HEADER_SIZE, KEPT_UNTIL, MAGIC, Encoded, ValueDamaged, encode, seal, unseal
from utils.cache.computing import FLIGHT_WAIT_S, Computing
from utils.cache.redis_claim import RedisClaim
from utils.cache.redis_line import RedisLine, namespace, shown
from utils.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

T = TypeVar("T")

_MARK: Final = len(scripts.NO_TAG)
_SIGNED: Final = 16
_HEADER: Final = _MARK + _SIGNED  # where it begins
_PAYLOAD: Final = _HEADER + HEADER_SIZE  # and the payload
_LARGEST: Final = 512 << 20  # bytes; Redis takes no longer string, unless its proto-max-bulk-len says so
_LONGEST_MS: Final = 1 << 52  # of an expiry; some 140,000 years, and still exact in Lua
_AT_A_TIME: Final = 1000  # keys of a step, so that no other client of this Redis waits long


class _Ready(NamedTuple):
    """A value as Redis gets it."""

    key: str
    name: str  # of the key in Redis
    whole: bytes
    left_ms: int | None  # until Redis forgets it; None: never
    tag: str | None  # the name of the tag's set in Redis


class RedisCache(Computing):
    """`Cache` over Redis, for threads, processes and hosts alike.

    Nothing is imported or connected before the first use. Redis forgets values by itself when they expire; what a
    lookup may still return is decided by `clock`, from the value's own header. While Redis is away, hangs or refuses,
    lookups miss and nothing is stored, at once but for one try a second (see `RedisLine`).

    Redis bounds the memory: set its `maxmemory`, and a policy that evicts, `allkeys-lru` for instance.

    Args:
        url: `redis://`, `rediss://` or `unix://`; user, password and database as redis-py reads them.
        secret: At least 16 characters. Who has the same one shares the values: it gives the keys a name of their own
            (nothing else in this Redis is read, changed or deleted), and only values signed with it are believed.
        size_limit: Bytes that one value may have at most, its header included.
        clock: Decides what has expired.
        listener: Told `cache.set_aside` (`url`, `what`, `key`, `reason`) of a damaged value, `cache.unavailable`
            (`url`, `reason`; once, until it works again) and `cache.refresh_failed`. Never told a password.
        flight_wait: Seconds to wait at most for a value that another caller computes.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        size_limit: int,
        clock: Clock = SYSTEM_CLOCK,
        listener: Listener | None = None,
        flight_wait: float = FLIGHT_WAIT_S,
    ) -> None:
        super().__init__(clock=clock, listener=listener, flight_wait=flight_wait)
        if len(secret) < 16:
            raise ValueError("secret must have at least 16 characters")
        self._place = {"url": shown(url)}
        ours = namespace(secret)
        self._values, self._tags, self._claims = f"{ours}:v:", f"{ours}:t:", f"{ours}:c:"
        self._signing = hashlib.blake2b(secret.encode(), digest_size=32, person=b"values").digest()
        self._size_limit = min(size_limit, _LARGEST - _HEADER)
        self._line = RedisLine(
            url, clock=clock, unavailable=lambda reason: self._tell("cache.unavailable", reason=reason)
        )

    def set_many(self, items: Iterable[Entry]) -> int:
        now = self._clock.time()
        ready = [
            self._ready(key, encode(check_key(key), value, now=now, ttl=ttl, stale=stale), tag)
            for key, value, ttl, tag, stale in items
        ]
        stored = self._line.ask(lambda redis: _put(redis, ready), 0, write=True, long=len(ready) > _AT_A_TIME)
        self._counts.sets(stored)
        return stored

    def delete(self, key: str) -> bool:
        check_key(key)
        return self._line.ask(lambda redis: self._forget(redis, key), False, write=True)

    def evict(self, tag: str) -> int:
        mark = _mark(tag)

        def empty(redis: "Redis") -> int:
            script, gone, seen = redis.register_script(scripts.EVICT), 0, _AT_A_TIME
            while seen >= _AT_A_TIME:
                seen, count = script([self._tags + mark.decode()], [mark, self._values, _AT_A_TIME])
                gone += count
            return gone

        return self._line.ask(empty, 0, write=True)

    def purge(self) -> Purged:
        def clean(redis: "Redis") -> Purged:
            purged = self._sweep(redis, self._clock.time())
            self._tidy(redis)
            return purged

        return self._line.ask(clean, Purged(0, 0), write=True)

    def clear(self) -> int:
        return self._line.ask(lambda redis: self._sweep(redis, math.inf).entries, 0, write=True)

    def statistics(self) -> CacheStatistics:
        """Walks the keys of this Redis for `entries` and `bytes`: some milliseconds for every thousand of them."""

        def measure(redis: "Redis") -> tuple[int, int]:
            script, entries, size = redis.register_script(scripts.SIZES), 0, 0
            for names in _in_steps(redis.scan_iter(f"{self._values}*", _AT_A_TIME)):
                found, held = script(names)
                entries, size = entries + found, size + held
            return entries, size

        return self._counts.statistics(*self._line.ask(measure, (0, 0)))

    def trouble(self) -> str:
        mark = f"{self._claims}trouble"  # to write is more than to answer: a full Redis refuses it
        stored = self._line.ask(lambda redis: redis.set(mark, b"", px=1) is not None, False, write=True)
        return "" if stored else self._line.trouble(write=True)

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        self._line.close()

    def _look(self, key: str, stale: float = 0.0) -> Hit | None:
        found = self._line.ask(lambda redis: self._read(redis, key), None)
        if found is None:
            return None
        try:
            if isinstance(found, ValueDamaged):
                raise found
            mark, header = found[:_MARK], found[_HEADER:_PAYLOAD]
            if not compare_digest(found[_MARK:_HEADER], self._signature(key, mark, header)):
                raise ValueDamaged("damaged, or not a value of ours")
            payload = found[_PAYLOAD:]  # a copy: Arrow wants its numbers at even addresses
            return unseal(key, header, payload, self._clock.time(), stale)
        except ValueDamaged as error:
            self._line.ask(lambda redis: self._forget(redis, key), False, write=True)
            self._tell("cache.set_aside", what="value", key=key, reason=str(error))
            return None

    def _read(self, redis: "Redis", key: str) -> bytes | ValueDamaged | None:
        from redis import ResponseError

        try:
            found = redis.get(self._values + key)
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                return ValueDamaged("not a value of ours")
            raise
        if found is not None and not isinstance(found, bytes):
            raise TypeError("no answer to GET")
        return found

    def _store(self, key: str, encoded: Encoded, tag: str | None, claim: Claim | None = None) -> bool:
        ready = self._ready(key, encoded, tag)
        held = claim if isinstance(claim, RedisClaim) else None
        return self._line.ask(lambda redis: self._put_one(redis, ready, held), False, write=True)

    def _put_one(self, redis: "Redis", ready: _Ready, claim: RedisClaim | None) -> bool:
        from redis import WatchError

        if claim is None:
            return _put(redis, [ready]) == 1
        for _ in range(3):
            with suppress(WatchError), claim.unrenewed, redis.pipeline() as pipeline:
                pipeline.watch(claim.name, ready.name)  # type: ignore[no-untyped-call]  # the library types it not
                if pipeline.get(claim.name) != claim.token.encode():  # lost: perhaps whoever had it next was quicker
                    there = self._look(ready.key, math.inf)
                    if there is not None and there.stored >= claim.since:
                        return False
                _queue(pipeline, ready)
                pipeline.execute()
                return True
        return False  # changed by others again and again: theirs stays

    def _claim(self, key: str) -> Claim | None:
        claim = RedisClaim(self._line, self._claims + key, self._clock.time())
        return claim if claim.take() else None

    def _ready(self, key: str, encoded: Encoded, tag: str | None) -> _Ready:
        if (size := HEADER_SIZE + len(encoded.payload)) > self._size_limit:
            raise CacheValueTooLarge(key, size, self._size_limit)
        mark = scripts.NO_TAG if tag is None else _mark(tag)
        header = seal(key, encoded)
        whole = b"".join((mark, self._signature(key, mark, header), header, encoded.payload))
        left_ms = (encoded.kept_until - encoded.stored) * 1000
        return _Ready(
            key,
            self._values + key,
            whole,
            max(1, math.ceil(left_ms)) if left_ms < _LONGEST_MS else None,
            None if tag is None else self._tags + mark.decode(),
        )

    def _signature(self, key: str, mark: bytes, header: bytes) -> bytes:
        """Proves the payload too: the header has its digest."""
        name = key.encode()
        return hashlib.blake2b(
            b"%b%d:%b%b" % (mark, len(name), name, header), digest_size=_SIGNED, key=self._signing
        ).digest()

    def _forget(self, redis: "Redis", key: str) -> bool:
        return bool(redis.register_script(scripts.DELETE)([self._values + key], [key, self._tags]))

    def _sweep(self, redis: "Redis", moment: float) -> Purged:
        """Forget what expired by `moment`, and what is no value of ours."""
        script, entries, freed = redis.register_script(scripts.SWEEP), 0, 0
        places = (_HEADER, _HEADER + KEPT_UNTIL.start, MAGIC)
        for names in _in_steps(redis.scan_iter(f"{self._values}*", _AT_A_TIME)):
            gone, size = script(names, [repr(moment), self._values, self._tags, *places])
            entries, freed = entries + gone, freed + size
        return Purged(entries, freed)

    def _tidy(self, redis: "Redis") -> None:
        """Take keys out of tags whose value is gone or has another tag: Redis evicts values and knows no tags."""
        script = redis.register_script(scripts.TIDY)
        for name in redis.scan_iter(f"{self._tags}*", _AT_A_TIME, _type="ZSET"):
            for members in _in_steps(redis.zscan_iter(name, count=_AT_A_TIME)):
                script([name], [name[-_MARK:], self._values, *(key for key, _ in members)])


def _mark(tag: str) -> bytes:
    """32 characters that stand for a tag of any length."""
    return hashlib.blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=_MARK // 2).hexdigest().encode()


def _in_steps(many: Iterable[T]) -> Iterator[list[T]]:
    """Some at a time."""
    rest = iter(many)
    while step := list(islice(rest, _AT_A_TIME)):
        yield step


def _put(redis: "Redis", ready: Sequence[_Ready]) -> int:
    """Store all, or nothing; and no value without its tag."""
    if len(ready) == 1 and ready[0].tag is None:
        redis.set(ready[0].name, ready[0].whole, px=ready[0].left_ms)
    elif ready:
        with redis.pipeline() as pipeline:
            _queue(pipeline, *ready)
            pipeline.execute()
    return len(ready)


def _queue(pipeline: "Pipeline", *ready: _Ready) -> None:
    pipeline.multi()
    tagged: dict[str, list[str | int]] = {}
    for key, name, whole, left_ms, tag in ready:
        pipeline.set(name, whole, px=left_ms)
        if tag is not None:
            tagged.setdefault(tag, []).extend((key, left_ms or -1))
    for tag, keys in tagged.items():
        # As text: a script known by its digest only may be forgotten in the middle.
        pipeline.eval(scripts.TAG, 1, tag, *keys)
