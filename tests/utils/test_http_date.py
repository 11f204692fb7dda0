"""Dates of HTTP headers, in the three forms of RFC 9110."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.http_date import http_date


@given(st.datetimes(datetime(1975, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=few(50), deadline=None)
def test_a_date_is_read_as_it_was_written(moment: datetime) -> None:
    """To the second, and it knows that it is UTC."""
    assert http_date(format_datetime(moment, usegmt=True)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
    ids=["today's form", "RFC 850", "asctime"],
)
def test_all_forms_of_the_standard_are_read(value: str) -> None:
    """Old servers write the old ones."""
    assert http_date(value) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@given(st.text(max_size=40))
@settings(max_examples=few(200), deadline=None)
def test_any_other_text_is_no_date(value: str) -> None:
    """Nothing breaks it."""
    found = http_date(value)

    assert found is None or found.tzinfo is UTC
