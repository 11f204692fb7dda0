"""Between what figures were expected, for charts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.expected import LOOKED_AT, MOST, expected
from tests.integration.installation import Installation


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}})
    with made.system() as system:
        yield system


def _kept(system: IntegratedSystem, values: np.ndarray, *, step_s: float = 60.0) -> None:
    end = system.clock.now().timestamp()
    times = end - np.arange(len(values))[::-1] * step_s
    system.history.append("load", times.tolist(), values.tolist(), {"shop": "berlin"})


def test_the_usual_lies_in_the_band_and_a_spike_does_not(system: IntegratedSystem) -> None:
    """By the points before each one."""
    values = np.random.default_rng(3).normal(100.0, 3.0, 400)
    values[300] = 180.0
    _kept(system, values)

    (band,) = expected(system, ["load"])

    lows, highs = [low for _, low, _ in band.points], [high for _, _, high in band.points]
    assert 100 < len(band.points) <= MOST
    assert max(lows) < 100 < min(highs)
    assert max(highs) < 180
    assert [time for time, _, _ in band.points] == sorted(time for time, _, _ in band.points)


@pytest.mark.parametrize("count", [0, 1, 5], ids=["one", "two", "six"])
def test_a_series_that_is_still_learning_has_a_band_without_points(system: IntegratedSystem, count: int) -> None:
    """The chart then shows the line alone."""
    _kept(system, np.arange(count + 1, dtype=float))

    (band,) = expected(system, ["load"])

    assert band.points == ()


def test_what_was_never_negative_is_not_expected_to_be(system: IntegratedSystem) -> None:
    """As in the words about an anomaly."""
    _kept(system, np.abs(np.random.default_rng(3).normal(0.0, 5.0, 200)))

    (band,) = expected(system, ["load"])

    assert min(low for _, low, _ in band.points) == 0.0


def test_a_long_series_is_looked_at_from_its_end(system: IntegratedSystem) -> None:
    """So many points at most, whatever the period."""
    _kept(system, np.random.default_rng(3).normal(0.0, 5.0, LOOKED_AT + 3_000), step_s=1.0)

    (band,) = expected(system, ["load"])

    assert 0 < len(band.points) <= MOST


def test_too_many_series_are_refused(system: IntegratedSystem) -> None:
    """In words."""
    for n in range(21):
        system.history.append(f"load{n}", [system.clock.now().timestamp()], [1.0])

    with pytest.raises(UsageError, match="21 series, more than 20 at once"):
        expected(system, [f"load{n}" for n in range(21)])
