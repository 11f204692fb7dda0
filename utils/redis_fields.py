"""Fields of one hash in Redis that processes on many machines change, one after the other; and how its clock stands."""

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from utils.cache.redis_line import RedisLine, namespace
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

__all__ = ["NANOSECONDS", "TRIES", "Field", "RedisFields"]

NANOSECONDS: Final = 1_000_000_000

TRIES: Final = 100
"""How often a change is begun anew because somebody else was quicker; each time one of them has got through."""

_DRIFT: Final = 0.001
"""Seconds that two clocks may part in a second. Clocks that are corrected go wrong by half of it."""

_READ = "local t = redis.call('TIME') return {redis.call('HGET', KEYS[1], ARGV[1]), t[1], t[2]}"
_ALL = "local t = redis.call('TIME') return {redis.call('HGETALL', KEYS[1]), t[1], t[2]}"
_SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], '', ARGV[4])
return 1
"""
_CHANGED = ""  # the field that differs after every change; nothing of ours has an empty name
_AWAY: Any = object()


class Field(NamedTuple):
    """What stands in a field (None: nothing). In nanoseconds: `time` is the server's clock when it said so, `ahead`
    by how much that clock is ahead of our monotonic one."""

    value: bytes | None
    time: int
    ahead: int

    def there(self, moment: float) -> int:
        """A moment of our monotonic clock, in seconds, as the server's clock had it."""
        return round(moment * NANOSECONDS) + self.ahead

    def here(self, moment: int) -> float:
        """The other way round."""
        return (moment - self.ahead) / NANOSECONDS


class RedisFields:
    """Reads and swaps fields. Every method raises `StateError` while Redis is away, after half a second at most.

    The keys have no expiry: a Redis that evicts only what expires (`volatile-lru`) keeps them.

    Args:
        line: To the Redis; several may share it.
        secret: Names the key; who has the same one shares the fields.
        name: Of the hash.
    """

    def __init__(self, line: RedisLine, *, secret: str, name: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._line = line
        self._key = f"{namespace(secret)}:{name}"
        self._monotonic = clock.monotonic
        self._compared = (0, 0, -NANOSECONDS)  # how far ahead, how exactly that is known, and when it was seen

    def read(self, field: str) -> Field:
        (value, *time), began = self._timed(lambda redis: redis.register_script(_READ)([self._key], [field]))
        return self._told(value, time, began)

    def all(self) -> dict[str, Field]:
        """Every field by name."""
        (pairs, *time), began = self._timed(lambda redis: redis.register_script(_ALL)([self._key]))
        found = zip(pairs[::2], pairs[1::2], strict=True)
        told = self._told(None, time, began)
        return {name.decode("utf-8", "replace"): told._replace(value=value) for name, value in found if name != b""}

    def swap(self, field: str, before: bytes | None, after: bytes) -> bool:
        """Replace a value; False: it is not `before` any more, and nothing was changed."""
        given: list[str | bytes] = [field, before or b"", after, os.urandom(12)]
        return bool(self._asked(lambda redis: redis.register_script(_SWAP)([self._key], given)))

    def changed(self) -> bytes:
        """Differs after every change of any field."""
        return self._asked(lambda redis: redis.hget(self._key, _CHANGED)) or b""

    def _told(self, value: bytes | None, time: "list[bytes]", began: float) -> Field:
        """Compare the clocks as NTP does: the server looked at its own between our question and its answer.

        Of several answers the quickest one counts, as long as its age leaves it the most exact one. One that cannot be
        true beside a new answer is forgotten: somebody set the server's clock.
        """
        seconds, micros = time
        server = int(seconds) * NANOSECONDS + int(micros) * 1_000
        first, last = round(began * NANOSECONDS), round(self._monotonic() * NANOSECONDS)
        middle, unsure = server - (first + last) // 2, (last - first) // 2
        ahead, exact, seen = self._compared
        exact += round(_DRIFT * (last - seen))
        if unsure <= exact or abs(ahead - middle) > unsure + exact:
            self._compared = ahead, _, _ = middle, unsure, last
        return Field(value, server, ahead)

    def _timed(self, action: "Callable[[Redis], Any]") -> tuple[Any, float]:
        began = 0.0

        def timed(redis: "Redis") -> Any:
            nonlocal began
            began = self._monotonic()  # without the time to connect
            return action(redis)

        return self._asked(timed), began

    def _asked(self, action: "Callable[[Redis], Any]") -> Any:
        answer = self._line.ask(action, _AWAY, write=True)
        if answer is _AWAY:
            raise StateError(
                f"the Redis in cache.url cannot be asked ({self._line.trouble(write=True)})",
                hint="see that it runs; what it kept of circuits and rates each process knows by itself meanwhile",
                transient=True,
            )
        return answer
