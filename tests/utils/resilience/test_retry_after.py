"""What a server means by `Retry-After`, whatever our clock says."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.resilience.retry_after import LONGEST, retry_after

NOW = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1975, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


def written(moment: datetime) -> str:
    """As RFC 9110 wants a date."""
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", None),
        ("-3", None),
        ("Sun, 01 Mar 2026 07:06:30 GMT", 60.0),
        ("Sunday, 01-Mar-26 07:06:30 GMT", 60.0),
        ("Sun Mar  1 07:06:30 2026", 60.0),
        ("Sun, 01 Mar 2026 07:00:00 GMT", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("\u0667", None),
        ("99999999999999", None),
    ],
    ids=[
        "seconds",
        "seconds among blanks",
        "a fraction",
        "zero",
        "below zero",
        "a date",
        "a date as of RFC 850",
        "a date as of asctime",
        "a date gone by",
        "a word",
        "nothing",
        "an exponent",
        "a digit of another script",
        "three million years",
    ],
)
def test_seconds_and_dates_are_read_and_the_rest_is_no_hint(value: str, seconds: float | None) -> None:
    """Never below or at zero."""
    assert retry_after(value, now=NOW) == seconds


@given(answered=MOMENTS, wait=st.integers(-1000, 10**6), skew=st.integers(-(10**9), 10**9))
@settings(max_examples=few(100), deadline=None)
def test_a_date_is_relative_to_the_answer_s_own_date(answered: datetime, wait: int, skew: int) -> None:
    """However far the provider's clock and ours are apart."""
    asked = written(answered + timedelta(seconds=wait))

    found = retry_after(asked, now=answered + timedelta(seconds=skew), date=written(answered))

    assert found == (float(wait) if wait > 0 else None)


@given(now=MOMENTS, wait=st.integers(1, 10**6), date=st.sampled_from(["", "yesterday", "Sun, 99 Mar 2026"]))
@settings(max_examples=few(50), deadline=None)
def test_without_a_readable_date_our_own_clock_counts(now: datetime, wait: int, date: str) -> None:
    """To the second."""
    assert retry_after(written(now + timedelta(seconds=wait)), now=now, date=date) == wait


@given(value=st.text(max_size=40), date=st.text(max_size=40))
@settings(max_examples=few(300), deadline=None)
def test_no_header_breaks_it(value: str, date: str) -> None:
    """A hint is a number above zero, or there is none."""
    found = retry_after(value, now=NOW, date=date)

    assert found is None or 0 < found < LONGEST
