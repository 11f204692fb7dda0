"""`maintain --rebuild`: from the newest snapshot on, with `--whole` from the first event."""

from pathlib import Path

import pytest

from operations.actor import Actor
from operations.maintain import Maintenance, maintain
from operations.run import run
from tests.integration.installation import Installation
from utils.events import snapshots
from utils.events.snapshots import Snapshots

ME = Actor("test")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Some events are many here."""
    made = Installation(tmp_path)
    made.configure({"name": "feed", "collect": {"kind": "simulated", "rows": 3}})
    monkeypatch.setattr(Snapshots.__init__, "__kwdefaults__", {"every": 5, "at_once": snapshots.AT_ONCE})
    return made


def step(done: Maintenance, name: str) -> tuple[int, str]:
    (found,) = (one for one in done.steps if one.name == name)
    return found.count, found.detail


def test_a_rebuild_begins_at_the_snapshot_that_maintenance_made(installation: Installation) -> None:
    """What every view says is the same before and after, either way."""
    with installation.system() as system:
        run(system, ME, fresh=True)
        assert step(maintain(system, ME, dry_run=True), "snapshots")[0] == 0
        count, detail = step(maintain(system, ME), "snapshots")
        assert count == 1
        assert detail.startswith("made; all of them take ")
        made_at = system.snapshots.kept()[-1].seq
        run(system, ME, fresh=True)
        head = system.events.head()[0]
        before = system.views.latest(), [one.run_id for one in system.views.runs()]
        with system.database.transaction() as connection:
            connection.execute("DELETE FROM datasets")
        assert system.views.latest() == {}

        assert step(maintain(system, ME, rebuild=True), "views") == (
            head - made_at,
            "events replayed since the newest snapshot",
        )
        assert (system.views.latest(), [one.run_id for one in system.views.runs()]) == before
        head = system.events.head()[0]
        assert step(maintain(system, ME, whole=True), "views") == (head, "events replayed")
        assert (system.views.latest(), [one.run_id for one in system.views.runs()]) == before
