"""Five nights: what happens, and to the letter what somebody is told of it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import pytest

from monitoring.progressive.filling import DiskFilling, DiskRelieved
from operations.actor import Actor
from operations.gate import reject
from tests.faulty_server import FaultyServer, ok, status
from tests.integration.installation import ROOT, Installation
from tests.integration.nights import GOLDEN, Night, golden
from utils.clock import ManualClock

DUE = {"due": "16:30", "zone": "Europe/Berlin"}


def rates_of(day: str, rate: str = "1.08") -> Any:
    return ok(f"day,rate\n{day},{rate}\n".encode())


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(rates_of("2026-11-19")) as server:
        yield server


@contextmanager
def night(
    installation: Installation, server: FaultyServer, begins: str, *datasets: dict[str, Any], **sections: Any
) -> Iterator[Night]:
    """The installation of a bank: the ECB is one of its providers."""
    base = {"base_url": server.url.rsplit("/", 1)[0]}
    providers = dict.fromkeys(("BOE", "FED", "SNB"), base)
    providers["ECB"] = {**base, "runbook": "https://wiki.example.org/ecb"}
    clock = ManualClock(datetime.fromisoformat(begins))
    app = {"name": "rates", "zone": "Europe/Berlin"}
    alerts = {"channels": {"team": "json://127.0.0.1:9"}}
    installation.configure(*datasets, app=app, providers=providers, alerts=alerts, **sections)
    with installation.system(clock) as system, closing(Night(system, clock)) as found:
        yield found


def rates(name: str, **more: Any) -> dict[str, Any]:
    collect = {"kind": "http", "url": f"/{name}.csv"}
    dated = {"columns": {"day": "date"}, "data_time": "day", "zone": "Europe/Berlin"}
    return {"name": name, "provider": "ECB", "collect": collect, **dated, **more}


def fetched(name: str, provider: str) -> dict[str, Any]:
    """A dataset that is to be two hours old at most, whatever is in it."""
    collect = {"kind": "http", "url": f"/{name}.csv"}
    return {"name": name, "provider": provider, "collect": collect, "promise": {"max_age": "2h"}}


def test_an_outage_of_six_hours(installation: Installation, server: FaultyServer) -> None:
    """The ECB is away from two to eight; nine is when the first promise would break."""
    with night(
        installation,
        server,
        "2026-11-19T15:00:00Z",
        rates("fx_daily", promise={"max_age": "33h"}, owner="rates@example.org"),
        *(rates(name) for name in ("fx_monthly", "hicp", "yields")),
    ) as at:
        at.run()
        at.until("2026-11-20T01:12:00Z")
        server.answer = status(503)
        for hour in range(2, 8):
            at.run()
            at.until(f"2026-11-20T0{hour}:12:00Z")
        server.answer = rates_of("2026-11-20")
        at.run()
        at.until("2026-11-20T09:00:00Z")
        golden("outage", at)


def test_yesterdays_file_again(installation: Installation, server: FaultyServer) -> None:
    """The ECB answers in time, with the rates of the day before; the promise breaks; the file comes two hours late."""
    schedule = {"cron": "5 16 * * *", "zone": "Europe/Berlin"}
    with night(
        installation,
        server,
        "2026-11-19T15:05:00Z",
        rates("fx_daily", promise=DUE, schedule=schedule, owner="rates@example.org"),
    ) as at:
        at.run()
        at.until("2026-11-20T15:04:00Z")
        at.clock.advance(65.0)
        at.run()
        at.until("2026-11-20T15:20:00Z")
        at.run()
        at.until("2026-11-20T16:00:00Z")
        server.answer = rates_of("2026-11-20")
        at.until("2026-11-20T17:20:00Z")
        at.run()
        at.until("2026-11-20T18:00:00Z")
        golden("yesterdays_file", at)


def test_the_schema_changed(installation: Installation, server: FaultyServer) -> None:
    """A column became text: the batch is held, readers keep what they have, and somebody decides by nine."""
    with night(installation, server, "2026-11-19T15:00:00Z", rates("fx_daily", promise={"max_age": "33h"})) as at:
        at.run()
        at.until("2026-11-20T01:12:00Z")
        server.answer = ok(b"day,rate,unit\n2026-11-20,EUR 1.08,EUR\n")
        at.run()
        at.until("2026-11-20T07:30:00Z")
        reject(at.system, Actor("anna"), "fx_daily", reason="they send the unit in the rate")
        server.answer = rates_of("2026-11-20")
        at.run()
        at.until("2026-11-20T08:30:00Z")
        golden("schema", at)


def test_the_disk_fills(installation: Installation, server: FaultyServer) -> None:
    """Told a day ahead, told again when it is near, and that it is over."""
    with night(installation, server, "2026-11-20T01:00:00Z", rates("fx_daily")) as at:
        at.run()
        at.happens(DiskFilling("/srv/state", 20.0, 14.0, 30.0, 40e9, 2e9).to_event())
        at.until("2026-11-20T03:00:00Z")
        at.happens(DiskFilling("/srv/state", 5.5, 4.0, 7.0, 11e9, 2e9).to_event())
        at.until("2026-11-20T06:30:00Z")
        at.happens(DiskRelieved("/srv/state").to_event())
        at.until("2026-11-20T07:00:00Z")
        golden("disk", at)


def test_a_storm_after_the_clock_was_set(installation: Installation, server: FaultyServer) -> None:
    """In the night of the change to winter time somebody sets the clock on by three hours, and back a little later.

    Twelve promises of four providers break at one stroke: that is one message, about our clock.
    """
    names = [
        (f"{provider.lower()}_{number}", provider) for provider in ("BOE", "ECB", "FED", "SNB") for number in "123"
    ]
    with night(installation, server, "2026-10-24T23:30:00Z", *(fetched(*one) for one in names)) as at:
        at.run()
        at.until("2026-10-25T00:30:00Z")
        at.run()
        at.clock.set_forward(3 * 3600.0)
        at.look()
        at.clock.advance(1200.0)
        at.look()
        at.clock.set_back(3 * 3600.0)
        at.look()
        at.run()
        at.until("2026-10-25T02:45:00Z")
        golden("clock", at)


@pytest.mark.parametrize("name", ["outage", "yesterdays_file", "schema", "disk", "clock"])
def test_the_documentation_shows_the_first_message_of_each_night(name: str) -> None:
    """As it was told, but for where the lines are broken."""
    page = " ".join((ROOT / "docs" / "alerts.md").read_text().split())
    first = (GOLDEN / f"{name}.txt").read_text().split("\n\n")

    assert first[0].splitlines()[1] in page
    assert " ".join(first[1].split()) in page
