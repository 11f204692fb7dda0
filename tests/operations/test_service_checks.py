"""Checks of the configuration in a whole installation: `health`, the service beside the scheduler, and maintenance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from monitoring.alerting.views import Incidents
from operations.actor import Actor
from operations.alerting import Alerting
from operations.health import health
from operations.maintain import maintain
from operations.own_metrics import record
from operations.service_checks import RESPONSE, STANDS_BY_S, ServiceWatch
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock

FEED = {"name": "feed", "collect": {"kind": "simulated", "rows": 3}}
ME = Actor("test")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def shop() -> Iterator[FaultyServer]:
    with FaultyServer(fault.ok(b"")) as server:
        yield server


def configure(installation: Installation, *checks: dict[str, Any]) -> None:
    installation.configure(FEED, monitor={"health": list(checks)})


def told(system: IntegratedSystem) -> list[tuple[str, str]]:
    return [(event.type, event.subject) for event in system.events.read(source="health")]


def test_health_asks_the_checks_of_the_configuration(installation: Installation, shop: FaultyServer) -> None:
    """They stand behind the program's own; what a parent explains is said so; it exits 1, and writes nothing."""
    configure(
        installation,
        {"name": "shop", "http": shop.url},
        {"name": "gate", "http": shop.url, "timeout": "60s"},
        {"name": "till", "function": "no_such_module:open", "parent": "gate"},
    )
    with installation.system() as system:
        well = health(system)
        shop.answer = fault.status(503)
        found = health(system)

        assert [(name, one.healthy) for name, one in well.services.items()] == [
            ("shop", True),
            ("gate", True),
            ("till", False),
        ]
        assert "no_such_module" in well.services["till"].detail
        assert not found.healthy
        assert [(one.name, one.explained_by) for one in found.checks[-3:]] == [
            ("shop", None),
            ("gate", None),
            ("till", "gate"),
        ]
        assert [one.name for one in found.failed] == ["shop", "gate"]
        assert json.loads(json.dumps(found.to_json()))["checks"][-1]["explained_by"] == "gate"
        assert told(system) == []


def test_the_command_shows_them(installation: Installation, shop: FaultyServer, capsys: Any) -> None:
    """With their words, and what explains them."""
    shop.answer = fault.status(500)
    configure(installation, {"name": "shop", "http": shop.url}, {"name": "till", "http": shop.url, "parent": "shop"})

    code = installation.typed("health")

    shown = capsys.readouterr().out
    assert code == 1
    assert "status 500 (explained by shop)" in shown


def test_the_service_tells_changes_once_and_keeps_response_times(
    installation: Installation, shop: FaultyServer
) -> None:
    """By the interval of each; another process goes on where this one was; the response time is a series."""
    clock = ManualClock()
    configure(installation, {"name": "shop", "http": shop.url, "every": "20s"})
    with installation.system(clock) as system:
        watch = ServiceWatch(system, lambda: True)
        assert watch.step() == 20.0
        shop.answer = fault.status(503)
        clock.advance(20.0)
        assert watch.step() == 20.0
        assert told(system) == [("service.unavailable", "shop")]
    with installation.system(clock) as system:
        again = ServiceWatch(system, lambda: True)
        again.step()
        assert told(system) == [("service.unavailable", "shop")]
        shop.answer = fault.ok(b"")
        clock.advance(20.0)
        again.step()

        assert told(system) == [("service.unavailable", "shop"), ("service.recovered", "shop")]
        (down, up) = system.events.read(source="health")
        assert (down.data["kind"], down.data["reason"]) == ("http", "status 503")
        assert (up.data["since"], up.data["was"]) == (down.data["since"], "unavailable")
        (kept,) = [one for one in system.history.series() if one.name == RESPONSE]
        assert (kept.labels, kept.unit) == ({"check": "shop"}, "s")


def test_a_service_that_fails_is_an_incident_until_it_is_back(installation: Installation, shop: FaultyServer) -> None:
    """The shipped rules take these events; what a parent explains makes no incident of its own."""
    clock = ManualClock()
    configure(
        installation,
        {"name": "shop", "http": shop.url, "every": "10s"},
        {"name": "till", "http": shop.url, "every": "10s", "parent": "shop"},
    )
    with installation.system(clock) as system:
        watch, alerting = ServiceWatch(system, lambda: True), Alerting(system)
        for answer, active in ((fault.status(503), ["shop"]), (fault.ok(b""), [])):
            shop.answer = answer
            watch.step()
            alerting.step()
            assert [one.about for one in Incidents(system.database).active()] == active
            clock.advance(600.0)
            alerting.step()
        alerting.close()


def test_a_process_that_does_not_lead_asks_nobody(installation: Installation, shop: FaultyServer) -> None:
    """Two `schedule` side by side are one watch."""
    configure(installation, {"name": "shop", "http": shop.url})
    asked: list[int] = []
    shop.answer = lambda request: asked.append(request.number) or fault.ok(b"")

    with installation.system() as system:
        assert ServiceWatch(system, lambda: False).step() == STANDS_BY_S

    assert asked == []


def test_a_check_that_was_removed_while_it_was_ill_is_over(installation: Installation, shop: FaultyServer) -> None:
    """Nobody would ever end its incident otherwise; it is told once."""
    shop.answer = fault.status(503)
    configure(installation, {"name": "shop", "http": shop.url})
    with installation.system() as system:
        ServiceWatch(system, lambda: True).step()
    shop.answer = fault.ok(b"")
    configure(installation, {"name": "other", "http": shop.url})

    for _ in range(2):
        with installation.system() as system:
            ServiceWatch(system, lambda: True).step()
            assert told(system) == [("service.unavailable", "shop"), ("service.recovered", "shop")]


def test_maintenance_tells_them_too(installation: Installation, shop: FaultyServer) -> None:
    """An installation that lives from cron alone has no other watch; a failed check is a step that is not well."""
    shop.answer = fault.status(503)
    configure(installation, {"name": "shop", "http": shop.url})
    with installation.system() as system:
        done = maintain(system, ME)

        (step,) = [one for one in done.steps if one.name == "health"]
        assert (step.well, step.detail) == (False, "shop: status 503")
        assert told(system) == [("service.unavailable", "shop")]


def test_a_heartbeat_is_a_number_that_somebody_records(installation: Installation) -> None:
    """It may be late by the timeout."""
    clock = ManualClock()
    configure(installation, {"name": "backup", "heartbeat": "backup_done", "every": "1h", "timeout": "10m"})
    with installation.system(clock) as system:
        assert health(system).services["backup"].detail == "heartbeat `backup_done` never came"
        record(system, ME, "other", 1.0)
        record(system, ME, "backup_done", 1.0)
        clock.advance(70 * 60.0)
        assert health(system).services["backup"]
        clock.advance(1.0)
        found = health(system).services["backup"]

    assert (found.healthy, "4201 s ago" in found.detail) == (False, True)


def test_a_function_of_yours_is_found_in_your_code(installation: Installation) -> None:
    """And what it raises is told without a secret of the configuration."""
    (installation.folder / "my_health.py").write_text("def shop():\n    raise OSError('refused hunter2-and-more')\n")
    configure(
        installation,
        {"name": "shop", "function": "my_health:shop"},
        {"name": "other", "http": "http://me:hunter2-and-more@127.0.0.1:1/"},
    )
    whole = json.loads(installation.config.read_text())
    installation.config.write_text(json.dumps({**whole, "code": ["."]}))

    with installation.system() as system:
        found = health(system).services

    assert found["shop"].detail == "OSError: refused ***"
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"http": "ftp://shop"}, "begins with `http://`"),
        ({"http": "http://"}, "begins with `http://`"),
        ({"tcp": "shop"}, "expected `host:port`"),
        ({"function": "shop.open"}, "expected `module:function`"),
        ({"database": "mysql://me:hunter2@db/x"}, "PostgreSQL or SQLite"),
        ({"heartbeat": "a b"}, "no name of a heartbeat"),
        ({"http": "http://a/", "tcp": "a:1"}, "names http and tcp"),
        ({}, "names nothing to look at"),
    ],
    ids=["scheme", "no host", "no port", "no colon", "database", "heartbeat", "two kinds", "no kind"],
)
def test_a_wrong_check_is_a_clear_fault(
    installation: Installation, capsys: Any, check: dict[str, str], words: str
) -> None:
    """With its place, and never with a password."""
    configure(installation, {"name": "shop", **check})

    assert installation.typed("config", "check") == 2

    shown = capsys.readouterr()
    assert words in shown.out + shown.err
    assert "monitor.health" in shown.out + shown.err
    assert "hunter2" not in shown.out + shown.err
