"""Durations and sizes: what is written is what is meant, and what is unclear is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.durations import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("30s", 30.0), ("15m", 900.0), ("2h", 7200.0), ("7d", 604800.0), ("1.5h", 5400.0)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    """Every unit of the contract becomes float seconds."""
    assert parse_duration(text) == seconds


def test_zero_needs_no_unit() -> None:
    """0 is 0 in every unit."""
    assert [parse_duration(0), parse_duration("0"), parse_duration("0d")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "value", ["15 minutes", "", "m", "-5s", "1e3s", 15, 1.5, True, None, [1], {}, float("nan"), "9" * 99 + "s"]
)
def test_what_is_no_duration_is_refused_with_an_example(value: object) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match="expected a duration such as `15m`, got"):
        parse_duration(value)


def test_a_duration_is_a_hundred_years_at_most() -> None:
    """Beyond it dates have no year, and waits no end: that would be told in the middle of a run."""
    assert parse_duration("36500d") == 36_500 * 86_400.0
    with pytest.raises(ValueError, match="expected at most 36500d, got `36501d`"):
        parse_duration("36501d")


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MB", 64_000_000), ("2GB", 2 * 10**9), ("1KiB", 1024), ("10", 10), (7, 7), ("5 mb", 5_000_000)],
)
def test_a_size_is_bytes(text: object, size: int) -> None:
    """Decimal and binary units are told apart; a bare whole number is bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("value", ["64 megs", "", "-1MB", -1, 1.5, True, None, [], 2**63, "9" * 30])
def test_what_is_no_size_is_refused_with_an_example(value: object) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match="expected a size such as `64MB`, got"):
        parse_size(value)


@given(st.integers(0, 10**12))
def test_milliseconds_survive_being_written_and_read(milliseconds: int) -> None:
    """A duration written by us means the same when read again."""
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12)


@given(st.integers(0, 10**14))
def test_sizes_survive_being_written_and_read(size: int) -> None:
    """A size written by us means the same when read again."""
    assert parse_size(format_size(size)) == size
