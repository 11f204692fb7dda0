"""An outage of our own network opens no circuit: told by a canary on loopback that the test stops and starts.

The provider looks public: its name cannot be resolved here, and a proxy on loopback, which is the test's server, stands
for the way to it. So nothing leaves this machine.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from data_pipeline.dataset import DatasetRun
from operations.status import status
from tests.faulty_server import FaultyServer, reset
from tests.faulty_server import status as answering
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, GOOD_ROWS, people
from tests.utils.listening import Listener
from utils.clock import ManualClock

HOST = "data.example.org"


@pytest.fixture
def canary() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(autouse=True)
def _nobody_knows_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is without a network."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        if host == HOST:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def configure(installation: Installation, server: FaultyServer, canary: Listener, url: str = "") -> None:
    """One dataset, whose circuit opens at the first failure."""
    installation.configure(
        people(url or f"http://{HOST}/data.csv"),
        providers={} if url else {HOST: {"proxy": f"http://{server.host}"}},
        defaults={
            "dataset": {**PATIENT, "retry": {"attempts": 1}},
            "resilience": {"breaker": {"failure_threshold": 1}, "rate_limit": None},
        },
        network={"canaries": [canary.name]},
    )


def runs(installation: Installation, clock: ManualClock, count: int) -> list[DatasetRun]:
    """So many runs, a minute apart."""
    found = []
    for _ in range(count):
        clock.advance(60.0)
        found.append(installation.run_one(fresh=True, clock=clock))
    return found


def test_an_outage_of_ours_opens_no_circuit(installation: Installation, server: FaultyServer, canary: Listener) -> None:
    """Last good is served, the reason says whose fault it is, the log says when it began and ended."""
    clock = ManualClock()
    configure(installation, server, canary)
    assert installation.run_one(clock=clock).status == "succeeded"
    canary.stop()
    server.answer = reset()

    away = runs(installation, clock, 4)
    with installation.system(clock) as system:
        told = status(system)
        verdicts = system.verdicts.all()
    health = installation.cli("health", "--json")
    shown = installation.cli("status")
    canary.start()
    server.answer = GOOD
    (back,) = runs(installation, clock, 1)

    assert {(run.status, run.origin, run.rows) for run in away} == {("degraded", "last_good", GOOD_ROWS)}
    assert all("our own network is away" in (run.reason or "") for run in away)
    assert (away[0].error or {})["type"] == "NetworkAway"
    assert verdicts == {}
    assert (told.breakers, told.network_away_since) == ({}, "2026-01-01T00:01:00.000000Z")
    assert health.code == 0
    (check,) = [check for check in health.json["checks"] if check["name"] == "network"]
    assert check["detail"] == f"degraded: our own network is away, none of {canary.name} can be reached"
    assert "our own network is away since 1 Jan 2026 00:01 UTC" in shown.out
    assert (back.status, back.origin) == ("succeeded", "provider")
    assert installation.events("network.away") == installation.events("network.back") == [{"canaries": [canary.name]}]


def test_while_the_network_is_there_it_is_the_provider(
    installation: Installation, server: FaultyServer, canary: Listener
) -> None:
    """The same failures with a canary that answers open the circuit."""
    clock = ManualClock()
    configure(installation, server, canary)
    server.answer = reset()

    runs(installation, clock, 1)

    assert canary.seen(1)
    assert len(installation.events("breaker.opened")) == 1
    assert installation.events("network.away") == []


def test_an_answer_counts_whatever_the_canaries_say(
    installation: Installation, server: FaultyServer, canary: Listener
) -> None:
    """A 503 came over some network."""
    clock = ManualClock()
    configure(installation, server, canary)
    canary.stop()
    server.answer = answering(503)

    runs(installation, clock, 1)

    assert len(installation.events("breaker.opened")) == 1


def test_a_provider_on_this_machine_is_never_excused(
    installation: Installation, server: FaultyServer, canary: Listener
) -> None:
    """No canary on the internet tells anything about it."""
    clock = ManualClock()
    configure(installation, server, canary, url=server.url)
    canary.stop()
    server.answer = reset()

    found = runs(installation, clock, 1)

    assert all("our own network" not in (run.reason or "") for run in found)
    assert len(installation.events("breaker.opened")) == 1
    assert installation.events("network.away") == []
