"""Verdicts and trials that processes on many machines share in a Redis."""

import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Barrier, Event

import pytest

from tests.redis_server import RedisServer
from utils.cache.redis_line import RedisLine
from utils.clock import ManualClock
from utils.redis_fields import RedisFields
from utils.redis_verdicts import LOOK_EVERY_S, RedisVerdicts
from utils.resilience.breaker import CircuitBreaker
from utils.resilience.errors import CircuitOpenError
from utils.resilience.shared_state import Verdict
from utils.resilience.trial import Lent, Trial

pytestmark = pytest.mark.usefixtures("patient_redis")


class Machine:
    """A machine of the installation: its own clock, and its line to the Redis."""

    def __init__(self, url: str, secret: str, shows: float) -> None:
        self.clock = ManualClock()
        self.clock.advance(shows)
        self.clock.set_back(shows)  # the wall clocks agree
        self.told: list[str] = []
        self.line = RedisLine(url, clock=self.clock, unavailable=self.told.append)
        self.fields = RedisFields(self.line, secret=secret, name="verdicts", clock=self.clock)
        self.verdicts = RedisVerdicts(self.fields, clock=self.clock)

    def breaker(self) -> CircuitBreaker:
        return CircuitBreaker(
            "ecb", failure_threshold=1, slow_call=1000.0, open_for=60.0, shared=self.verdicts, clock=self.clock
        )

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)


@pytest.fixture
def machine(redis_server: RedisServer) -> Iterator[Callable[[float], Machine]]:
    made: list[Machine] = []
    secret = secrets.token_hex(16)

    def make(shows: float) -> Machine:
        made.append(Machine(redis_server.url, secret, shows))
        return made[-1]

    yield make
    for one in made:
        one.line.close()


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(OSError, match="down"):
        breaker.call(_down)


def _down() -> None:
    raise OSError("down")


def test_a_circuit_that_one_machine_opens_is_open_on_all(machine: Callable[[float], Machine]) -> None:
    """Within a second, and for who comes later; and it closes again for all."""
    here, there = machine(0.0), machine(5e6)
    first, second = here.breaker(), there.breaker()
    assert second.call(lambda: 1) == 1

    fail(first)
    there.later(LOOK_EVERY_S + 0.01)

    with pytest.raises(CircuitOpenError, match="circuit open"):
        second.call(lambda: 1)
    assert machine(7.0).breaker().state == "open"
    assert {name: verdict.state for name, verdict in here.verdicts.all().items()} == {"ecb": "open"}
    first.close()
    there.later(LOOK_EVERY_S + 0.01)
    assert second.call(lambda: 2) == 2


def test_the_times_of_a_trial_mean_the_same_on_each_machine(machine: Callable[[float], Machine]) -> None:
    """What began now began now, however far their monotonic clocks are apart; nothing began in the future."""
    here, there = machine(100.0), machine(5e6)
    trial = Trial(100.0, (Lent("a", 99.0), Lent("b", 40.0)), (0, 1))
    here.verdicts.save("ecb", Verdict("half_open", 1.5, 61.5, 3, "down; trying again", trial=trial))

    found = there.verdicts.load("ecb")

    assert found is not None
    assert found.trial is not None
    assert (found.state, found.opened_at, found.open_until, found.times_opened) == ("half_open", 1.5, 61.5, 3)
    assert found.trial.codes == (0, 1)
    assert 5e6 - 60.0 < found.trial.began <= 5e6
    assert [lent.permit for lent in found.trial.lent] == ["a", "b"]
    apart = found.trial.lent[0].at - found.trial.lent[1].at
    assert apart == pytest.approx(59.0, abs=1.0)
    assert there.verdicts.load("other") is None


def test_what_was_decided_by_hand_holds_everywhere(machine: Callable[[float], Machine]) -> None:
    """For ever is for ever in Redis too."""
    machine(1.0).breaker().force_open("maintenance")

    other = machine(9.0).breaker()

    with pytest.raises(CircuitOpenError, match="held open"):
        other.call(lambda: 1)


def test_of_many_machines_exactly_as_many_try_as_may(machine: Callable[[float], Machine]) -> None:
    """Three permits for eight callers at once."""
    machines = [machine(1000.0 * number) for number in range(4)]
    fail(machines[0].breaker())
    for one in machines:
        one.later(61.0)
    breakers = [one.breaker() for one in machines]
    together, said, answer = Barrier(8), SimpleQueue[str](), Event()

    def request() -> None:
        said.put("tries")
        answer.wait(120)

    def call(number: int) -> None:
        together.wait(120)
        try:
            breakers[number % 4].call(request)
        except CircuitOpenError:
            said.put("refused")

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, number) for number in range(8)]
        came = sorted(said.get(timeout=120) for _ in calls)
        answer.set()  # not before all have asked: a circuit that closes lets everybody pass
        for one in calls:
            one.result(120)

    assert came == ["refused"] * 5 + ["tries"] * 3
    assert {one.verdicts.all()["ecb"].state for one in machines} == {"closed"}


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b'{"state": "ajar"}', b'{"trial": 7}', json.dumps({"state": "open", "trial": None}).encode()],
)
def test_a_damaged_verdict_counts_as_none(machine: Callable[[float], Machine], value: bytes) -> None:
    """And the next decision replaces it."""
    here = machine(1.0)
    assert here.fields.swap("ecb", None, value)

    assert here.verdicts.load("ecb") is None
    fail(here.breaker())

    assert here.verdicts.all()["ecb"].state == "open"


def test_while_redis_is_away_each_process_decides_by_itself(redis_folder: Path) -> None:
    """No call fails for it; back again, the next decision is shared."""
    with RedisServer(redis_folder) as server:
        here, there = Machine(server.url, "s" * 16, 1.0), Machine(server.url, "s" * 16, 1e6)
        with closing(here.line), closing(there.line):
            first, second = here.breaker(), there.breaker()
            assert first.call(lambda: 1) == second.call(lambda: 1) == 1
            server.stop()

            fail(first)
            with pytest.raises(CircuitOpenError):
                first.call(lambda: 1)
            there.later(1.0)
            assert second.call(lambda: 2) == 2
            assert second.figures().shared_errors > 0
            server.start()
            for one in (here, there):
                one.later(62.0)
            fail(first)
            there.later(LOOK_EVERY_S + 0.01)

            assert second.state == "open"
            assert [len(one.told) for one in (here, there)] == [1, 1]
