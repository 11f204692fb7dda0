"""The result of the events benchmark: which targets are met, and that every group can be measured."""

from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import contenders, events
from benchmarks.comparison import over_rounds
from benchmarks.events_workload import one_by_one
from benchmarks.measure import BenchmarkError


def test_targets_are_judged_against_peers_the_floor_and_bounds() -> None:
    """A rate has to be at least so much, a time at most; what nobody measured is neither met nor missed."""
    result = events.compared(
        {
            "ours": {"append_per_s": 15_000.0, "append_p99_us": 1200.0, "bus_100_per_s": 80.0, "postgres_gaps": 1.0},
            "floor": {"append_per_s": 20_000.0, "bus_100_per_s": 90.0},
            "psygnal": {"bus_100_per_s": 40.0},
        },
        {},
        (0.0, 0.0),
    )

    assert result.ratios == {"append_per_s / floor": 0.75, "bus_100_per_s / psygnal": 2.0}
    assert {name: met for name, met in result.met.items() if met is not None} == {
        "append_per_s / floor": True,
        "append_per_s": True,
        "append_p99_us": False,
        "bus_100_per_s / psygnal": True,
        "postgres_gaps": False,
    }


@pytest.mark.parametrize(
    ("figure", "values", "told"),
    [
        pytest.param("append_per_s", [90.0, 70.0, 300.0], 90.0, id="rates: the median"),
        pytest.param("postgres_gaps", [0.0, 2.0, 0.0], 2.0, id="gaps: the most"),
        pytest.param("bus_others_of_2", [2.0, 1.0, 2.0], 1.0, id="isolation: the furthest from both"),
    ],
)
def test_what_is_promised_is_told_by_its_worst_round(figure: str, values: list[float], told: float) -> None:
    assert over_rounds(events.TARGETS, {"ours": {figure: list(values)}}) == {"ours": {figure: told}}


def test_contenders_take_turns_and_count_on() -> None:
    """Slices of each in between those of the others; a log needs numbers that never come twice."""
    seen: list[tuple[str, int]] = []

    timed = one_by_one(
        {"a": lambda number: seen.append(("a", number)), "b": lambda number: seen.append(("b", number))}, 0.01
    )

    for name in ("a", "b"):
        numbers = [number for one, number in seen if one == name]
        assert numbers == list(range(len(timed[name].times)))
    changes = sum(before != after for (before, _), (after, _) in pairwise(seen))
    assert changes >= 11


def test_ours_and_the_floor_answer(tmp_path: Path) -> None:
    """Every figure is a positive number; a log that is not whole would be an error."""
    with contenders.contenders("events", tmp_path) as processes:
        for group in ("append", "batch", "waiting", "bus", "history"):
            told = contenders.ask(processes["ours"], group, 0.02, tmp_path / "ours")

            figures = [value for values in told.values() for value in values.values()]
            assert figures
            assert all(value is not None and value > 0 for value in figures), told


def test_an_unknown_group_is_told(tmp_path: Path) -> None:
    """Not as a figure that is missing."""
    with contenders.contenders("events", tmp_path) as processes, pytest.raises(BenchmarkError, match="no such group"):
        contenders.ask(processes["ours"], "no-such-group", 0.01, tmp_path / "ours")
