"""What came of lookups in the cache is written down with each run, adds up over processes, and stands in `metrics`."""

from pathlib import Path
from typing import Any

import pytest

from operations.actor import Actor
from operations.metrics import as_json
from operations.run import run
from tests.integration.installation import Installation

FEEDS = [{"name": f"feed_{n}", "collect": {"kind": "simulated", "rows": 3}} for n in range(3)]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(*FEEDS)
    return made


def lookups(told: dict[str, Any]) -> dict[str, float]:
    return {one["labels"]["outcome"]: one["value"] for one in told["orchestrator_cache_lookups_total"]["series"]}


def test_each_run_says_what_it_found_and_all_runs_add_up(installation: Installation) -> None:
    """Three misses, then three hits in another process; without a lookup there is nothing to say."""
    installation.run()
    installation.run()
    installation.run(fresh=True)
    counted = [finished.get("cache", {}) for finished in installation.events("run.finished")]

    assert [one.get("misses", 0) for one in counted] == [3, 0, 0]
    assert [one.get("hits", 0) for one in counted] == [0, 3, 0]
    assert [one.get("sets", 0) > 0 for one in counted] == [True, False, True]
    with installation.system() as system:
        live = as_json(system)
        system.events.rebuild()
        rebuilt = as_json(system)
    assert lookups(live) == lookups(rebuilt) == {"hit": 3.0, "miss": 3.0, "stale": 0.0}
    assert live["orchestrator_cache_stored_total"] == rebuilt["orchestrator_cache_stored_total"]


def test_runs_of_one_process_do_not_count_twice(installation: Installation) -> None:
    """Each run has what was counted since the one before."""
    with installation.system() as system:
        for _ in range(3):
            run(system, Actor("test"))
        assert lookups(as_json(system)) == {"hit": 6.0, "miss": 3.0, "stale": 0.0}
