"""How the newest dataset runs ended: kept from one look to the next, and the same as if read anew."""

from pathlib import Path
from typing import Any

import pytest

from operations.actor import Actor
from operations.recent_runs import EACH, RecentRuns
from operations.run import run
from tests.integration.installation import Installation
from utils.events import NewEvent

DATASETS = ("fx", "sales")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(*({"name": name, "collect": {"kind": "simulated", "rows": 3}} for name in DATASETS))
    return made


def ended(dataset: str, number: int, status: str = "succeeded", **data: Any) -> NewEvent:
    """The end of a dataset run, as the log tells it."""
    kind = {"succeeded": "dataset.collected"}.get(status, f"dataset.{status}")
    told = {"run_id": f"run-{number:04d}", "dataset": dataset, "status": status, "duration_s": number / 10}
    body = {"provider": "p", "origin": "provider", "accepted": False, "version": None, "collected_at": None, **told}
    return NewEvent(kind, dataset, {**body, "data_time": None, **data})


def told(runs: RecentRuns) -> tuple[set[tuple[str, float]], int, float]:
    """Ends by status; how many took how long in all."""
    found = runs.metrics().to_json()
    (seconds,) = found["orchestrator_dataset_run_seconds"]["series"]
    ends = {(one["labels"]["status"], one["value"]) for one in found["orchestrator_recent_dataset_runs"]["series"]}
    return ends, seconds["count"], round(seconds["sum"], 6)


def test_runs_are_followed_as_if_they_were_read_anew(installation: Installation) -> None:
    """The last twenty of each dataset, skipped ones too, whatever else is in the log; backfills are left out."""
    with installation.system() as system:
        runs = RecentRuns(system)
        system.events.append([ended("fx", number) for number in range(3)])
        first = told(runs)
        system.events.append([ended("fx", 3, "failed"), NewEvent("dataset.seen", "fx"), ended("other", 4)])
        system.events.append([ended("sales", 5, "skipped"), ended("sales", 6, backfill="b")])
        second, anew = told(runs), told(RecentRuns(system))
        system.events.append([ended("fx", 10 + number, "degraded") for number in range(EACH)])
        third, all_anew = told(runs), told(RecentRuns(system))

    assert first == ({("succeeded", 3.0)}, 3, 0.3)
    assert second == anew == ({("succeeded", 3.0), ("failed", 1.0), ("skipped", 1.0)}, 5, 1.1)
    assert third == all_anew
    assert third[:2] == ({("degraded", float(EACH)), ("skipped", 1.0)}, EACH + 1)


def test_nothing_is_made_anew_while_nothing_ends(installation: Installation) -> None:
    """Other events change nothing; a run that is told twice counts once, as it was told last."""
    with installation.system() as system:
        runs = RecentRuns(system)
        system.events.append([ended("fx", 1)])
        first = runs.metrics()
        system.events.append([NewEvent("thing.happened", "fx"), NewEvent("dataset.seen", "fx")])
        second = runs.metrics()
        system.events.append([ended("fx", 1, "failed")])

        assert second is first
        assert told(runs) == told(RecentRuns(system)) == ({("failed", 1.0)}, 1, 0.1)


def test_what_maintenance_forgets_is_forgotten(installation: Installation) -> None:
    """Runs past their retention are recent no more; the last of each dataset stays."""
    with installation.system() as system:
        runs = RecentRuns(system)
        run(system, Actor("test"))
        run(system, Actor("test"))
        before = told(runs)
        forgotten = {"removed": [], "runs_before": "2999-01-01T00:00:00Z"}
        system.events.append([NewEvent("maintenance.finished", "system", forgotten)])
        after = told(runs)

        assert (before[1], after[1], after) == (4, 2, told(RecentRuns(system)))
