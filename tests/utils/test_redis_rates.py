"""The rate that processes on many machines keep to together, in a Redis."""

import json
import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.utils.children import finish, let_go, start
from tests.utils.resilience.rates import largest_excess
from utils.cache.redis_line import RedisLine
from utils.clock import Clock, ManualClock
from utils.database import StateError
from utils.redis_fields import RedisFields
from utils.redis_rates import RedisRates
from utils.resilience.limiter import RateLimiter
from utils.resilience.shared_rates import NEW, Claim

pytestmark = pytest.mark.usefixtures("patient_redis")

ONE = Claim(
    floor=-math.inf,
    held=-math.inf,
    every=1000.0,  # seconds: a busy machine must not give the next slot by its slowness
    tolerance=2000.0,
    slots=1,
    lifetime=0.0,
    patience=0.0,
    late=0.0,
    paused_until=-math.inf,
)

Machine = Callable[[float], tuple[RedisRates, RedisFields]]


@pytest.fixture
def machine(redis_server: RedisServer) -> Iterator[Machine]:
    """What a machine has whose monotonic clock shows so many seconds; the clock stands still."""
    lines: list[RedisLine] = []
    secret = secrets.token_hex(16)

    def made(shows: float) -> tuple[RedisRates, RedisFields]:
        clock: Clock = ManualClock()
        clock.advance(shows)
        line = RedisLine(redis_server.url, clock=clock, unavailable=pytest.fail)
        lines.append(line)
        fields = RedisFields(line, secret=secret, name="rates", clock=clock)
        return RedisRates(fields, clock=clock), fields

    yield made
    for line in lines:
        line.close()


def test_a_lease_moves_the_field_on_for_all_machines(machine: Machine) -> None:
    """Three slots are free at once, the fourth later, whatever their clocks show."""
    here, _ = machine(0.0)
    there, _ = machine(1e6)

    leased = [(here, there)[number % 2].lease("ecb", ONE) for number in range(4)]

    assert [lease.granted for lease in leased] == [True, True, True, False]
    # Redis's own clock goes on meanwhile, and so less is left of the wait.
    assert 0.0 < 3000.0 - leased[3].start + 1e6 < 600.0
    assert here.look("other") == NEW


def test_a_lease_of_one_who_asks_again_goes_on_where_it_ended(machine: Machine) -> None:
    """To the last bit of our own clock, when nobody came in between."""
    rates, _ = machine(5.0)
    first = rates.lease("ecb", replace(ONE, slots=2))
    again = rates.lease("ecb", replace(ONE, floor=first.start + 1000.0, held=first.end))

    assert again.start == first.start + 1000.0


def test_a_pause_holds_on_all_machines_until_a_longer_one(machine: Machine) -> None:
    here, _ = machine(0.0)
    there, _ = machine(1e6)

    for until in (3000.0, 5.0, 4000.0):
        here.pause("ecb", until)

    left = there.look("ecb").paused_until - 1e6
    assert 3400.0 < left <= 4000.0
    assert not there.lease("ecb", ONE).granted


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"[1, 2", b'["a", 1, 1]', b"[1, 1e999, 1]", b"[9999999999999999999, 1, 1]"]
)
def test_a_field_that_says_nothing_starts_at_the_plain_rate(machine: Machine, value: bytes) -> None:
    """It was damaged, or is of the future: the server's clock was set back."""
    rates, fields = machine(7.0)
    assert fields.swap("ecb", None, value)

    leases = [rates.lease("ecb", ONE) for _ in range(2)]

    assert [lease.granted for lease in leases] == [True, False]


def test_a_field_that_lies_too_far_ahead_blocks_nobody(machine: Machine) -> None:
    rates, fields = machine(7.0)
    seen = fields.read("ecb").time
    assert fields.swap("ecb", None, json.dumps([seen, seen + 10**18, None]).encode())

    assert rates.lease("ecb", ONE).granted


def test_while_redis_is_away_each_limiter_goes_on_by_itself(redis_folder: Path) -> None:
    """And they meet again once it is back."""
    clock = ManualClock()
    told: list[str] = []
    with (
        RedisServer(redis_folder) as server,
        closing(RedisLine(server.url, clock=clock, unavailable=told.append)) as line,
    ):
        rates = RedisRates(RedisFields(line, secret="s" * 16, name="rates", clock=clock), clock=clock)
        limiters = [RateLimiter("ecb", rate=0.001, burst=4, shared=rates, clock=clock) for _ in range(2)]
        assert all(limiter.acquire() for limiter in limiters)
        server.stop()

        alone = [bool(limiter.acquire()) for limiter in limiters]
        with pytest.raises(StateError, match=r"the Redis in cache\.url cannot be asked"):
            rates.look("ecb")
        server.start()
        clock.advance(20.0)
        together = sum(bool(limiter.acquire()) for _ in range(10) for limiter in limiters)

    assert alone == [True, True]
    assert len(told) == 1
    assert together <= 5


@pytest.mark.parametrize(
    ("rate", "burst", "seconds"),
    [
        pytest.param(300, 20, 0.7, id="blocks of slots"),
        pytest.param(50, 1, 30.0, id="single slots, long", marks=pytest.mark.prove),
        pytest.param(3000, 500, 30.0, id="blocks of slots, long", marks=pytest.mark.prove),
    ],
)
def test_four_processes_with_clocks_of_their_own_stay_below_the_rate_in_every_window(
    redis_server: RedisServer, tmp_path: Path, rate: float, burst: int, seconds: float
) -> None:
    """Each asks as often as it can, and waits now and then."""
    log, secret = tmp_path / "grants", secrets.token_hex(16)
    children = [start("keep-to-rate-afar", redis_server.url, secret, log, rate, burst, seconds) for _ in range(4)]
    let_go(*children)

    for child in children:
        finish(child)

    grants = [float(line) for line in log.read_text().split()]
    assert len(grants) > burst + 5
    # A call more at the edge of a window: the clocks are compared to within the way to Redis and back.
    assert largest_excess(grants, rate=rate, burst=burst + 1) <= 1e-3
