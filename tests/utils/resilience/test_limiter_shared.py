"""Several limiters that keep to one rate: leases, waiting in turn, pauses, and a shared rate that is away."""

import asyncio

import pytest

from tests.utils.resilience.rates import MemoryRates, largest_excess
from utils.clock import ManualClock
from utils.resilience.deadline import deadline
from utils.resilience.errors import RateLimitedError
from utils.resilience.limiter import LOOK_EVERY, RateLimiter
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.settings import ProviderResilience, RateLimitSettings


def make(
    clock: ManualClock, shared: MemoryRates, *, rate: float = 2.0, burst: int = 3, many: int = 2
) -> list[RateLimiter]:
    """As many limiters as there would be processes."""
    return [RateLimiter("ecb", rate=rate, burst=burst, shared=shared, clock=clock) for _ in range(many)]


def test_limiters_of_one_name_share_burst_and_rate() -> None:
    """Three at once together, then one each half second."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock))

    at_once = [bool(one.acquire()) for one in (here, there, here, there, here)]
    clock.advance(0.5)
    later = [bool(one.acquire()) for one in (there, here)]

    assert (at_once, later) == ([True, True, True, False, False], [True, False])


def test_limiters_of_other_names_have_rates_of_their_own() -> None:
    """Two providers are two limits."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    limiters = [RateLimiter(name, rate=1, burst=1, shared=shared, clock=clock) for name in ("ecb", "usgs")]

    assert [bool(limiter.acquire()) for limiter in limiters] == [True, True]


def test_clients_are_the_matter_of_the_process_that_serves_them() -> None:
    """Their buckets are not shared, and cost no look at the row."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, burst=1)

    answers = [bool(one.acquire("me")) for one in (here, here, there)]

    assert (answers, shared.claims) == ([True, False, True], [])


def test_a_refusal_tells_the_wait_that_others_cause() -> None:
    """The same question after that time is granted."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), burst=1)
    here.acquire()

    refused = there.acquire()
    told = there.delay()
    clock.advance(refused.retry_after)

    assert (refused.retry_after, told, bool(there.acquire())) == (0.5, 0.5, True)


def test_waiting_callers_of_all_processes_get_slots_one_after_the_other() -> None:
    """While one sleeps for its slot, the other one's comes after it: each waits its turn."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), rate=2.0, burst=2)
    assert [bool(here.acquire()), bool(there.acquire())] == [True, True]
    told = list[float]()

    def third(seconds: float) -> None:
        told.append(seconds)

    def second(seconds: float) -> None:
        told.append(seconds)
        here.acquire(wait=True, on_wait=third)

    def first(seconds: float) -> None:
        told.append(seconds)
        there.acquire(wait=True, on_wait=second)

    here.acquire(wait=True, on_wait=first)

    assert told == [0.5, 1.0, 1.5]


def test_a_turn_after_the_deadline_is_refused_and_costs_others_nothing() -> None:
    """No slot is taken for nobody."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, rate=0.1, burst=1)
    here.acquire()

    with deadline(5.0, clock), pytest.raises(RateLimitedError, match="room in 10 s, the deadline ends in 5 s"):
        there.acquire(wait=True)

    assert (clock.slept, shared.rows["ecb"].arrival) == ([], 10.0)


def test_at_a_high_rate_slots_are_leased_in_blocks() -> None:
    """Ten thousand calls in a second take some dozens of leases, and not one call more than the rate allows."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    (limiter,) = make(clock, shared, rate=10_000.0, burst=1000, many=1)

    grants = []
    for _ in range(12_000):
        clock.advance(0.0001)
        if limiter.acquire():
            grants.append(clock.monotonic())

    assert len(grants) == 12_000
    assert len(shared.claims) < 100
    assert largest_excess(grants, rate=10_000.0, burst=1000) <= 1e-3


def test_at_a_low_rate_each_slot_is_leased_by_itself() -> None:
    """So nobody holds what another one could use."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, rate=10.0, burst=20)

    granted = [sum(bool(one.acquire()) for _ in range(10)) for one in (here, there)]

    assert (granted, {claim.slots for claim in shared.claims}) == ([10, 10], {1})


def test_one_process_alone_gets_its_whole_burst() -> None:
    """Blocks take nothing away from it."""
    clock = ManualClock()
    (limiter,) = make(clock, MemoryRates(clock), rate=1000.0, burst=1000, many=1)

    assert sum(bool(limiter.acquire()) for _ in range(2000)) == 1000


def test_a_process_that_needs_less_leases_less() -> None:
    """After a rush, one call a second takes single slots again."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    (limiter,) = make(clock, shared, rate=1000.0, burst=1000, many=1)
    for _ in range(500):
        limiter.acquire()

    for _ in range(4):
        clock.advance(10.0)
        limiter.acquire()

    assert [claim.slots > 10 for claim in shared.claims[-5:-4]] == [True]
    assert shared.claims[-1].slots <= 2


def test_slots_that_were_held_too_long_are_not_used() -> None:
    """A lease that slept through its time is worth nothing; the next one is asked for."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, rate=100.0, burst=50)
    grants = list[float]()

    def take(limiter: RateLimiter, calls: int) -> None:
        grants.extend(clock.monotonic() for _ in range(calls) if limiter.acquire())

    take(here, 12)  # with slots left in its hand
    clock.advance(30.0)
    take(there, 100)
    take(here, 100)

    assert largest_excess(grants, rate=100.0, burst=50) <= 1e-6


@pytest.mark.parametrize("rate", [2.0, 1000.0], ids=["single slots", "blocks"])
def test_a_pause_is_seen_by_the_others_within_a_second(rate: float) -> None:
    """Also by one that has slots in hand."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), rate=rate, burst=1000)
    for _ in range(100):
        there.acquire()

    here.pause(30.0)
    clock.advance(LOOK_EVERY)
    refused = there.acquire()
    clock.advance(30.0 - LOOK_EVERY)

    assert (bool(refused), refused.retry_after) == (False, 30.0 - LOOK_EVERY)
    assert [bool(there.acquire()), bool(here.acquire())] == [True, False]


def test_who_sleeps_for_a_slot_hears_of_a_pause_elsewhere_when_it_wakes() -> None:
    """It sleeps on until the pause is over."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), rate=1.0, burst=1)
    here.acquire()
    pauses = iter([30.0])

    grant = there.acquire(wait=True, on_wait=lambda seconds: here.pause(next(pauses, 0.0)))

    assert (grant.waited, clock.slept) == (30.0, [1.0, 29.0])


def test_a_slot_behind_a_short_pause_is_kept() -> None:
    """Who waits for longer than the pause loses nothing by it."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), rate=0.1, burst=1)
    here.acquire()
    pauses = iter([3.0])

    grant = there.acquire(wait=True, on_wait=lambda seconds: here.pause(next(pauses, 0.0)))

    assert (grant.waited, clock.slept) == (10.0, [10.0])


def test_the_own_limit_stands_while_the_shared_one_is_away_and_joins_it_again() -> None:
    """Nothing is raised, the failures are counted, and what was granted meanwhile is told."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, rate=1.0, burst=4)
    here.acquire()
    shared.broken = True

    alone = [bool(here.acquire()) for _ in range(5)]
    shared.broken = False
    clock.advance(LOOK_EVERY)
    back = [bool(here.acquire()), bool(there.acquire())]
    clock.advance(0.5)

    assert (alone, back) == ([True, True, True, False, False], [False, False])
    assert [bool(there.acquire()), bool(here.acquire())] == [True, False]
    assert (here.figures().shared_errors, there.figures().shared_errors) == (1, 0)


def test_a_shared_rate_that_stays_away_is_not_asked_with_every_call() -> None:
    """Twice a second at most."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    shared.broken = True
    (limiter,) = make(clock, shared, rate=1000.0, burst=1000, many=1)

    for _ in range(1000):
        limiter.acquire()
        clock.advance(0.001)

    assert limiter.figures().granted == 1000
    assert limiter.figures().shared_errors <= 3


def test_a_pause_that_could_not_be_told_is_told_later() -> None:
    """With the next lease."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, there = make(clock, shared, rate=1.0, burst=1)
    here.acquire()
    shared.broken = True
    here.pause(30.0)
    shared.broken = False

    clock.advance(5.0)
    here.acquire(), there.acquire()

    assert there.delay() == 25.0


def test_a_waiting_caller_goes_on_when_the_shared_rate_leaves_it() -> None:
    """Its slot is its own."""
    clock = ManualClock()
    shared = MemoryRates(clock)
    here, _ = make(clock, shared, rate=1.0, burst=1)
    here.acquire()

    def leave(seconds: float) -> None:
        shared.broken = True

    assert here.acquire(wait=True, on_wait=leave).waited == 1.0


def test_who_sleeps_too_long_takes_another_slot() -> None:
    """With a burst of one, calls that woke up late would come too close to the next ones."""

    class Sleepy(ManualClock):
        """Wakes up a tenth of a second late, three times."""

        late = 3

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 0.1 * (self.late > 0))
            self.late -= 1

    clock = Sleepy()
    here, there = make(clock, MemoryRates(clock), rate=1.0, burst=1)
    grants = list[float]()
    here.acquire()
    grants.append(clock.monotonic())

    def other(seconds: float) -> None:
        if len(grants) < 6 and there.acquire():
            grants.append(clock.monotonic())

    for _ in range(6):
        here.acquire(wait=True, on_wait=other)
        grants.append(clock.monotonic())

    assert largest_excess(grants, rate=1.0, burst=1) <= 1e-6


def test_policies_and_limiters_of_a_registry_share_their_rates() -> None:
    """A 429 with Retry-After that one process gets holds back the requests of the other."""

    class TooManyError(Exception):
        retry_after = 20.0

    def refuse() -> None:
        raise TooManyError

    clock = ManualClock()
    rates = MemoryRates(clock)
    settings = ProviderResilience(rate_limit=RateLimitSettings(rate=1.0, burst=2))
    here, there = (ResilienceRegistry(lambda _: settings, rates=rates, clock=clock) for _ in range(2))
    mine, theirs = (registry.limiter("api", rate=1, burst=1) for registry in (here, there))

    with pytest.raises(TooManyError):
        here.policy("ecb").call(refuse)
    began = clock.monotonic()
    there.policy("ecb").call(lambda: "rates")

    assert clock.monotonic() - began == 20.0
    assert [bool(mine.acquire()), bool(theirs.acquire())] == [True, False]


def test_coroutines_share_it_too() -> None:
    """They wait for the same slots."""
    clock = ManualClock()
    here, there = make(clock, MemoryRates(clock), rate=2.0, burst=1)

    async def ask() -> list[float]:
        return [(await one.acquire_async()).waited for one in (here, there, here)]

    waits = asyncio.run(ask())

    assert waits[0] == 0.0
    assert waits[1:] == pytest.approx([0.5, 0.5], abs=0.006)
