"""Pages of a list: which one the address names, and the way to others."""

import streamlit as st

from dashboard.address import given, go
from dashboard.here import Here

__all__ = ["number", "older"]


def number(name: str) -> int:
    """The page that the address names, from 1; the first where it names none, or what is no number."""
    asked = given(name)
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1


def older(here: Here, after: str) -> None:
    """Buttons to what is older, and back to the newest, of a list that is read by cursors (`page` in the address).

    Args:
        after: The cursor of the page after this one; "": there is none.
    """
    words = here.words
    if given("page"):
        st.button(words("Newest"), key="newest", icon=":material/first_page:", on_click=go, kwargs={"page": ""})
    if after:
        st.button(words("Older"), key="older", icon=":material/chevron_right:", on_click=go, kwargs={"page": after})
