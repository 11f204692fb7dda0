"""The last hour: in as much memory from first to last, with averages and slopes."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.host.samples import sampled
from utils.host.recent import FIGURES, Recent
from utils.host.sample import HostSample
from utils.host.trends import trend


def test_all_figures_are_those_of_a_sample() -> None:
    """A name that no sample has would never have a point."""
    assert set(FIGURES) <= set(HostSample.__slots__)


def test_a_window_has_the_points_that_were_measured() -> None:
    """Those of its seconds, without gaps, the oldest first."""
    recent = Recent()
    for second, percent in enumerate((10.0, None, 30.0, 40.0)):
        recent.note(sampled() if percent is None else sampled(cpu_percent=percent), 100.0 + second)

    assert recent.points("cpu_percent") == [(100.0, 10.0), (102.0, 30.0), (103.0, 40.0)]
    assert recent.points("cpu_percent", seconds=1.0) == [(102.0, 30.0), (103.0, 40.0)]
    assert recent.points("memory_percent") == []


def test_what_is_older_than_the_ring_is_gone() -> None:
    """An hour, or as many points as it has room for."""
    recent = Recent(seconds=10.0, points=5)
    for second in range(8):
        recent.note(sampled(cpu_percent=float(second)), float(second))

    assert [value for _, value in recent.points("cpu_percent")] == [3.0, 4.0, 5.0, 6.0, 7.0]
    recent.note(sampled(cpu_percent=1.0), 16.0)
    assert [value for _, value in recent.points("cpu_percent")] == [6.0, 7.0, 1.0]
    assert len(recent) == 5


def test_the_slope_is_told_for_an_hour() -> None:
    """A disk that grows by a percent each ten minutes grows by six an hour."""
    recent = Recent()
    for minute in range(30):
        recent.note(sampled(disk_percent=50.0 + minute / 10), minute * 60.0)

    found = recent.trend("disk_percent")

    assert found is not None
    assert found.mean == pytest.approx(51.45)
    assert found.per_hour == pytest.approx(6.0)
    assert recent.trend("swap_percent") is None


@given(
    slope=st.floats(-100, 100),
    level=st.floats(-1e6, 1e6),
    times=st.lists(st.integers(0, 3600), min_size=2, max_size=40, unique=True),
)
def test_a_line_is_found_again(slope: float, level: float, times: list[int]) -> None:
    """In whatever order its points come."""
    found = trend([(float(at), level + slope * at) for at in times])

    assert found is not None
    assert found.per_hour == pytest.approx(3600.0 * slope, rel=1e-3, abs=1e-2)


def test_points_of_one_moment_have_no_slope() -> None:
    """Their mean they have."""
    assert trend([(5.0, 1.0), (5.0, 3.0)]) == (2.0, None)
    assert trend([]) is None


def test_twenty_thousand_samples_take_no_more_memory_than_the_first() -> None:
    """The ring is made once."""
    recent = Recent()
    sample = sampled(**dict.fromkeys(FIGURES, 50.0))
    tracemalloc.start()
    try:
        recent.note(sample, 0.0)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 20_000):
            recent.note(sample, float(number))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert len(recent) == 7200
    assert grown < 50_000
