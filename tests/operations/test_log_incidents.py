"""Log records name the open incidents of what they concern: of this process at once, of others when it looks."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.alerting import Alerting
from operations.log_incidents import EVERY_S, LogIncidents, name_incidents
from operations.logs import start_logging
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.logger import configure, get_logger, set_incidents

BAD = {"name": "bad", "collect": {"kind": "simulated", "rows": 3, "failure_rate": 1.0}}
GOOD = {"name": "good", "collect": {"kind": "simulated", "rows": 3}}


@pytest.fixture(autouse=True)
def silence_afterwards() -> Iterator[None]:
    yield
    set_incidents({})
    configure("WARNING", "off")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def named(installation: Installation, dataset: str) -> list[str] | None:
    """What the newest record about a dataset says of incidents, after one was written."""
    get_logger("probe").info("looked", dataset=dataset)
    lines = (installation.state / "logs" / "probe.jsonl").read_text().splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found.get("incidents")


def test_records_of_a_process_that_stays_name_its_incidents(installation: Installation) -> None:
    """From their beginning on; another dataset's records do not; after `close` none does."""
    clock = ManualClock()
    installation.configure(BAD, GOOD, logging={"console": False})
    installation.run(clock=clock)
    with installation.system(clock) as system:
        start_logging(system)
        logs, alerting = LogIncidents(system), Alerting(system)
        try:
            assert logs.step() == EVERY_S
            assert named(installation, "bad") is None
            heard = threading.Event()
            system.bus.subscribe("incident.*", lambda event: heard.set())  # called after the one that is looked at
            alerting.step()
            assert heard.wait(120)
            told = named(installation, "bad")
            (event,) = system.events.read(type="incident.opened")
            assert told == [event.data["incident"]["id"]]
            assert named(installation, "good") is None
        finally:
            alerting.close()
            logs.close()
        assert named(installation, "bad") is None


def test_incidents_of_another_process_are_named_once_it_looks(installation: Installation) -> None:
    """A run looks as it begins, a process that stays each minute."""
    clock = ManualClock()
    installation.configure(BAD, GOOD, logging={"console": False})
    installation.run(clock=clock)
    with installation.system(clock) as other:
        alerting = Alerting(other)
        alerting.step()
        alerting.close()
    with installation.system(clock) as system:
        start_logging(system)
        assert named(installation, "bad") is None
        name_incidents(system)
        assert len(named(installation, "bad") or []) == 1
        set_incidents({})
        logs = LogIncidents(system)
        logs.step()
        assert len(named(installation, "bad") or []) == 1
        logs.close()
