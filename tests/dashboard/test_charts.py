"""What is drawn: lines from numbers only, bars readable without their colours."""

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.charts import HEIGHT, WIDTH, runs_figure, sparkline
from dashboard.view_model import Bar

NUMBERS = st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=60)
COUNTS = (("skipped", 0), ("succeeded", 3), ("degraded", 1), ("failed", 2))


@settings(max_examples=60)
@given(NUMBERS)
def test_a_sparkline_stays_inside_its_frame(points: list[float]) -> None:
    """Whatever the numbers, every point of the line is within the picture."""
    drawing = ET.fromstring(sparkline(points))

    line = drawing.find("{http://www.w3.org/2000/svg}polyline")
    assert line is not None
    places = [tuple(map(float, place.split(","))) for place in line.get("points", "").split()]
    assert len(places) == len(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_a_flat_line_runs_through_the_middle() -> None:
    """Equal values are not the lowest and not the highest."""
    assert sparkline([180.0, 180.0]).count(f"{HEIGHT / 2:.1f}") == 3


def test_each_run_has_its_own_bar_even_in_the_same_second() -> None:
    """Bars stand by position, not by their time's text."""
    figure = runs_figure((Bar("20 Nov 12:41:03", COUNTS), Bar("20 Nov 12:41:03", COUNTS)))

    assert [list(trace.x) for trace in figure.data] == [[0, 1]] * 3


def test_every_status_has_a_pattern_of_its_own() -> None:
    """The chart can be read without its colours; what never occurred has no place in the legend."""
    figure = runs_figure((Bar("12:00", COUNTS),))

    names = [trace.name for trace in figure.data]
    patterns = {trace.marker.pattern.shape for trace in figure.data}
    assert names == ["succeeded", "degraded", "failed"]
    assert len(patterns) == 3


def test_zoom_and_scroll_survive_a_new_drawing() -> None:
    """The figure keeps its `uirevision`."""
    assert runs_figure((Bar("12:00", COUNTS),)).layout.uirevision == "runs"
