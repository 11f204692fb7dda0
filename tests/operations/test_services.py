"""Services: what runs, what is checked, who serves the data; how each stands, what it does, what the log says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.in_process import ApiHere
from integrated_system import IntegratedSystem
from monitoring.service_event import ServiceEvent
from monitoring.service_views import Services
from operations.actor import Actor
from operations.metrics import as_prometheus
from operations.presence import EVERY_S, Presence
from operations.run import run
from operations.service_checks import ServiceWatch
from operations.services import Service, services
from operations.serving import Totals, Work
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import NewEvent
from utils.leases import this_process

FEED = {"name": "feed", "provider": "shop", "collect": {"kind": "simulated", "rows": 3}}


class Part:
    """A part of a program that does nothing by itself."""

    hears = False

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self) -> float:
        return 3600.0

    def close(self) -> None:
        """Nothing is held."""


class Answering(Part):
    """One that knows how many requests it answered."""

    done = Totals()

    def totals(self) -> Totals:
        return self.done


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(FEED)
    return made


@pytest.fixture
def system(installation: Installation, clock: ManualClock) -> Iterator[IntegratedSystem]:
    with installation.system(clock) as made:
        yield made


def by_name(system: IntegratedSystem) -> dict[str, Service]:
    return {one.service: one for one in services(system)}


def rows(system: IntegratedSystem) -> list[tuple[Any, ...]]:
    return [
        row
        for table in ("services", "service_instances")
        for row in system.database.query(f"SELECT * FROM {table} ORDER BY 1, 2")
    ]


def test_a_program_is_there_until_it_says_that_it_ended(system: IntegratedSystem) -> None:
    """With its parts; and as often as it was started."""
    for starts in (1, 2):
        presence = Presence(system, "serve", [Part("api")], dict)
        assert presence.step() == EVERY_S
        found = by_name(system)["program/serve"]
        assert (found.kind, found.state, found.instances, found.starts) == ("program", "running", 1, starts)
        presence.close()
        found = by_name(system)["program/serve"]
        assert (found.state, found.instances, found.died) == ("stopped", 0, 0)

    (event, *_) = system.events.read(type="service.started")
    assert event.data["parts"] == ["api"]


def test_one_that_never_began_says_nothing(system: IntegratedSystem) -> None:
    """A program that is stopped before its first step."""
    Presence(system, "serve", [], dict).close()

    assert system.events.read(type="service.*") == []


def test_a_program_whose_process_is_gone_has_died(system: IntegratedSystem) -> None:
    """Before anybody starts it again; the next one takes note of it, and it is counted."""
    host, boot, namespace, pid, _ = str(this_process()).split("|")
    gone = "|".join((host, boot, namespace, pid, "1"))  # the same number, of a process that began at another time
    system.events.append([NewEvent("service.started", "program/schedule", {"owner": gone, "reason": "it was started"})])

    found = by_name(system)["program/schedule"]
    assert (found.state, found.instances, found.died) == ("died", 0, 0)
    assert "did not say" in found.reason

    Presence(system, "schedule", [], dict).step()
    found = by_name(system)["program/schedule"]
    assert (found.state, found.instances, found.starts, found.died) == ("running", 1, 2, 1)


def test_of_two_processes_of_a_program_one_may_end(system: IntegratedSystem) -> None:
    """Two `schedule` side by side, one on another machine, of which nobody here knows whether it lives."""
    system.events.append([NewEvent("service.started", "program/schedule", {"owner": "elsewhere|b|n|7|1"})])
    here = Presence(system, "schedule", [], dict)
    here.step()
    assert by_name(system)["program/schedule"].instances == 2

    here.close()

    found = by_name(system)["program/schedule"]
    assert (found.state, found.instances) == ("running", 1)


def test_the_figures_of_a_minute_are_kept(system: IntegratedSystem, clock: ManualClock) -> None:
    """Of the program CPU and memory, of a part its steps, of one that answers requests those."""
    api, busy = Answering("api"), Part("scheduler")
    work = {"api": Work(Totals(7, 0, 1.0), 0.5), "scheduler": Work(Totals(1, 0, 0.0), 0.0)}
    presence = Presence(system, "serve", [api, busy], lambda: work)
    presence.step()
    clock.advance(60.0)
    api.done = Totals(120, 3, 6.0)
    work["api"], work["scheduler"] = Work(Totals(8, 0, 1.0), 3.5), Work(Totals(31, 6, 1.5), 0.6)
    presence.step()

    found = by_name(system)
    whole, part, steps = found["program/serve"], found["serve/api"], found["serve/scheduler"]
    assert whole.cpu_percent is not None
    assert whole.cpu_percent >= 0.0
    assert whole.memory_bytes is not None
    assert whole.memory_bytes > 1e6
    assert (part.kind, part.state) == ("part", "running")
    assert (part.cpu_percent, part.response_s, part.requests_per_s, part.error_rate) == (5.0, 0.05, 2.0, 0.025)
    assert (steps.cpu_percent, steps.response_s, steps.requests_per_s, steps.error_rate) == (1.0, 0.05, 0.5, 0.2)
    text = as_prometheus(system)
    assert 'orchestrator_service_requests_per_second{service="serve/api"} 2\n' in text
    assert 'orchestrator_service_error_ratio{service="serve/scheduler"} 0.2\n' in text
    assert 'orchestrator_service_up{service="program/serve"} 1\n' in text


def test_figures_of_long_ago_are_nobodys(system: IntegratedSystem, clock: ManualClock) -> None:
    """A part whose program ended is stopped."""
    work = {"api": Work()}
    presence = Presence(system, "serve", [Part("api")], lambda: work)
    presence.step()
    clock.advance(60.0)
    work["api"] = Work(Totals(5, 0, 1.0), 0.1)
    presence.step()
    presence.close()
    clock.advance(600.0)

    found = by_name(system)["serve/api"]
    assert (found.state, found.cpu_percent, found.requests_per_s) == ("stopped", None, None)


def test_a_part_that_stands_still_is_unavailable(system: IntegratedSystem) -> None:
    """As its watchdog tells; and back when it works again, with how long it was away."""
    now = system.clock.now()
    for event in (
        ServiceEvent("unavailable", "serve/queue", "no heartbeat", now, "stalled", silent_s=600.0),
        ServiceEvent("unavailable", "serve/queue", "no heartbeat", now, "stalled", silent_s=700.0),
    ):
        system.events.append([event.to_event()])
    found = by_name(system)["serve/queue"]
    assert (found.kind, found.state, found.reason, found.outages) == ("part", "unavailable", "no heartbeat", 1)

    system.events.append([ServiceEvent("recovered", "serve/queue", "it works", now, silent_s=720.0).to_event()])
    assert by_name(system)["serve/queue"].away_s == 720.0


def test_a_check_has_its_share_of_failures_and_the_time_of_its_answers(
    installation: Installation, clock: ManualClock
) -> None:
    """Of four looks one fails; while it does, it is unavailable."""
    with FaultyServer(fault.ok(b"")) as shop:
        installation.configure(monitor={"health": [{"name": "shop", "http": shop.url, "every": "20s"}]})
        with installation.system(clock) as system:
            assert by_name(system)["shop"].state == "unknown"
            watch = ServiceWatch(system, lambda: True)
            states = []
            for answer in (fault.ok(b""), fault.status(503), fault.ok(b""), fault.ok(b"")):
                shop.answer = answer
                watch.step()
                states.append(by_name(system)["shop"].state)
                clock.advance(20.0)
            found = by_name(system)["shop"]

    assert states == ["running", "unavailable", "running", "running"]
    assert (found.kind, found.state, found.outages, found.away_s) == ("check", "running", 1, 20.0)
    assert (found.error_rate, found.requests_per_s) == (0.25, 0.05)
    assert found.response_s is not None


def test_a_provider_has_the_figures_of_its_runs(installation: Installation) -> None:
    """Its circuit tells how it stands."""
    with installation.system() as system:
        run(system, Actor("test"))
        found = by_name(system)["shop"]
        assert (found.kind, found.state, found.error_rate) == ("provider", "running", 0.0)
        assert found.response_s is not None
        assert found.requests_per_s is not None
        assert found.requests_per_s > 0.0


def test_the_view_is_what_the_log_says(system: IntegratedSystem) -> None:
    """Live and rebuilt the rows are the same; also of what supervised programs told, and of events with little data."""
    now = system.clock.now()
    for event in (
        ServiceEvent("started", "importer", "ready after 3 s", now, silent_s=3.0),
        ServiceEvent("unavailable", "importer", "it ended with 1", now, "died", attempt=1),
        ServiceEvent("recovered", "importer", "ready again", now, silent_s=9.0),
        ServiceEvent("stopped", "importer", "as somebody wished", now),
    ):
        system.events.append([event.to_event()])
    system.events.append(
        [
            NewEvent("service.slow", "shop", {"reason": "6 s", "since": "2026-01-01T00:00:00.000000Z"}),
            NewEvent("service.recovered", "shop", {"was": "slow", "since": "2026-01-01T00:00:00.000000Z"}),
            NewEvent("service.unavailable", "bare", {}),
        ]
    )
    Presence(system, "api", [], dict).step()
    live = rows(system)

    found = {row.service: row for row in Services(system.database).all()}
    assert (found["importer"].state, found["importer"].outages, found["importer"].away_s) == ("stopped", 1, 9.0)
    assert (found["shop"].state, found["shop"].away_s) == ("running", 0.0)
    assert found["bare"].state == "unavailable"
    system.events.rebuild()
    assert rows(system) == live


def test_the_command_shows_them(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each; why one is away; the same as JSON."""
    with installation.system() as system:
        system.events.append([NewEvent("service.unavailable", "till", {"reason": "status 503"})])
        asked = [one.to_json() for one in services(system)]

    assert installation.typed("services") == 0
    shown = capsys.readouterr().out
    assert "till: status 503" in shown
    assert any(line.startswith("shop") and "provider" in line for line in shown.splitlines())
    assert installation.typed("services", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"services": asked}


def test_the_api_and_its_client_say_the_same(installation: Installation) -> None:
    """Under `/services`, for whoever may look."""
    with installation.system() as system:
        system.events.append([NewEvent("service.unavailable", "till", {"reason": "status 503"})])
        asked = [one.to_json() for one in services(system)]
        api = ApiHere(system)
        try:
            told = api.client(Actor("eve", "viewer")).queries.services()
        finally:
            api.close()
    assert told == asked
