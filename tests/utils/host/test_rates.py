"""A rate is what was counted between two looks, or nothing: never an absurd figure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.host.rates import CounterRates, seconds_between

READINGS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["eth0", "eth1", "lo"]), st.tuples(st.integers(0, 2**64)), max_size=3),
        st.floats(0.0, 1e9),
        st.floats(0.0, 1e10),
    ),
    max_size=12,
)


def test_a_rate_is_the_growth_a_second() -> None:
    """Of all sources together; the first look has nothing to compare with."""
    rates = CounterRates()

    first = rates.rates({"eth0": (100, 10), "eth1": (0, 0)}, (1.0, 1001.0))
    second = rates.rates({"eth0": (300, 10), "eth1": (50, 5)}, (3.0, 1003.0))

    assert first is None
    assert second == (125.0, 2.5)


@pytest.mark.parametrize(
    ("counters", "looked"),
    [
        ({"eth0": (50,)}, (2.0, 1002.0)),
        ({"eth0": (200,)}, (2.0, 9000.0)),
        ({"eth0": (200,)}, (2.0, 400.0)),
        ({"eth0": (200,)}, (1.0, 1001.0)),
        ({"eth0": (7_626_516_000_000_000_000,)}, (2.0, 1002.0)),
        ({"eth1": (200,)}, (2.0, 1002.0)),
        ({}, (2.0, 1002.0)),
        (None, (2.0, 1002.0)),
    ],
    ids=[
        "reset",
        "set forward or slept",
        "set back",
        "no time passed",
        "absurd",
        "another interface",
        "none",
        "unread",
    ],
)
def test_what_cannot_be_compared_has_no_rate(
    counters: dict[str, tuple[float, ...]] | None, looked: tuple[float, float]
) -> None:
    """And the look after it compares again, from there."""
    rates = CounterRates()
    rates.rates({"eth0": (100,)}, (1.0, 1001.0))

    assert rates.rates(counters, looked) is None

    rates.rates({"eth0": (1000,)}, (looked[0] + 10, looked[1] + 10))
    assert rates.rates({"eth0": (1500,)}, (looked[0] + 20, looked[1] + 20)) == (50.0,)


def test_an_interface_that_comes_with_old_counts_is_no_flood() -> None:
    """Only what was there at both looks counts."""
    rates = CounterRates()
    rates.rates({"eth0": (100,)}, (1.0, 1001.0))

    assert rates.rates({"eth0": (110,), "wg0": (10**12,)}, (2.0, 1002.0)) == (10.0,)


@given(readings=READINGS)
def test_no_reading_gives_an_absurd_rate(readings: list[tuple[dict[str, tuple[float, ...]], float, float]]) -> None:
    """Whatever the counters and the clocks say, it is nothing, or between zero and a terabyte a second."""
    rates = CounterRates()

    for counters, monotonic, wall in readings:
        found = rates.rates(counters, (monotonic, wall))
        assert found is None or all(0.0 <= one <= 3e12 for one in found)


def test_a_little_drift_between_the_clocks_is_no_jump() -> None:
    """Time servers slew a clock; over a long while that adds up."""
    assert seconds_between((0.0, 0.0), (30.0, 30.4)) == 30.0
    assert seconds_between((0.0, 0.0), (3600.0, 3500.0)) == 3600.0
    assert seconds_between((0.0, 0.0), (30.0, 40.0)) is None
