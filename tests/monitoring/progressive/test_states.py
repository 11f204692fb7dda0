"""How one resource stands: up at once, down below the margin only, overloaded once that has lasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.watching import ThresholdSettings
from monitoring.progressive.states import RESOURCES, Standing, Thresholds, stands

CPU = {"limits": (70.0, 85.0), "overload": 90.0, "calm_s": 60.0}


def after(*readings: tuple[float, float | None]) -> Standing:
    """How a processor stands after readings of (moment, percent)."""
    now = Standing()
    for at, percent in readings:
        now = stands(now, percent, at, **CPU)
    return now


def test_the_thresholds_are_those_of_the_configuration() -> None:
    """Who watches without a configuration file has the same as who has one that says nothing."""
    configured = ThresholdSettings()
    assert {name: Thresholds().of(name) for name in RESOURCES} == configured.model_dump()


@pytest.mark.parametrize("pair", [(85.0, 70.0), (-1.0, 50.0), (50.0, 101.0)], ids=["swapped", "below 0", "above 100"])
def test_thresholds_that_are_none_are_refused(pair: tuple[float, float]) -> None:
    """The error names the resource."""
    with pytest.raises(ValueError, match=r"memory: .* are not two percentages in order"):
        Thresholds(memory=pair)


@pytest.mark.parametrize(
    ("percent", "state"),
    [(69.9, "stable"), (70.0, "warning"), (84.9, "warning"), (85.0, "critical"), (100.0, "critical")],
)
def test_a_threshold_is_reached_at_once(percent: float, state: str) -> None:
    """One reading is enough, and the threshold itself belongs to the worse state."""
    assert after((0.0, percent)).state == state


@pytest.mark.parametrize(
    ("percents", "state"),
    [
        ((70.0, 66.0), "warning"),
        ((70.0, 65.0), "stable"),
        ((85.0, 81.0), "critical"),
        ((85.0, 80.0), "warning"),
        ((85.0, 66.0), "warning"),
        ((85.0, 10.0), "stable"),
    ],
    ids=["within the margin", "below it", "critical within", "critical below", "to a warning", "all the way"],
)
def test_a_state_is_left_below_its_threshold_by_the_margin(percents: tuple[float, float], state: str) -> None:
    """A reading that trembles around a threshold is one state."""
    assert after(*enumerate(percents)).state == state


def test_what_cannot_be_read_is_as_it_was_for_a_while_and_then_unknown() -> None:
    """Five minutes: by then nobody knows."""
    known = after((0.0, 99.0), (299.0, None))
    assert (known.state, known.percent) == ("critical", 99.0)

    forgotten = stands(known, None, 300.0, **CPU)
    assert (forgotten.state, forgotten.percent) == (None, None)


def test_an_overload_is_told_once_it_has_lasted() -> None:
    """Fifteen seconds above 90 %, over three readings; a spike is none."""
    assert not after((0.0, 95.0), (5.0, 95.0), (10.0, 95.0)).overloaded
    assert after((0.0, 95.0), (5.0, 95.0), (10.0, 95.0), (15.0, 95.0)).overloaded
    assert not after((0.0, 95.0), (30.0, 95.0)).overloaded, "two readings are few"
    assert not after((0.0, 95.0), (5.0, 50.0), (10.0, 95.0), (15.0, 95.0)).overloaded, "it was not lasting"


def test_a_load_that_trembles_around_the_limit_is_one_overload() -> None:
    """It is over only after the calm time below the limit by the margin."""
    now = after((0.0, 95.0), (5.0, 88.0), (10.0, 95.0), (15.0, 95.0))
    assert now.overloaded, "88 % is within the margin"

    for at, percent in ((20.0, 80.0), (60.0, 91.0), (70.0, 80.0), (129.0, 80.0)):
        now = stands(now, percent, at, **CPU)
        assert now.overloaded
    assert not stands(now, 80.0, 130.0, **CPU).overloaded


def test_nothing_lasts_over_a_time_nobody_looked() -> None:
    """A machine that slept was not overloaded meanwhile, and not calm either."""
    two = after((0.0, 95.0), (5.0, 95.0))
    assert not stands(two, 95.0, 3600.0, **CPU, slept=True).overloaded

    calm = stands(after((0.0, 95.0), (8.0, 95.0), (16.0, 95.0)), 10.0, 20.0, **CPU)
    assert stands(calm, 10.0, 3600.0, **CPU, slept=True).overloaded


@given(
    st.lists(st.tuples(st.floats(0.1, 100.0), st.none() | st.floats(0.0, 100.0)), min_size=1),
    st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 100.0)),
)
def test_the_state_never_says_less_than_the_reading(
    readings: list[tuple[float, float | None]], pair: tuple[float, float]
) -> None:
    """Whatever was before, and whatever the thresholds: at a threshold or above it the state is that or worse."""
    warning, critical = sorted(pair)
    now, at = Standing(), 0.0
    for after_s, percent in readings:
        at += after_s
        now = stands(now, percent, at, limits=(warning, critical), overload=90.0, calm_s=60.0)
        if percent is None:
            continue
        if percent >= critical:
            assert now.state == "critical"
        elif percent >= warning:
            assert now.state in {"warning", "critical"}
        elif percent < 0.9 * warning - 5.0:
            assert now.state == "stable"
