"""How the processes of a machine keep to one rate together, and why they never exceed it.

**Slots.** The generic cell rate algorithm (ITU-T I.371) gives every call a slot: a point of theoretical time. With
`every = per / rate` and `tolerance = (burst - 1) * every`, two things are kept to:

1. A slot `s` owns the stretch [s, s + every) alone, so any two slots lie at least `every` apart.
2. A call with slot `s` is made at a time `t` with `s - tolerance <= t <= s`.

**The bound.** The calls made in a window of `d` seconds have their slots in a stretch of `d + tolerance` seconds, by 2.
There, by 1, lie at most `(d + tolerance) / every + 1 = burst + rate * d / per` of them.

**Leases.** Both hold for many processes when none of them uses theoretical time that another one has. One row for each
limiter keeps `arrival`: all before it is given away. A lease moves it on, in one transaction, and the stretch that it
passed over belongs to the process that moved it; only when nobody came between may it go on within its last one. The
row never goes back. So the bound holds whatever happens:

- A lease that is held unused expires by itself: a slot that has gone by cannot be used (2).
- What a killed process held is lost, never given twice.
- While the row is out of reach a process goes on by itself, from its last slot on. Only then may the sum be above the
  rate. Back again, it tells the row how far it came.
- All times are `monotonic()`: one clock for all processes of a machine, that nobody sets. It begins anew with each
  boot, so a row of another boot says nothing; its limiter starts at the plain rate, as after a pause.

**Waiting.** Who waits owns a slot and sleeps until `s - tolerance`. With a burst of 1 that is `s` itself, and every
sleep ends a little late. So a slot that is waited for owns `late` seconds more, and is used as the slot of the moment
at which its caller woke up. Who wakes up later than that takes another slot.

**Lifetime.** A stretch of several slots reaches at least `lifetime` seconds beyond now, so that its slots do not go by
before they can be used. That comes out of the tolerance, which it never exceeds.
"""

import math
from dataclasses import dataclass
from typing import Protocol

__all__ = ["EPSILON", "FURTHEST", "NEW", "Claim", "Lease", "SharedRate", "SharedRates", "decide", "plausible"]

# Slots are sums of floats: a caller who slept until its slot must not be refused for the last bit.
EPSILON = 1e-9

# Seconds. Nobody pauses for longer, and no thousand callers wait for turns that come later: it is a flipped bit, which
# must not keep a provider from being asked for ever.
FURTHEST = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class SharedRate:
    """What processes know together of a limiter; both in seconds of the monotonic clock.

    Attributes:
        arrival: Theoretical time before this is given away.
        paused_until: No call is made before this.
    """

    arrival: float = -math.inf
    paused_until: float = -math.inf


NEW = SharedRate()
"""A limiter that nobody has used yet."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a process asks for. Times in seconds.

    Attributes:
        floor: Not before this, in theoretical time: what the process gave away by itself.
        held: Where the stretch ends that it has in hand; -inf: it has none.
        every: Between two slots.
        tolerance: How long before its slot a call may be made.
        slots: How many.
        lifetime: The slots stay usable for so long at least; 0.0: one slot for now.
        patience: How long the caller can wait for the first; 0.0: not at all.
        late: How much later than it should a waiting caller may wake up.
        paused_until: A pause that this process knows of.
    """

    floor: float
    held: float
    every: float
    tolerance: float
    slots: int
    lifetime: float
    patience: float
    late: float
    paused_until: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer: the stretch [start, end) of theoretical time is the caller's; empty: refused.

    `moment`: when it was decided. `start` of a refusal: where the next slot would be.
    """

    moment: float
    start: float
    end: float
    paused_until: float

    @property
    def granted(self) -> bool:
        return self.end > self.start


def decide(rate: SharedRate, claim: Claim, now: float) -> tuple[Lease, SharedRate]:
    """Answer a claim: what is leased, and the row as it must stand before anybody else reads it.

    >>> claim = Claim(floor=0.0, held=0.0, every=1.0, tolerance=2.0, slots=1, lifetime=0.0, patience=0.0, late=0.0,
    ...     paused_until=0.0)
    >>> lease, rate = decide(SharedRate(arrival=11.0), claim, now=10.0)
    >>> (lease.start, lease.end), rate.arrival
    ((11.0, 12.0), 12.0)
    >>> decide(SharedRate(arrival=13.0), claim, now=10.0)[0].granted
    False
    """
    rate = plausible(rate, every=claim.every, tolerance=claim.tolerance, now=now)
    paused_until = max(rate.paused_until, claim.paused_until)
    # After a pause at the plain rate: the first slot can be used when it ends, the next one an interval later.
    ours = claim.floor if rate.arrival == claim.held else max(rate.arrival, claim.floor)
    start = max(ours, now, paused_until + claim.tolerance)
    delay = start - claim.tolerance - now
    if delay <= EPSILON:
        end = max(start, now + claim.lifetime) + claim.slots * claim.every
    elif delay < claim.patience:
        end = start + claim.late + claim.slots * claim.every
    else:
        # Even so it is told what the process gave away while it could not ask.
        return Lease(now, start, start, paused_until), SharedRate(max(rate.arrival, claim.floor), paused_until)
    end = max(end, rate.arrival)
    return Lease(now, start, end, paused_until), SharedRate(end, paused_until)


def plausible(rate: SharedRate, *, every: float, tolerance: float, now: float) -> SharedRate:
    """The row, or one that says nothing (the plain rate from now on) when it lies too far ahead to be true."""
    if max(rate.arrival - tolerance - 1000 * every, rate.paused_until) > now + FURTHEST:
        return SharedRate(paused_until=now)
    return rate


class SharedRates(Protocol):
    """Keeps one row for each limiter. Whatever it raises, the limiter goes on by itself; so it must not wait long."""

    def lease(self, name: str, claim: Claim) -> Lease:
        """`decide` and keep it, in one step that no other process comes between."""
        ...

    def look(self, name: str) -> SharedRate:
        """How the row stands. Takes nothing."""
        ...

    def pause(self, name: str, until: float) -> None:
        """No process makes a call before `until` (monotonic seconds); an earlier moment changes nothing."""
        ...
