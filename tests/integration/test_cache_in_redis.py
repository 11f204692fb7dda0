"""`cache.url` names a Redis: nothing else changes, and one that is away costs the copies within their TTL, no run."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.health import health
from operations.maintain import maintain
from operations.run import run
from operations.run_plan import plan
from operations.show import delivered
from operations.status import status
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import ROOT, Installation, execute
from tests.redis_server import RedisServer
from utils.cache import redis_line
from utils.clock import ManualClock

PASSWORD = "hunter2-and-more"
ROWS = [{"id": 1, "value": 2.5}, {"id": 2, "value": 3.5}]
MANY = [{"id": number, "name": f"row {number}"} for number in range(5000)]
"""Enough for a version that is worth a place in the cache besides the result."""


@pytest.fixture
def server(redis_folder: Path, patient_redis: None) -> Iterator[RedisServer]:
    """A Redis of this test alone, over TCP, with a password."""
    with RedisServer(redis_folder, tcp=True, password=PASSWORD) as started:
        yield started


@pytest.fixture
def provider() -> Iterator[FaultyServer]:
    with FaultyServer(fault.as_json(ROWS)) as answering:
        yield answering


def dataset(provider: FaultyServer, name: str = "rates") -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "http", "url": provider.url}}


def origin(system: IntegratedSystem) -> tuple[str, str]:
    """Status and origin of the one dataset, run in this system."""
    (found,) = run(system, Actor("test"), ()).datasets
    return found.status, found.origin


def told(installation: Installation) -> list[str]:
    """Why the cache was unavailable, each time that it was told."""
    return [event["reason"] for event in installation.events("cache.unavailable")]


def test_processes_of_an_installation_share_what_one_of_them_delivered(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """The second process asks no provider; dry run and show know the copy; nothing lies in the state's folder."""
    provider.answer = fault.as_json(MANY)
    installation.configure(dataset(provider), cache={"url": server.url})

    first = installation.cli("run", "--json")
    second = installation.cli("run", "--json")
    with installation.system() as system:
        (planned,) = plan(system)

    assert [ran.code for ran in (first, second)] == [0, 0]
    assert [ran.json["datasets"][0]["origin"] for ran in (first, second)] == ["provider", "cache"]
    assert "within its TTL" in planned.action
    assert installation.rows("rates") == MANY
    assert len(provider.requests) == 1
    assert not (installation.state / "cache").exists()
    with server.client() as client:
        assert client.keys("orchestrator:*:v:result:rates")


def test_installations_on_one_redis_do_not_mix(tmp_path: Path, server: RedisServer, provider: FaultyServer) -> None:
    """Same names, same application, same Redis: each asks for itself and has its own values."""
    installations = [Installation(tmp_path / name) for name in ("here", "there")]
    for installation in installations:
        installation.folder.mkdir()
        installation.configure(dataset(provider), cache={"url": server.url})
        assert installation.run_one().origin == "provider"

    assert [installation.run_one().origin for installation in installations] == ["cache", "cache"]
    assert len(provider.requests) == 2
    with server.client() as client:
        assert len(client.keys("orchestrator:*:v:result:rates")) == 2


def test_a_redis_that_is_away_from_the_beginning_fails_nothing(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """Every operation works, each run asks the provider, and the log says why."""
    installation.configure(dataset(provider), cache={"url": server.url})
    server.stop()

    ran = installation.cli("run", "--json")
    with installation.system() as system:
        assert plan(system)[0].action == "ask the provider"
        assert origin(system) == ("succeeded", "provider")
        assert delivered(system, "rates").table.to_pylist() == ROWS
        assert status(system).sentence == "The one dataset delivered as it should."
        found = health(system)
        (about,) = [check for check in found.checks if check.name == "cache"]
        assert (found.healthy, about.healthy) == (True, True)
        assert about.detail.startswith("degraded: it cannot be used now (")
        assert "refused" in about.detail
        assert maintain(system, Actor("test")).well

    assert ran.code == 0
    assert "Traceback" not in ran.err
    assert ran.json["datasets"][0]["origin"] == "provider"
    assert len(provider.requests) == 2
    assert len(told(installation)) == 2  # once by each
    assert all("refused" in reason for reason in told(installation))


def test_redis_stopped_and_started_between_runs_of_one_process(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """Before the first run, in between, and again: the runs go on, the copies come back, each outage is told once."""
    clock = ManualClock()
    installation.configure(dataset(provider), cache={"url": server.url})
    server.stop()
    with installation.system(clock) as system:
        assert origin(system) == ("succeeded", "provider")
        assert origin(system) == ("succeeded", "provider")
        server.start()
        clock.advance(1)
        assert [check.detail for check in health(system).checks if check.name == "cache"] == ["usable"]
        assert origin(system) == ("succeeded", "provider")
        assert origin(system) == ("succeeded", "cache")
        server.stop()
        assert origin(system) == ("succeeded", "provider")
        server.start()
        clock.advance(1)
        assert origin(system) == ("succeeded", "provider")
        assert origin(system) == ("succeeded", "cache")

    assert len(told(installation)) == 2
    assert installation.rows("rates") == ROWS


def test_redis_goes_away_in_the_middle_of_a_run(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """While the provider answers: what it sent is delivered and stored as ever."""

    def answer(_: fault.Request) -> fault.Answer:
        server.stop()
        return fault.as_json(ROWS)

    provider.answer = answer
    installation.configure(dataset(provider), cache={"url": server.url})

    result = installation.run_one()

    assert (result.status, result.origin) == ("succeeded", "provider")
    assert len(told(installation)) == 1
    assert installation.rows("rates") == ROWS


def test_a_hung_redis_holds_up_a_run_for_a_moment_only(
    installation: Installation, server: RedisServer, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty datasets cost one time-out, not twenty."""
    monkeypatch.setattr(redis_line, "ANSWER_WITHIN_S", 0.5)
    installation.configure(*(dataset(provider, f"d{number}") for number in range(20)), cache={"url": server.url})
    with server.hung(), installation.system(ManualClock()) as system:
        results = run(system, Actor("test"), ()).datasets

    assert {(result.status, result.origin) for result in results} == {("succeeded", "provider")}
    assert told(installation) == ["no answer within 0.5 s"]


def test_an_emptied_redis_is_filled_again(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """Somebody flushed it: the provider is asked, nothing is lost."""
    installation.configure(dataset(provider), cache={"url": server.url})
    installation.run_one()
    with server.client() as client:
        client.flushall()

    assert installation.run_one().origin == "provider"
    assert installation.run_one().origin == "cache"
    assert installation.rows("rates") == ROWS


def test_the_password_is_written_nowhere(
    installation: Installation, server: RedisServer, provider: FaultyServer
) -> None:
    """Not into logs, events and results, nor what any command prints, working or not."""
    installation.configure(dataset(provider), cache={"url": server.url})
    assert installation.run_one().origin == "provider"
    server.stop()
    printed = [installation.cli("run", "--fresh", "--json"), installation.cli("config", "show")]
    events = json.dumps(installation.events("cache.unavailable"))
    installation.configure(dataset(provider), cache={"url": server.url.replace("redis://", "radish://")})
    wrong = installation.cli("config", "check")

    assert wrong.code == 2
    assert "cache.url: expected the address of a Redis, got the scheme `radish`" in wrong.out + wrong.err
    assert "Traceback" not in wrong.err
    assert "redis://127.0.0.1" in events
    assert "redis://***@127.0.0.1" in printed[1].out
    text = events + "".join(ran.out + ran.err for ran in [*printed, wrong])
    text += "".join(path.read_bytes().decode("latin-1") for path in installation.state.rglob("*") if path.is_file())
    assert PASSWORD not in text


def test_a_cache_on_disk_imports_no_redis(installation: Installation, provider: FaultyServer) -> None:
    """Who uses none does not wait for its library."""
    installation.configure(dataset(provider))
    installation.run_one()
    code = (
        "import sys; from pathlib import Path; from integrated_system import IntegratedSystem\n"
        "with IntegratedSystem(Path(sys.argv[1]), state_dir=Path(sys.argv[2])) as system:\n"
        "    assert system.cache.get('result:rates') is not None\n"
        "assert 'redis' not in sys.modules"
    )

    ran = execute([sys.executable, "-c", code, str(installation.config), str(installation.state)], cwd=ROOT)

    assert (ran.code, ran.err) == (0, "")
