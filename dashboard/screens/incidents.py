"""What is wrong, since when, and who takes it."""

import streamlit as st

from dashboard import paging, panels
from dashboard.address import choice, given, go
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.screens import incidents_one, incidents_post, incidents_quiet
from dashboard.view_model.base import Panel
from dashboard.view_model.incident import Incident, incident
from dashboard.view_model.incidents import GROUPS, MOST_OVER, Group, Incidents, Line, incidents
from dashboard.words import key_of


def draw(here: Here) -> None:
    """Draw the page."""
    words = here.words
    listed = _listed(here)
    with st.container(key="sentence"):
        st.text(listed.sentence)
    if listed.face is not None:
        panels.face(here, "incidents", listed.face)
    choice("show", words("Which incidents"), dict(listed.counts), "open", forget=("incident", "page"))
    listed = _listed(here)
    chosen = _chosen(listed)
    if chosen:
        left, right = st.columns([5, 8], gap="large")
        with left:
            _list(here, listed, chosen)
        with right:
            incidents_one.draw(here, _one(here, chosen))
    elif listed.face is None:
        with st.container(key="faint-none"):
            st.text(_nothing(here))
    incidents_quiet.draw(here)
    if here.as_of is None:
        incidents_post.draw(here)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> object:
    """All that is drawn."""
    listed = _listed(here)
    chosen = _chosen(listed)
    one = _one(here, chosen) if chosen else None
    beside = incidents_post.model(here) if here.as_of is None else None
    return listed, one, incidents_quiet.model(here), beside


def _listed(here: Here) -> Incidents:
    answer = here.ask("incidents", over=MOST_OVER, as_of=here.as_of)
    return incidents(
        answer,
        here.words,
        here.now,
        since=here.since,
        group=_group(),
        page=paging.number("page"),
    )


def _group() -> Group:
    asked = given("show", "open")
    return next((one for one in GROUPS if one == asked), "open")


def _chosen(listed: Incidents) -> str:
    """The incident that is shown whole: that of the address, else the first of the list; "" none."""
    return given("incident") or (listed.lines[0].id if listed.lines else "")


def _one(here: Here, chosen: str) -> Incident:
    return incident(chosen, here.ask("explain", chosen, as_of=here.as_of), here.words, here.now)


def _nothing(here: Here) -> str:
    words = here.words
    said = {
        "open": words("None is open."),
        "taken": words("Nobody has taken one."),
        "quiet": words("None is kept quiet."),
        "over": words("None ended in this period."),
    }
    return said[_group()]


def _list(here: Here, listed: Incidents, chosen: str) -> None:
    panel: Panel[Line] = Panel(listed.lines)
    with panels.framed(here, "incident-list", here.words("Incidents"), panel):
        if not listed.lines:
            st.text(_nothing(here))
        for line in listed.lines:
            _line(here, line, chosen)
        paging.turn("page", listed.pages, forget=["incident"])


def _line(here: Here, line: Line, chosen: str) -> None:
    name = key_of(line.id)
    with st.container(key=f"tile-incident-{name}", border=True, gap="xsmall"):
        with st.container(
            key=f"row-incident-{name}", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            panels.badge(line.tone, line.severity)
            shown = line.id == chosen
            st.button(
                here.words("Shown") if shown else here.words("Show"),
                key=f"show-{name}",
                type="tertiary",
                icon=":material/arrow_forward:",
                disabled=shown,
                on_click=lambda: go(incident=line.id),
            )
        with st.container(key=f"reason-incident-{name}"):
            st.text(line.title)
        with st.container(key=f"faint-incident-{name}", gap=None):
            st.text(line.when)
            st.text(line.touches)
