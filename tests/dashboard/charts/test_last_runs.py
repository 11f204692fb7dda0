"""Bars that can be read without their colours."""

from dashboard.charts.last_runs import last_runs
from dashboard.language import Words
from dashboard.view_model.overview import Bar

COUNTS = (("skipped", 0), ("succeeded", 3), ("degraded", 1), ("failed", 2))


def test_each_run_has_its_own_bar_even_in_the_same_second() -> None:
    """Bars stand by position, not by their time's text."""
    figure = last_runs((Bar("20 Nov 12:41:03", COUNTS), Bar("20 Nov 12:41:03", COUNTS)), Words())

    assert [list(trace.x) for trace in figure.data] == [[0, 1]] * 3


def test_every_status_has_a_pattern_of_its_own() -> None:
    """What never occurred has no place in the legend."""
    figure = last_runs((Bar("12:00", COUNTS),), Words())

    names = [trace.name for trace in figure.data]
    patterns = {trace.marker.pattern.shape for trace in figure.data}
    assert names == ["succeeded", "degraded", "failed"]
    assert len(patterns) == 3


def test_zoom_and_scroll_survive_a_new_drawing() -> None:
    """The figure keeps its `uirevision`, and says it in the reader's language."""
    figure = last_runs((Bar("12:00", COUNTS),), Words.of("pt"))

    assert figure.layout.uirevision == "last-runs"
    assert figure.data[2].name == "falhou"
