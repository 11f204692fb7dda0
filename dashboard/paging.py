"""Pages of a list: which one the address names, and the way to others."""

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

from dashboard.address import given, go
from dashboard.here import Here

__all__ = ["number", "older", "pages_of", "part", "turn"]

T = TypeVar("T")


def number(name: str) -> int:
    """The page that the address names, from 1; the first where it names none, or what is no number."""
    asked = given(name)
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1


def part(rows: Sequence[T], name: str, size: int) -> tuple[int, Sequence[T]]:
    """Those of a long list that the page shows which is named in the address, and how many stand before them.

    A page of some thousand rows takes a browser many seconds, and every look at what is new as long again.
    """
    begin = (min(number(name), pages_of(rows, size)) - 1) * size
    return begin, rows[begin : begin + size]


def pages_of(rows: Sequence[object], size: int) -> int:
    """How many pages a list has, one at least."""
    return max(1, -(-len(rows) // size))


def turn(name: str, pages: int, *, forget: Sequence[str] = ()) -> None:
    """The way to the other pages of a list, where there are any.

    Args:
        forget: Other names of the address that are taken out when another page is chosen.
    """
    if pages > 1:
        page = min(number(name), pages)
        # The address is what counts. So another page is another widget: one widget would have a place of its own.
        key = f"{name}-{page}"
        st.pagination(pages, default=page, key=key, on_change=_turned, args=(name, key, *forget))


def _turned(name: str, key: str, *forget: str) -> None:
    go(**{name: str(st.session_state[key])}, **dict.fromkeys(forget, ""))


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
