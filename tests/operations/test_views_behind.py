"""A view that failed is named where people and programs look."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from data_pipeline.store.provider_counters import ProviderCounters
from integrated_system import IntegratedSystem
from operations.health import health
from operations.metrics import as_prometheus
from tests.dashboard.configuration import write_configuration
from utils.database import Statement
from utils.events import Event, NewEvent


def _failing(_: ProviderCounters, event: Event) -> Iterable[Statement]:
    raise ValueError("no such counter")


def test_a_view_that_was_left_behind_is_named_by_health_and_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that has appended nothing itself; once the fault is mended, by nobody."""
    config = write_configuration(tmp_path)

    def asked() -> tuple[bool, str, list[str]]:
        with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
            (check,) = [check for check in health(system).checks if check.name == "views"]
            found = [line for line in as_prometheus(system).splitlines() if line.startswith("orchestrator_view_behind")]
            return check.healthy, check.detail, found

    with monkeypatch.context() as broken:
        broken.setattr(ProviderCounters, "types", None)
        broken.setattr(ProviderCounters, "apply", _failing)
        with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
            system.events.append([NewEvent("thing.happened", "a"), NewEvent("thing.happened", "a")])
        healthy, detail, found = asked()

    assert not healthy
    assert "provider_counters is left behind at event 0 (view provider_counters: event 1: ValueError: no such" in detail
    assert 'orchestrator_view_behind_events{view="provider_counters"} 2' in found
    assert 'orchestrator_view_behind_events{view="pipeline"} 0' in found
    assert asked()[:2] == (True, "up to date")
