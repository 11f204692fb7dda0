"""The result of the resilience benchmark: what is taken over the rounds, which targets are met, how it is shown."""

from pathlib import Path

import pytest

from benchmarks import comparison, contenders, resilience
from benchmarks.comparison import Comparison
from benchmarks.loops import Value
from benchmarks.measure import BenchmarkError
from benchmarks.resilience import compared


def of(told: dict[str, dict[str, Value]]) -> Comparison:
    return compared(told, {"cpu": "one"}, (0.0, 0.1))


@pytest.mark.parametrize(
    ("figure", "values", "told"),
    [
        pytest.param("breaker_success_ns", [90.0, 70.0, 300.0], 90.0, id="times: the median"),
        pytest.param("half_open_probes", [3.0, 3.0, 4.0, 1.0, 3.0], 1.0, id="probes: the furthest from the permitted"),
        pytest.param("limiter_excess_calls", [-2.0, 0.5, -1.0], 0.5, id="excess: the largest"),
        pytest.param("cold_key_computations", [1.0, 2.0, 1.0], 2.0, id="computations: the most"),
        pytest.param("calls_to_open", [5.0, None, 5.0], None, id="a circuit that stayed closed once"),
    ],
)
def test_counts_are_the_worst_of_all_rounds_and_times_the_median(
    figure: str, values: list[Value], told: float | None
) -> None:
    """One bad round must show where a promise is at stake, and must not where only the machine was busy."""
    assert comparison.over_rounds(resilience.TARGETS, {"ours": {figure: values}}) == {"ours": {figure: told}}


def test_targets_are_judged_by_our_figures_and_by_ratios_to_the_peers() -> None:
    """A ratio is ours divided by the peer's; a target whose figures are missing is neither met nor missed."""
    result = of(
        {
            "ours": {"breaker_success_ns": 60.0, "half_open_probes": 2.0, "calls_8x5_ms": 101.0, "calls_to_open": None},
            "circuitbreaker": {"breaker_success_ns": 40.0, "half_open_probes": 50.0},
            "interlock-cb": {"breaker_success_ns": 600.0},
            "floor": {"breaker_success_ns": 30.0},
        }
    )

    assert result.ratios["breaker_success_ns / circuitbreaker"] == 1.5
    assert {name: met for name, met in result.met.items() if met is not None} == {
        "breaker_success_ns / interlock-cb": True,
        "breaker_success_ns / circuitbreaker": False,
        "half_open_probes": False,
        "calls_8x5_ms": True,
        "calls_to_open": False,
    }
    assert result.met["chain_success_us / tenacity"] is None
    assert result.floor == {"breaker_success_ns": 30.0}
    assert list(result.peers) == ["circuitbreaker", "interlock-cb"]


def test_every_figure_has_a_row_with_peers_floor_ratio_and_target() -> None:
    """A count that never came true says so; what was not measured is left empty."""
    shown = of(
        {
            "ours": {"calls_to_open": 5.0, "limiter_grant_ns": 350.0},
            "pybreaker": {"calls_to_open": None},
            "limits": {"limiter_grant_ns": 1000.0},
            "floor": {"limiter_grant_ns": 200.0},
        }
    ).to_markdown()

    assert "| calls_to_open | 5 | pybreaker never |  |  | at the minimum, 5 | met |" in shown.splitlines()
    assert (
        "| limiter_grant_ns | 350 | limits 1,000 | 200 | 0.35 of limits | >= 4 x faster than limits | **missed** |"
        in shown.splitlines()
    )


def test_a_contender_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    """Not as a figure that is missing."""
    with (
        contenders.contenders("resilience", tmp_path) as processes,
        pytest.raises(BenchmarkError, match="no such group"),
    ):
        contenders.ask(processes["ours"], "no-such-group", 0.001, tmp_path / "ours")
