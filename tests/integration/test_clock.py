"""The wall clock is set by an hour, forth and back, amid the work and between runs: nothing hangs, nothing lies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.breakers import listed
from operations.maintain import maintain
from operations.run import run
from operations.status import status
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock

ROWS = [{"id": 1, "value": 2.5}, {"id": 2, "value": 3.5}]
FORTH, BACK = 3600.0, -3600.0

both_ways = pytest.mark.parametrize("jump", [FORTH, BACK], ids=["forth", "back"])
restarted = pytest.mark.parametrize("restarted", [False, True], ids=["in one process", "over a restart"])


class Line:
    """An installation with one clock, in one process or in a new one each time."""

    def __init__(self, installation: Installation, *, restarted: bool) -> None:
        self.installation = installation
        self.restarted = restarted
        self.clock = ManualClock(datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
        self._one: IntegratedSystem | None = None

    @contextmanager
    def system(self) -> Iterator[IntegratedSystem]:
        if self._one is not None:
            yield self._one
        elif self.restarted:
            with self.installation.system(self.clock) as system:
                yield system
        else:
            with self.installation.system(self.clock) as self._one:
                yield self._one

    def run(self, *, fresh: bool = False) -> Any:
        with self.system() as system:
            (found,) = run(system, Actor("test"), fresh=fresh).datasets
            return found

    def set(self, seconds: float) -> None:
        """Somebody sets the clock; what the kernel counts goes on as before."""
        self.clock.set_back(-seconds)


@pytest.fixture
def line(installation: Installation, restarted: bool) -> Iterator[Line]:
    made = Line(installation, restarted=restarted)
    if restarted:
        yield made
    else:
        with installation.system(made.clock) as made._one:
            yield made


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(fault.as_json(ROWS)) as made:
        yield made


@pytest.fixture
def configured(installation: Installation, server: FaultyServer) -> Callable[..., None]:
    """Writes the configuration of one dataset; further keys of it, and of its provider's resilience."""

    def configure(provider: dict[str, Any] | None = None, **dataset: Any) -> None:
        installation.configure(
            {"name": "orders", "provider": "partner", "collect": {"kind": "http", "url": server.url}, **dataset},
            providers={"partner": {"resilience": provider or {}}},
            cache={"ttl": "10m"},
        )

    return configure


@both_ways
@restarted
def test_no_run_is_refused_and_maintenance_goes_on(line: Line, configured: Callable[..., None], jump: float) -> None:
    """The next runs are granted their leases and deliver; events stay in their order."""
    configured()
    before = line.run(fresh=True)

    line.set(jump)
    after = [line.run(fresh=True) for _ in range(2)]

    assert [done.status for done in (before, *after)] == ["succeeded"] * 3
    with line.system() as system:
        maintain(system, Actor("test"))
        assert system.events.verify().fault is None
        assert [each.status for each in status(system).datasets] == ["succeeded"]


@both_ways
@restarted
def test_what_the_cache_holds_is_not_served_longer_than_its_time(
    line: Line, configured: Callable[..., None], server: FaultyServer, jump: float
) -> None:
    """Forth: it has expired. Back: how old it is cannot be told, so the provider is asked; within an hour as well."""
    configured()
    line.run()
    line.clock.advance(60.0)
    assert line.run().origin == "cache"

    line.set(jump)
    line.clock.advance(1800.0)

    assert line.run().origin == "provider"
    assert server.count == 2


@both_ways
@restarted
def test_the_last_good_copy_is_never_said_to_be_fresher_than_it_is(
    line: Line, configured: Callable[..., None], server: FaultyServer, jump: float
) -> None:
    """Forty minutes later the provider is down: the age is at least that, or nobody knows it; never "just now"."""
    configured()
    line.run()
    line.set(jump)
    line.clock.advance(2400.0)
    server.answer = fault.status(503)

    served = line.run(fresh=True)

    assert (served.status, served.origin) == ("degraded", "last_good")
    assert served.age_s is None or served.age_s >= 2400.0
    with line.system() as system:
        (told,) = status(system).datasets
    assert told.age_s is None or told.age_s >= 2400.0


@both_ways
@restarted
def test_a_promise_is_not_kept_by_a_clock_that_was_set_back(
    line: Line, configured: Callable[..., None], server: FaultyServer, jump: float
) -> None:
    """The data is promised to be half an hour old at most; after forty minutes it is not, whatever the clock says."""
    configured(promise={"max_age": "30m"})
    assert line.run().status == "succeeded"
    line.set(jump)
    line.clock.advance(2400.0)
    server.answer = fault.status(503)

    served = line.run(fresh=True)

    assert served.status == "failed"
    assert "promise broken" in (served.reason or "")
    server.answer = fault.as_json(ROWS)
    line.clock.advance(120.0)
    assert line.run(fresh=True).status == "succeeded"


@both_ways
@restarted
def test_an_open_circuit_is_tried_again_after_its_time(
    line: Line, configured: Callable[..., None], server: FaultyServer, jump: float
) -> None:
    """A minute is a minute: not an hour longer because the clock was set back."""
    configured({"breaker": {"failure_threshold": 1, "open_for": "60s"}}, resilience={"retry": {"attempts": 1}})
    line.run()
    server.answer = fault.status(503)
    line.run(fresh=True)
    with line.system() as system:
        assert [breaker.state for breaker in listed(system)] == ["open"]

    line.set(jump)
    line.clock.advance(61.0)
    server.answer = fault.as_json(ROWS)
    asked = server.count

    assert line.run(fresh=True).status == "succeeded"
    assert server.count > asked


@both_ways
@restarted
def test_a_quota_and_a_rate_neither_hang_nor_open_the_flood_gates(
    line: Line, configured: Callable[..., None], server: FaultyServer, jump: float
) -> None:
    """Of six requests a day three are made before and three after; the rate waits seconds, not an hour."""
    configured({"rate_limit": {"rate": 1, "burst": 1, "quota": 6}})
    for _ in range(3):
        line.run(fresh=True)
    line.set(jump)

    statuses = [line.run(fresh=True).status for _ in range(4)]

    assert statuses == ["succeeded"] * 3 + ["degraded"]
    assert server.count == 6
    assert max(line.clock.slept) < 1.1, line.clock.slept
