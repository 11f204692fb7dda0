"""Time budgets: what takes too long is told once, and when it does no more; maintenance says what runs take."""

from pathlib import Path
from typing import Any

import pytest

from data_pipeline.budget_views import over_budget
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from monitoring.alerting.views import Incidents
from operations.actor import Actor
from operations.alerting import Alerting
from operations.maintain import maintain
from operations.performance import judge_performance
from operations.run import run
from tests.integration.installation import Installation
from utils.clock import ManualClock

ME = Actor("test")
SLOW = {"name": "slow", "collect": {"kind": "simulated", "rows": 3, "latency": "40s"}}
QUICK = {"name": "quick", "collect": {"kind": "simulated", "rows": 3}}
PATIENT: dict[str, Any] = {"dataset": {"deadline": "10m", "timeout": {"read": "5m"}}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def told(system: IntegratedSystem) -> list[tuple[str, str]]:
    return [
        (event.type, event.subject)
        for event in system.events.read()
        if event.type.endswith(("over_budget", "within_budget"))
    ]


def configure(installation: Installation, latency: str, **budgets: str) -> None:
    slow = {**SLOW, "collect": {**SLOW["collect"], "latency": latency}}  # type: ignore[dict-item]
    installation.configure(slow, QUICK, performance=budgets, defaults=PATIENT)


def test_a_delivery_beyond_its_budget_is_told_once_and_its_end(installation: Installation) -> None:
    """With what it took and may; the other dataset of the run is not concerned."""
    clock = ManualClock()
    for latency in ("40s", "40s", "5s", "5s"):
        configure(installation, latency, delivery="30s")
        with installation.system(clock) as system:
            run(system, ME, fresh=True, workers=1)
            found = told(system)

    assert found == [("dataset.over_budget", "slow"), ("dataset.within_budget", "slow")]
    (over,) = installation.events("dataset.over_budget")
    assert (over["budget_s"], over["seconds"] >= 40.0) == (30.0, True)
    assert over["reason"].startswith("the delivery took 4")
    assert over["reason"].endswith("more than the 30 s of its budget")


def test_a_run_beyond_its_budget_is_over_when_one_as_large_is_not(installation: Installation) -> None:
    """A run of one quick dataset says nothing of the run of all."""
    clock = ManualClock()
    configure(installation, "40s", run="20s")
    with installation.system(clock) as system:
        run(system, ME, fresh=True, workers=1)
        run(system, ME, ["quick"], fresh=True)
        assert told(system) == [("run.over_budget", "runs")]
    configure(installation, "5s", run="20s")
    with installation.system(clock) as system:
        run(system, ME, fresh=True, workers=1)
        assert told(system) == [("run.over_budget", "runs"), ("run.within_budget", "runs")]


def test_without_budgets_nothing_is_looked_at(installation: Installation) -> None:
    """However long it takes."""
    installation.configure(SLOW, defaults=PATIENT)
    with installation.system(ManualClock()) as system:
        run(system, ME, workers=1)
        assert told(system) == []


def test_what_came_from_the_cache_and_what_was_broken_off_say_nothing(installation: Installation) -> None:
    """They were quick for another reason."""
    clock = ManualClock()
    configure(installation, "40s", delivery="30s", run="30s")
    with installation.system(clock) as system:
        run(system, ME, workers=1)
        before = told(system)
        (served,) = run(system, ME, ["slow"], workers=1).datasets
        assert served.origin == "cache"
        assert judge_performance(system, PipelineRun("r", "interrupted", "", "", 1.0, (served, served))) == 0
        assert told(system) == before == [("run.over_budget", "runs"), ("dataset.over_budget", "slow")]


def test_it_is_an_incident_until_it_ends(installation: Installation) -> None:
    """By the shipped rules, a warning."""
    clock = ManualClock()
    states = []
    for latency in ("40s", "5s"):
        configure(installation, latency, delivery="30s")
        with installation.system(clock) as system:
            run(system, ME, fresh=True, workers=1)
            alerting = Alerting(system)
            alerting.step()
            states.append([(one.about, one.severity) for one in Incidents(system.database).active()])
            clock.advance(600.0)
            alerting.step()
            alerting.close()

    assert states == [[("slow", "warning")], []]


def test_maintenance_says_what_runs_take_and_what_is_beyond_its_budget(installation: Installation) -> None:
    """Median, P95 and P99 of the last runs; what has no budget any more is over."""
    clock = ManualClock()
    configure(installation, "40s", delivery="30s", run="30s")
    with installation.system(clock) as system:
        run(system, ME, workers=1)
        (step,) = [one for one in maintain(system, ME).steps if one.name == "performance"]
        assert step.count == 2
        assert "(median)" in step.detail
        assert "(P99)" in step.detail
        assert step.detail.endswith("beyond their budget: slow, the run")
    configure(installation, "40s", run="30s")
    with installation.system(clock) as system:
        (step,) = [one for one in maintain(system, ME).steps if one.name == "performance"]
        assert step.detail.endswith("beyond their budget: the run")
        assert told(system)[-1] == ("dataset.within_budget", "slow")


def test_the_view_is_what_the_log_says(installation: Installation) -> None:
    """Live and rebuilt it is the same."""
    configure(installation, "40s", delivery="30s", run="30s")
    with installation.system(ManualClock()) as system:
        run(system, ME, workers=1)
        live = over_budget(system.database)
        assert [(one.kind, one.subject, one.datasets) for one in live] == [("dataset", "slow", 1), ("run", "runs", 2)]
        system.events.rebuild()
        assert over_budget(system.database) == live
