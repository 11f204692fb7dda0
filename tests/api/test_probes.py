"""The three questions about the program itself."""

import httpx
import pytest

from integrated_system import IntegratedSystem
from operations import readiness
from tests.api.serving import asked
from tests.integration.installation import Installation
from utils.database import StateError


def _refuse(*_: object) -> None:
    raise StateError("the disk of the log is full", hint="make room")


def test_life_depends_on_nothing(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a database that takes nothing, `/livez` still answers: to start the program anew would mend nothing."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        monkeypatch.setattr(system.database, "transaction", _refuse)
        monkeypatch.setattr(system.database, "query", _refuse)
        return [await client.get("/livez"), await client.get("/readyz")]

    alive, ready = asked(system, talk)

    assert (alive.status_code, alive.json()) == (200, {"alive": True})
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert {"name": "log", "ok": False, "detail": "the disk of the log is full"} in ready.json()["checks"]


def test_readiness_tells_what_was_looked_at_when_it_is_asked(system: IntegratedSystem) -> None:
    """Short for a machine; each check with `?verbose`."""

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get("/readyz"), await client.get("/readyz?verbose")]

    short, whole = asked(system, talk)

    assert (short.status_code, short.json()) == (200, {"ready": True})
    assert [check["name"] for check in whole.json()["checks"]] == ["migrations", "log", "disk"]


def test_a_disk_without_room_is_not_ready(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is sent here now could not be kept."""
    monkeypatch.setattr(readiness, "LEAST_ROOM", 2**60)

    found = readiness.ready(system)

    assert [check.ok for check in found.checks] == [True, True, False]
    assert not found.ready


def test_health_is_what_the_command_says(installation: Installation) -> None:
    """The same body; 503 once a dataset has failed."""
    from operations.health import health

    installation.configure({"name": "gone", "collect": {"kind": "file", "path": "nowhere.csv"}})

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/health")

    with installation.system() as system:
        well = asked(system, talk)
    installation.run()
    with installation.system() as system:
        bad = asked(system, talk)
        told = health(system).to_json()

    assert (well.status_code, bad.status_code) == (200, 503)
    names = [check["name"] for check in told["checks"] if not check["healthy"]]
    assert [check["name"] for check in bad.json()["checks"] if not check["healthy"]] == names == ["datasets"]
