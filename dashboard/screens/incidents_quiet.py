"""What keeps quiet: silences that hold, maintenance windows that are to come; made and ended here."""

import streamlit as st

from dashboard import panels
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.screens.incidents_one import silence_form
from dashboard.view_model.base import Panel
from dashboard.view_model.silences import Silence, silences, suggested
from dashboard.words import key_of

__all__ = ["draw", "model"]


def model(here: Here) -> Panel[Silence]:
    return silences(here.ask("silences", as_of=here.as_of), here.words, here.now)


def draw(here: Here) -> None:
    words, found = here.words, model(here)
    with panels.framed(here, "silences", words("Silences and maintenance windows"), found):
        for line in found.rows:
            _line(here, line)
        if here.may_change:
            with st.popover(words("New silence or window"), icon=":material/notifications_off:", key="silence-new"):
                st.text(words("Nobody is told of what matches; it is listed all the same."))
                known = suggested(here.ask("datasets"), here.ask("providers"))
                silence_form(here, "silence-new", known, window=True)


def _line(here: Here, line: Silence) -> None:
    words, name = here.words, key_of(line.id)
    with st.container(key=f"row-silence-{name}", horizontal=True, vertical_alignment="center"):
        panels.badge(line.tone, line.state)
        st.text(line.matches)
        st.text(line.when)
        with st.container(key=f"faint-silence-{name}", width="content"):
            st.text(line.words)
        act(
            here,
            words("End it"),
            "end_silence",
            line.id,
            key=f"silence-end-{name}",
            icon=":material/notifications_active:",
            confirm=words("What it kept quiet, and is still wrong, is told."),
            told=lambda ended: words("{id} is over: what it kept quiet is told again.", id=ended["id"]),
        )
