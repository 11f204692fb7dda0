"""Reasons in words."""

import numpy as np
import pytest

from data_pipeline.detect.explain import number, reason


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        (1204.0, (2310.4, 2480.0), "1,204"),
        (2310.4, (2480.0,), "2,310"),
        (99.25, (98.0,), "99.25"),
        (153.27, (), "153.3"),
        (0.98213, (1.0,), "0.982"),
        (0.0, (0.0,), "0"),
        (3.2e12, (), "3.2e+12"),
        (0.00012345, (), "0.000123"),
        (0.0, (1e-5,), "0"),
        (-1204.0, (), "-1,204"),
    ],
)
def test_numbers_read_as_people_write_them(value, beside, text):
    """Thousands separated, no more decimals than tell the numbers apart."""
    assert number(value, *beside) == text


@pytest.mark.parametrize(
    ("value", "past", "end"),
    [
        (5.0, [10.0, 11.0, 10.0], "lowest of 4 points"),
        (20.0, [10.0, 11.0, 10.0], "highest of 4 points"),
        (5.0, [10.0, 4.0, 10.0], "1 of the 3 points before it was as low"),
        (20.0, [20.0, 21.0, 10.0], "2 of the 3 points before it were as high"),
    ],
)
def test_the_rank_is_told(value, past, end):
    """How rare the value is among the points before it."""
    assert reason("rows", 0.0, value, (9.0, 12.0), np.array(past)) == f"rows {value:g}, expected 9 to 12; {end}"


def test_a_band_without_width_is_one_number():
    """Expected exactly one value: it is said once."""
    assert reason("attempts", 0.0, 4.0, (1.0, 1.0), np.ones(3)) == "attempts 4, expected 1; highest of 4 points"
