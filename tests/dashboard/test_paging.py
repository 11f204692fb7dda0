"""Which page of a list the address names."""

import pytest

from dashboard import paging


@pytest.mark.parametrize(
    ("asked", "number"),
    [("3", 3), ("", 1), ("0", 1), ("-2", 1), ("x", 1), ("²", 1), ("9" * 400, 1)],
    ids=["a number", "none", "nought", "below", "a word", "no digit of ours", "endless"],
)
def test_a_page_is_a_number_whatever_stands_in_the_address(
    monkeypatch: pytest.MonkeyPatch, asked: str, number: int
) -> None:
    """An address is typed by anybody."""
    monkeypatch.setattr("streamlit.query_params", {"rows": asked})

    assert paging.number("rows") == number
