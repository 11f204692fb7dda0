"""Lines over time: nothing that sticks out is lost, nothing foreign is understood as HTML."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.series import STRETCHES, Band, Line, Mark, line_of, series_figure
from integrated_system import IntegratedSystem
from operations.metric_history import metric_history
from tests.dashboard.configuration import HARM

NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40))
def test_each_stretch_shows_its_least_and_its_greatest_value(pairs: list[tuple[float, float]]) -> None:
    """In the order of time, two points each at most."""
    low, high = tuple(min(pair) for pair in pairs), tuple(max(pair) for pair in pairs)
    line = Line("a", tuple(float(n) for n in range(len(pairs))), low, high)

    drawn = series_figure([line], revision="a").data[0]

    assert np.all(np.diff(drawn.x) >= 0)
    assert len(drawn.y) <= 2 * len(pairs)
    span = max(high) - min(low)
    assert max(drawn.y) == pytest.approx(max(high), abs=1e-5 * span + 1e-300)
    assert min(drawn.y) == pytest.approx(min(low), abs=1e-5 * span + 1e-300)


def test_one_value_that_sticks_out_of_a_hundred_thousand_is_drawn(system: IntegratedSystem) -> None:
    """The line has at most two points for each stretch that was asked for."""
    end = system.clock.now()
    times = end.timestamp() - np.arange(100_000)[::-1] * 0.8 - 1
    values = np.sin(np.arange(100_000) / 5_000)
    values[71_234] = 99.0
    system.history.append("load", times.tolist(), values.tolist())

    (curve,) = metric_history(system, ["load"], points=STRETCHES)
    drawn = series_figure([line_of(curve.to_json())], revision="load").data[0]

    assert max(drawn.y) == 99.0
    assert len(drawn.y) <= 2 * STRETCHES


def test_foreign_names_and_words_are_text(system: IntegratedSystem) -> None:
    """Plotly would understand links and pictures."""
    line = Line(HARM, (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))

    figure = series_figure(
        [line], revision="a", marks=[Mark(0.0, 1.0, HARM)], bands=[Band(HARM, (0.0,), (0.0,), (1.0,))], unit=HARM
    )

    assert "<img" not in figure.to_json()
    assert "&lt;img" in figure.to_json()


@pytest.mark.parametrize(
    "line",
    [
        Line("a", (), (), ()),
        Line("a", (1.0,), (2.0,), (2.0,)),
        Line("a", (1.0, 2.0), (float("nan"),) * 2, (float("nan"),) * 2),
        Line("a", (1.0, 2.0), (1.0, float("-inf")), (float("inf"), 2.0)),
    ],
    ids=["empty", "one point", "not numbers", "infinite"],
)
def test_odd_lines_are_drawn_without_an_error(line: Line) -> None:
    """And can be sent to the browser."""
    figure = series_figure(
        [line], revision="a", period=(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    )

    assert figure.to_json()


def test_large_values_that_hardly_differ_keep_their_steps() -> None:
    """float32 would make a staircase of them."""
    values = tuple(1e9 + n for n in range(50))
    line = Line("a", tuple(float(n) for n in range(50)), values, values)

    drawn = series_figure([line], revision="a").data[0]

    assert list(drawn.y) == list(values)
