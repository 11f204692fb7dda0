"""What messages ask of an installation: how datasets and providers stand, as `status` and `why` would say it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.store.views import Views
from operations.actor import Actor
from operations.breakers import force_open
from operations.run import run
from operations.situation import InstallationSituation
from operations.status import status_of
from operations.why import why
from tests.faulty_server import FaultyServer, ok, status
from tests.integration.installation import Installation
from utils.clock import ManualClock

NIGHT = datetime(2026, 11, 20, 1, tzinfo=UTC)
GOOD = ok(b"id,rate\n1,1.08\n")


class Bank:
    """Two datasets of the ECB, one made of the first, and one of somebody else."""

    def __init__(self, installation: Installation, server: FaultyServer) -> None:
        self.installation = installation
        self.server = server
        self.clock = ManualClock(NIGHT)
        self.place = server.url.rsplit("/", 1)[0]
        self.configure()

    def configure(self, **sections: object) -> None:
        ecb = {"provider": "ECB", "schedule": {"every": "1h"}}
        self.installation.configure(
            {
                "name": "fx",
                "collect": {"kind": "http", "url": "/fx"},
                "promise": {"max_age": "8h"},
                "owner": "anna",
                **ecb,
            },
            {"name": "hicp", "collect": {"kind": "http", "url": "/hicp"}, "runbook": "https://wiki.test/hicp", **ecb},
            {"name": "report", "depends_on": ["fx"], "transform": "tests.integration.test_situation:same"},
            {"name": "other", "collect": {"kind": "simulated", "rows": 1}},
            providers={"ECB": {"base_url": self.place, "owner": "the bank", "runbook": "https://wiki.test/ecb"}},
            app={"name": "bank", "zone": "Europe/Berlin"},
            **sections,
        )

    def run(self, *names: str) -> None:
        with self.installation.system(self.clock) as system:
            run(system, Actor("test"), names, fresh=True, workers=1)


def same(fx: object) -> object:
    """A transform."""
    return fx


@pytest.fixture
def bank(installation: Installation) -> Iterator[Bank]:
    with FaultyServer(GOOD) as server:
        yield Bank(installation, server)


def test_datasets_of_a_provider_that_is_away(bank: Bank) -> None:
    """What is served, how old it is, when the promise breaks, when it is tried again, whose it is."""
    bank.run()
    bank.server.answer = status(503)
    bank.clock.advance(3600.0)
    bank.run("fx", "hicp")
    with bank.installation.system(bank.clock) as system:
        fx, hicp = InstallationSituation(system).datasets(["fx", "gone", "hicp"])
        told, answer = status_of(system, "fx"), why(system, "fx")

    assert (fx.dataset, fx.provider, fx.status, fx.origin) == ("fx", "ECB", "degraded", "last_good")
    assert (fx.age_s, fx.reason) == (told.age_s, told.reason)
    assert fx.collected_at is not None
    assert fx.breaks_at == fx.collected_at + timedelta(hours=8)
    assert (fx.promised, fx.broken, hicp.promised, hicp.breaks_at) == (True, False, False, None)
    assert fx.next_try is not None
    assert fx.next_try.isoformat()[:19] == answer.next_try["at"][:19]
    assert (fx.owner, fx.runbook, hicp.owner, hicp.runbook) == (
        "anna", "https://wiki.test/ecb", "the bank", "https://wiki.test/hicp",
    )  # fmt: skip
    assert (fx.error_type, fx.readers, hicp.readers) == ("ProviderUnavailable", ("report",), ())
    assert "answered 503" in fx.error


def test_a_provider_is_told_with_its_tries_since_it_went_wrong(bank: Bank) -> None:
    """Requests of all its datasets count, and those before do not; what our circuit refused is no answer of it."""
    bank.run()
    bank.server.answer = status(503)
    bank.clock.advance(3600.0)
    began = bank.clock.now()
    before = len(bank.server.requests)
    for _ in range(3):
        bank.run("fx", "hicp")
    asked = len(bank.server.requests) - before

    with bank.installation.system(bank.clock) as system:
        found = InstallationSituation(system).provider("ECB", began)
        later = InstallationSituation(system).provider("ECB", began + timedelta(hours=1))

    assert (found.tries, later.tries) == (asked, 0)
    assert found.error_type == "ProviderUnavailable"
    assert "answered 503" in found.last_error
    assert found.owner == "the bank"


def test_a_circuit_that_somebody_opened_is_told_as_that(bank: Bank) -> None:
    """It is no outage of the provider."""
    bank.run()
    with bank.installation.system(bank.clock) as system:
        force_open(system, Actor("anna"), "ECB", reason="they asked us to stop")
        found = InstallationSituation(system).provider("ECB", bank.clock.now())

    assert (found.breaker, found.held, found.next_try) == ("open", True, None)
    assert found.last_error == "they asked us to stop"


def test_the_same_content_again_is_counted_where_a_promise_suffers(bank: Bank) -> None:
    """Only there: else a dataset that changes once a year would be asked about its hundred runs."""
    bank.configure()
    for _ in range(3):
        bank.run("fx")
        bank.clock.advance(60.0)
    with bank.installation.system(bank.clock) as system:
        assert InstallationSituation(system).datasets(["fx"])[0].same == 0
    bank.clock.advance(9 * 3600.0)
    with bank.installation.system(bank.clock) as system:
        (fx,) = InstallationSituation(system).datasets(["fx"])

    assert (fx.broken, fx.same, fx.same_since) == (True, 3, NIGHT)


def test_a_command_to_paste_names_what_is_not_found_by_itself(bank: Bank, tmp_path: Path) -> None:
    """The configuration and the state that this process was given, so that it asks about the same installation."""
    bank.configure(alerts={"link": "https://house.test/i/{id}"})
    with bank.installation.system(bank.clock) as system:
        situation = InstallationSituation(system)
        assert situation.command("why fx") == (
            f"python integrated_system.py why fx --config {tmp_path}/orchestrator.json --state-dir {tmp_path}/state"
        )
        assert (situation.zone, situation.app) == ("Europe/Berlin", "bank")
        assert situation.link("i7f3") == "https://house.test/i/i7f3"


def test_nothing_is_read_of_other_datasets(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident of two among ten thousand costs what two cost."""
    bank.run()
    with bank.installation.system(bank.clock) as system:
        asked: list[object] = []
        latest = Views.latest

        def noted(views: Views, names: list[str] | None = None) -> dict[str, Any]:
            asked.append(names)
            return latest(views, names)

        monkeypatch.setattr(Views, "latest", noted)
        found = InstallationSituation(system).datasets(["fx", "hicp"])

    assert [one.dataset for one in found] == ["fx", "hicp"]
    assert asked == [["fx", "hicp"], ["fx", "hicp"]]
