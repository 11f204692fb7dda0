"""The log as those hear it who look on live, in either database."""

from pathlib import Path
from queue import Queue

import pytest

from operations.live import Heard, LogTail, Topics, active_alerts, replayed
from tests.integration.installation import Installation
from utils.events import NewEvent

PATIENCE_S = 120.0


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """An installation over one of the databases."""
    made = Installation(tmp_path)
    database = {} if request.param == "SQLite" else {"database": {"url": request.getfixturevalue("postgres")}}
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, **database)
    return made


def test_what_another_process_commits_is_told_once_and_in_order(installed: Installation):
    """From the position on at which it began; with the words of an alert."""
    told: Queue[Heard] = Queue()
    with installed.system() as system, installed.system() as other:
        other.events.append([NewEvent("demo.before", "x")])
        tail = LogTail(system, lambda _, some: [told.put(one) for one in some])
        try:
            events = [*other.events.append([NewEvent("demo.happened", "x")] * 3)]
            sent = other.alerts.send(level="ERROR", title="Import failed", message="no such file", source="importer")
            found = [told.get(timeout=PATIENCE_S) for _ in range(4)]
        finally:
            tail.close()

    assert [one.event for one in found[:3]] == events
    assert [one.severity for one in found] == ["", "", "", "error"]
    assert found[3].alert == sent
    assert told.empty()


def test_what_was_before_can_be_asked_for(installed: Installation):
    """By topic; and the alerts that were told last are listed."""
    with installed.system() as system:
        system.events.append([NewEvent("demo.happened", "x")])
        system.alerts.send(level="ERROR", title="Import failed")
        page, reached = replayed(system, Topics(["alerts"]), after=0)
        everything, _ = replayed(system, Topics(["**"]), after=0)
        active = active_alerts(system)
        head = system.events.head()[0]

    assert [one.alert.title for one in page if one.alert] == ["Import failed"]
    assert reached == head
    assert [one.seq for one in everything] == [*range(1, head + 1)]
    assert [(one.title, seq) for seq, one in active.latest] == [("Import failed", page[0].seq)]


def test_an_alert_whose_file_is_gone_still_has_its_title(installed: Installation):
    """As on another machine, or after 500 more."""
    with installed.system() as system:
        system.alerts.send(level="CRITICAL", title="Disk gone", message="sda", source="disks", type="critical")
        for file in system.alerts_dir.glob("alert_*.json"):
            file.unlink()
        ((_, alert),) = active_alerts(system).latest

    assert (alert.level, alert.type, alert.title, alert.message, alert.source) == (
        *("critical", "critical", "Disk gone"),
        *("", "disks"),
    )
