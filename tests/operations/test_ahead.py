"""Trouble ahead, where people see it: in `detect`, in `health`, and when they ask for a value of their own."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.detect.robust import Floats
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.ahead import DISK, reaches, troubles
from operations.detect import detect
from operations.health import health
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.history.points import point

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = 3600.0
RATES = {"name": "fx", "provider": "ecb", "collect": {"kind": "simulated", "rows": 3}, "promise": {"max_age": "26h"}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(RATES, {"name": "machine", "collect": {"kind": "host"}})
    return made


def hourly(system: IntegratedSystem, subject: str, metric: str, values: Floats) -> None:
    """Points of the last hours, the newest at noon."""
    times = NOON.timestamp() - HOUR * np.arange(len(values))[::-1]
    points = [point(subject, time, {metric: value}) for time, value in zip(times, values, strict=True)]
    system.events.append([], statements=points)


def growing(start: float, end: float, n: int = 48) -> Floats:
    return np.linspace(start, end, n) + 0.05 * np.random.default_rng(2).normal(size=n)


def test_what_grows_towards_its_own_threshold_is_told(installation: Installation) -> None:
    """The data's age against its promise, the latency against its deadline; soonest first, with an interval."""
    with installation.system(ManualClock(NOON)) as system:
        hourly(system, "fx", "data_age_s", growing(10.0, 20.0) * HOUR)
        hourly(system, "fx", "latency_s", np.full(48, 0.4))
        (one,) = troubles(system, system.settings.datasets)
        told, of_others = detect(system, ["fx.data_age_s"]).ahead, detect(system, ["fx.latency_s"]).ahead

    assert (one.dataset, one.metric, one.threshold) == ("fx", "data_age_s", 26 * HOUR)
    assert one.words.startswith("reaches its promise (26 h) in about ")
    assert one.earliest < one.reached < one.latest
    assert one.in_s == pytest.approx(6.0 / 10.0 * 47 * HOUR, rel=0.1)
    assert (told, of_others) == ((one,), ())


@pytest.mark.parametrize(
    ("start", "end", "healthy"),
    [(60.0, 90.0, False), (60.0, 61.0, True), (90.0, 60.0, True)],
    ids=["full in 16 hours", "full in weeks", "emptied"],
)
def test_a_disk_that_is_full_within_a_day_is_unhealthy(
    installation: Installation, start: float, end: float, healthy: bool
) -> None:
    """By the history of a `host` dataset, with the interval in words."""
    with installation.system(ManualClock(NOON)) as system:
        hourly(system, "machine", DISK, growing(start, end))
        disk = next(check for check in health(system).checks if check.name == "disk")

    assert disk.healthy is healthy
    assert (f"machine.{DISK} reaches a full disk in about " in disk.detail) is not healthy


def test_the_disk_that_fills_is_named(tmp_path: Path) -> None:
    """The one of the folder that the dataset names, so that nobody looks at the wrong one."""
    made = Installation(tmp_path)
    made.configure({"name": "machine", "collect": {"kind": "host", "disk": "/var"}})
    with made.system(ManualClock(NOON)) as system:
        hourly(system, "machine", DISK, growing(60.0, 90.0))
        (one,) = troubles(system, system.settings.datasets)

    assert one.words.startswith("reaches a full disk (/var) in about ")


def test_an_error_budget_has_an_end(tmp_path: Path) -> None:
    """Nothing runs any more: a day may be missed in ten, twenty hours are; the rest is told before it is spent."""
    made, clock = Installation(tmp_path), ManualClock(NOON)
    made.configure({**RATES, "promise": {"max_age": "1h"}, "objective": {"fresh": 0.9, "over": "10d"}})
    made.run_one(clock=clock)
    clock.advance(21 * HOUR)
    with made.system(clock) as system:
        (one,) = [found for found in detect(system).ahead if found.metric.startswith("budget")]

    assert (one.metric, one.what) == ("budget(fresh)", "the end of its error budget")
    assert one.in_s == pytest.approx(4 * HOUR, rel=0.1)


@pytest.mark.parametrize(
    ("values", "value", "state", "words"),
    [
        (growing(10.0, 20.0), 25.0, "ahead", "reaches 25 in about "),
        (growing(20.0, 10.0), 5.0, "ahead", "reaches 5 in about "),
        (np.full(30, 7.0), 25.0, "steady", "does not grow steadily towards 25"),
        (np.full(30, 7.0), 5.0, "steady", "does not fall steadily towards 5"),
        (np.arange(9.0), 25.0, "learning", "learning: 9 of 20 points"),
    ],
    ids=["growing", "falling", "flat below", "flat above", "too short"],
)
def test_a_value_of_ones_own_is_asked_for(
    installation: Installation,
    values: Floats,
    value: float,
    state: str,
    words: str,
) -> None:
    """From either side; what does not go there says so."""
    with installation.system(ManualClock(NOON)) as system:
        hourly(system, '{"shop":"berlin"}', "orders_open", values)
        (one,) = reaches(system, ["orders_open"], value)

    assert (one.series, one.state) == ('orders_open{shop="berlin"}', state)
    assert one.words.startswith(words)
    assert (one.reached is None) == (state != "ahead")


@pytest.mark.parametrize("names", [[], ["fx"]], ids=["nothing", "a whole dataset"])
def test_a_value_needs_the_name_of_a_figure(installation: Installation, names: list[str]) -> None:
    """Rows and seconds do not reach the same value."""
    with installation.system(ManualClock(NOON)) as system:
        hourly(system, "fx", "latency_s", np.full(30, 0.4))
        with pytest.raises(UsageError, match="--reaches needs the name of one figure"):
            reaches(system, names, 30.0)
