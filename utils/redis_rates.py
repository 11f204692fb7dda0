"""The rate of each provider, kept together by the processes of an installation on many machines, in a Redis."""

import json
import math
from dataclasses import replace

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.redis_fields import TRIES, Field, RedisFields
from utils.resilience.shared_rates import NEW, Claim, Lease, SharedRate, decide

__all__ = ["RedisRates"]


class RedisRates:
    """`SharedRates` over Redis: a field a limiter, of which blocks of slots are leased.

    The field is in nanoseconds of the server's clock, which each answer tells. A server whose clock was set back has a
    field of the future: that says nothing, and its limiter starts at the plain rate.

    While Redis is away every method raises, and each limiter goes on by itself.
    """

    def __init__(self, fields: RedisFields, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fields = fields
        self._monotonic = clock.monotonic
        self._last: dict[str, tuple[bytes, float]] = {}  # what we wrote, and the same arrival by our clock, exactly

    def lease(self, name: str, claim: Claim) -> Lease:
        for _ in range(TRIES):
            field = self._fields.read(name)
            now = self._monotonic()
            before = self._rate(name, field, now)
            lease, after = decide(before, claim, now)
            if after == before or self._swapped(name, field, after):
                return lease
        raise self._crowded(name)

    def look(self, name: str) -> SharedRate:
        field = self._fields.read(name)
        return self._rate(name, field, self._monotonic())

    def pause(self, name: str, until: float) -> None:
        for _ in range(TRIES):
            field = self._fields.read(name)
            now = self._monotonic()
            rate = self._rate(name, field, now)
            if until <= rate.paused_until or self._swapped(name, field, replace(rate, paused_until=until)):
                return
        raise self._crowded(name)

    def _rate(self, name: str, field: Field, now: float) -> SharedRate:
        if field.value is None:
            return NEW

        def here(moment: int | None) -> float:
            return -math.inf if moment is None else field.here(moment)

        try:
            written, arrival, paused_until = json.loads(field.value)
            if not isinstance(written, int) or written > field.time:
                return SharedRate(paused_until=now)
            rate = SharedRate(here(arrival), here(paused_until))
        except (ValueError, TypeError, OverflowError):
            return SharedRate(paused_until=now)
        ours = self._last.get(name)
        return replace(rate, arrival=ours[1]) if ours is not None and ours[0] == field.value else rate

    def _swapped(self, name: str, field: Field, rate: SharedRate) -> bool:
        def there(moment: float) -> int | None:
            return None if moment == -math.inf else field.there(moment)

        written = json.dumps([field.time, there(rate.arrival), there(rate.paused_until)]).encode()
        if not self._fields.swap(name, field.value, written):
            return False
        self._last[name] = written, rate.arrival
        return True

    def _crowded(self, name: str) -> StateError:
        return StateError(f"the rate of {name} is used by others all the time", transient=True)
