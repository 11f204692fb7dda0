"""What makes a page live: one small fragment looks every two seconds, and redraws what would look different."""

from collections.abc import Callable

import streamlit as st

from dashboard.buttons import CONFIRMING, asked, dismiss
from dashboard.here import Here
from dashboard.panels import badge
from dashboard.view_model.report import Report
from operations.trouble import told

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
    here.drawing.end()
    busy = (last := asked(here)) is not None and last.busy
    every = EVERY_WHEN_BUSY if busy else EVERY if here.live and here.as_of is None else None
    st.fragment(_pulse, run_every=every)(here, looks, busy)
    st.session_state["drawing"] = False


def _pulse(here: Here, looks: Callable[[], object], busy: bool) -> None:
    last = asked(here)
    if last is not None:
        _report(here, last)
    if here.as_of is None:
        with st.container(key="faint-live"):
            st.text(_freshness(here))
    if st.session_state.get("drawing") or st.session_state.get(CONFIRMING):
        return  # part of a whole drawing, which must come to its end; or a question is open, which would close
    ended = busy and (last is None or not last.busy)
    if ended or (here.live and here.as_of is None and _other(looks)):
        st.rerun()


def _other(looks: Callable[[], object]) -> bool:
    """Whether the page would look different."""
    try:
        return looks() != st.session_state.get("drawn")
    except Exception as error:  # noqa: BLE001 - logged; the page that is drawn again says it
        told(error)
        return True


def _report(here: Here, last: Report) -> None:
    with st.container(key="report", border=True, gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            badge(last.tone, last.word)
            st.button(here.words("Close"), key="dismiss", type="tertiary", icon=":material/close:", on_click=dismiss)
        st.text(last.words)
        if last.share is not None:
            st.progress(last.share)


def _freshness(here: Here) -> str:
    answer = here.ask("status")
    if answer.at is None:
        return here.words("not yet")
    if not here.live:
        return here.words("paused at {time}", time=here.words.clock(answer.at, seconds=True))
    return here.words("updated {ago}", ago=here.words.ago((here.source.now() - answer.at).total_seconds()))
