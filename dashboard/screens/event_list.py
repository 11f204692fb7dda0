"""Events as a list, each of which leads to the whole event: for the page of events, and for that of a run."""

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.events import EventRow
from dashboard.words import Tone


def draw_rows(here: Here, panel: Panel[EventRow], **kept: str) -> None:
    """The rows; `kept`: what stays in the address when one is followed."""
    with st.container(key="list-events", gap="xsmall"):
        for n, row in enumerate(panel.rows):
            with st.container(key=f"row-event-{n}", horizontal=True, vertical_alignment="center"):
                st.text(row.when)
                _sign(row.tone)
                here.link("events", row.type, event=str(row.seq), **kept)
                st.text(row.about)
                if row.words:
                    with st.container(key=f"faint-event-{n}", width="content"):
                        st.text(row.words)


def _sign(tone: Tone) -> None:
    """How it sounds, as a sign with a shape of its own: the type beside it says it in words."""
    st.badge("", icon=panels.ICONS[tone], color=panels.COLOURS[tone])  # type: ignore[arg-type]  # a literal
