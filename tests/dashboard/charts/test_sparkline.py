"""Small lines, drawn from numbers only."""

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.charts.sparkline import HEIGHT, WIDTH, sparkline

NUMBERS = st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=60)


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
