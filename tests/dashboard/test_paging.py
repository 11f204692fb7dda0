"""Which page of a list the address names."""

import pytest
from streamlit.testing.v1 import AppTest

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


@pytest.mark.parametrize(("asked", "shown"), [("", "abc"), ("2", "def"), ("3", "g"), ("7", "g")])
def test_a_long_list_is_shown_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch, asked: str, shown: str) -> None:
    """A page that there is not is the last."""
    monkeypatch.setattr("streamlit.query_params", {"letters": asked})

    before, found = paging.part("abcdefg", "letters", 3)

    assert (found, "abcdefg"[before : before + 3]) == (shown, shown)


def test_another_page_stands_in_the_address_and_what_belonged_to_this_one_is_gone() -> None:
    """As a click does it."""

    def script() -> None:
        import streamlit as st

        from dashboard import paging

        paging.turn("letters", 3, forget=["chosen"])
        st.text(paging.number("letters"))

    app = AppTest.from_function(script)
    app.query_params["chosen"] = "b"
    app.run()
    app.pagination[0].set_value(3).run()

    assert not app.exception
    assert app.text[0].value == "3"
    assert app.pagination[0].value == 3
    assert "chosen" not in app.query_params
    app.pagination[0].set_value(2).run()
    assert app.text[0].value == "2"
