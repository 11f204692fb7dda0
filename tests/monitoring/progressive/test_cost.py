"""What the watching costs: told over the last seconds; above one percent of a core it steps back, and comes again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.progressive.cost import MOST_STRETCH, OwnCost


def after(steps: int, cpu_s: float, *, interval_s: float = 1.0) -> OwnCost:
    """The cost after so many steps, each as often as it says itself."""
    cost, at = OwnCost(), 0.0
    for _ in range(steps):
        at += interval_s * cost.stretch
        cost.note(cpu_s, at)
    return cost


def test_the_first_step_is_not_counted() -> None:
    """It loads what is needed, once."""
    cost = OwnCost()
    cost.note(2.0, 0.0)
    for at in range(1, 7):
        cost.note(0.002, float(at))
    assert cost.percent == pytest.approx(0.2)
    assert (cost.stretch, cost.total_s) == (1, pytest.approx(2.012))


def test_nothing_is_told_of_too_few_steps() -> None:
    """One slow step is no verdict."""
    cost = after(4, 0.5)
    assert (cost.percent, cost.stretch) == (None, 1)


@pytest.mark.parametrize(
    ("cpu_s", "stretch"),
    [(0.009, 1), (0.015, 2), (0.035, 4), (0.06, 8), (5.0, MOST_STRETCH)],
    ids=["0.9 %", "1.5 %", "3.5 %", "6 %", "far too much"],
)
def test_it_steps_back_until_the_cost_is_small_enough(cpu_s: float, stretch: int) -> None:
    """Twice as rarely each time, up to sixteen times."""
    assert after(200, cpu_s).stretch == stretch


def test_it_comes_back_when_steps_are_cheap_again() -> None:
    """And says because of which cost it is another pace."""
    cost, at, told = OwnCost(), 0.0, []
    for cpu_s in [0.035] * 20 + [0.001] * 100:
        at += cost.stretch
        if (percent := cost.note(cpu_s, at)) is not None:
            told.append((cost.stretch, percent > 1.0))
    assert told == [(2, True), (4, True), (2, False), (1, False)]


@given(st.floats(0.0, 1.0))
def test_a_steady_cost_finds_one_pace(cpu_s: float) -> None:
    """It never goes to and fro."""
    cost, at, paces = OwnCost(), 0.0, [1]
    for _ in range(300):
        at += cost.stretch
        if cost.note(cpu_s, at) is not None:
            paces.append(cost.stretch)
    assert paces == sorted(paces)


def test_a_clock_that_goes_backwards_begins_anew() -> None:
    """Nothing is divided by a time that never was."""
    cost = after(20, 0.001)
    assert cost.note(0.001, -5.0) is None
    assert cost.percent is None
