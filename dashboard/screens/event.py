"""One event, whole."""

from collections.abc import Mapping

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.view_model.base import Panel
from dashboard.view_model.event import Field, OneEvent, one_event


def draw_event(here: Here, seq: int, kept: Mapping[str, str]) -> None:
    """Draw it; `kept`: the filters of the list to go back to."""
    words = here.words
    model = _model(here, seq)
    with st.container(key="links-around", horizontal=True):
        here.link("events", words("All events"), icon=":material/arrow_back:", **kept)
        if seq > 1:
            here.link("events", words("Before"), icon=":material/chevron_left:", event=str(seq - 1), **kept)
        if model.seq:
            here.link("events", words("After"), icon=":material/chevron_right:", event=str(seq + 1), **kept)
    if model.face is not None:
        panels.face(here, "event", model.face)
    if model.seq:
        _draw(here, model)
    pulse(here, lambda: _model(here, seq))


def _model(here: Here, seq: int) -> OneEvent:
    return one_event(here.ask("event", seq), here.words, here.now)


def _draw(here: Here, model: OneEvent) -> None:
    words = here.words
    with st.container(key="sentence"):
        st.text(model.sentence)
    with st.container(key="links-more", horizontal=True):
        if model.dataset:
            here.link("dataset", words("The dataset"), icon=":material/table:", dataset=model.dataset)
        if model.run:
            here.link("runs", words("The run"), icon=":material/view_timeline:", run=model.run)
            here.link("events", words("Events of the run"), icon=":material/history:", of_run=model.run)
        here.link("events", words("All of this subject"), icon=":material/history:", subject=model.subject)
        here.link("overview", words("Everything as of this moment"), icon=":material/schedule:", as_of=model.time)
    with panels.framed(here, "fields", words("What it says"), Panel(note=model.note)):
        _table(here, "fields", model.fields)
        if model.fields:
            panels.download(here, "event", lambda: [field.to_csv() for field in model.fields])
    with panels.framed(here, "chain", words("Its place in the log"), Panel()):
        _table(here, "chain", (Field(words("Source"), model.source), *model.chain))
    with st.expander(words("As JSON"), icon=":material/data_object:", key="event-json"):
        st.code(model.json, language="json", wrap_lines=True)


def _table(here: Here, name: str, fields: tuple[Field, ...]) -> None:
    """Names and values as text, in two columns."""
    if not fields:
        st.text(here.words("Nothing more."))
        return
    with st.container(key=f"list-{name}", gap="xxsmall"):
        for n, field in enumerate(fields):
            with st.container(key=f"row-{name}-{n}", horizontal=True, vertical_alignment="top"):
                with st.container(key=f"faint-{name}-{n}", width=260):
                    st.text(field.name)
                with st.container(key=f"value-{name}-{n}", width="stretch"):
                    st.text(field.value)
