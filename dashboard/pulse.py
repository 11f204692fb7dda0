"""What makes a page live: one small fragment looks every two seconds, and redraws what would look different."""

from collections.abc import Callable

import streamlit as st

from dashboard.buttons import asked
from dashboard.here import Here
from dashboard.panels import badge

__all__ = ["pulse"]

EVERY, EVERY_WHEN_BUSY = 2.0, 1.0
"""Seconds between two looks."""


def pulse(here: Here, looks: Callable[[], object]) -> None:
    """Draw the result of the last click and how fresh the page is; look again while the page is live.

    Args:
        looks: The model of the page; when it is another one than was drawn, the page is drawn again. Equal models look
            the same. It is computed every two seconds for each window, so it is cheap: answers are shared.
    """
    st.session_state["drawn"], st.session_state["drawing"] = looks(), True
    busy = (last := asked(here)) is not None and last[0] == "busy"
    every = EVERY_WHEN_BUSY if busy else EVERY if here.live and here.as_of is None else None
    st.fragment(_pulse, run_every=every)(here, looks, busy)
    st.session_state["drawing"] = False


def _pulse(here: Here, looks: Callable[[], object], busy: bool) -> None:
    last = asked(here)
    if last is not None:
        tone, word, words, share = last
        with st.container(key="report", border=True, gap="xsmall"):
            badge(tone, word)
            st.text(words)
            if share is not None:
                st.progress(share)
    with st.container(key="faint-live"):
        st.text(_freshness(here))
    if st.session_state.get("drawing"):
        return  # part of a whole drawing, which must come to its end
    ended = busy and (last is None or last[0] != "busy")
    if ended or (here.live and looks() != st.session_state.get("drawn")):
        st.rerun()


def _freshness(here: Here) -> str:
    answer = here.ask("status")
    if answer.at is None:
        return here.words("not yet")
    words = here.words("updated {ago}", ago=here.words.ago((here.source.now() - answer.at).total_seconds()))
    return words if here.live else f"{here.words('paused')} · {words}"
