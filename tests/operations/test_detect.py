"""What `detect` tells: anomalies that belong together are one incident."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from integrated_system import IntegratedSystem
from operations.detect import Detected, detect
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.history.points import point

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    source = {"kind": "simulated", "rows": 3}
    made.configure(
        *({"name": name, "provider": "ecb", "collect": source} for name in ("fx", "rates")),
        {"name": "quakes", "provider": "usgs", "collect": source},
    )
    return made


def broken(system: IntegratedSystem, subject: str, *metrics: str) -> None:
    """Forty usual hours of these figures, and a last one without anything."""
    noise = np.random.default_rng(5).normal(size=(40, len(metrics)))
    rows = [*(1000.0 + 10.0 * noise), np.zeros(len(metrics))]
    times = [NOON.timestamp() - 3600.0 * back for back in range(len(rows) - 1, -1, -1)]
    points = [point(subject, time, dict(zip(metrics, row, strict=True))) for time, row in zip(times, rows, strict=True)]
    system.events.append([], statements=points)


def told(found: Detected) -> list[tuple[str, list[str]]]:
    return [(one.of, sorted(f"{figure.dataset}.{figure.metric}" for figure in one.figures)) for one in found.incidents]


def test_several_figures_of_a_dataset_are_one_incident(installation: Installation) -> None:
    """Each with its share; the anomalies stand there as ever."""
    with installation.system(ManualClock(NOON)) as system:
        broken(system, "fx", "rows", "bytes")
        found = detect(system)

    assert told(found) == [("fx", ["fx.bytes", "fx.rows"])]
    (one,) = found.incidents
    assert sum(figure.share for figure in one.figures) == pytest.approx(1.0, abs=1e-3)
    assert [figure.share for figure in one.figures] == sorted((f.share for f in one.figures), reverse=True)
    assert {one["metric"] for one in found.anomalies} == {"rows", "bytes"}
    assert found.to_json()["incidents"][0]["figures"][0]["reason"] == one.figures[0].reason


def test_datasets_of_one_provider_are_one_incident(installation: Installation) -> None:
    """It has the provider's name; numbers of one's own have nothing in common because they have no tags."""
    with installation.system(ManualClock(NOON)) as system:
        broken(system, "fx", "rows")
        broken(system, "rates", "rows")
        broken(system, "quakes", "rows")
        broken(system, "{}", "orders")
        broken(system, "{}", "clicks")
        found = detect(system)

    assert sorted(told(found)) == [
        ("clicks", ["clicks.clicks"]),
        ("ecb", ["fx.rows", "rates.rows"]),
        ("orders", ["orders.orders"]),
        ("quakes", ["quakes.rows"]),
    ]
