"""How is it set up? Schedules, maintenance, channels, and every value with where it came from."""

from typing import Any

import streamlit as st

from dashboard import login, panels
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.paging import pages_of, part, turn
from dashboard.pulse import pulse
from dashboard.view_model.base import Panel
from dashboard.view_model.settings import Schedule, Settings, Value, chosen, maintained, moved, settings
from dashboard.words import key_of

SCHEDULES = 50
"""Schedules at a time."""


def draw(here: Here) -> None:
    """Draw the page."""
    model = _model(here)
    with st.container(key="sentence"):
        st.text(model.sentence)
    _schedules(here, model.schedules)
    _maintenance(here)
    words = here.words
    left, right = st.columns(2, gap="medium")
    with left, panels.framed(here, "health", words("Is the system itself well?"), model.checks):
        panels.rows("check", model.checks)
    with right, panels.framed(here, "channels", words("Channels"), model.channels):
        panels.rows("channel", model.channels)
    _values(here, model)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> Settings:
    return settings(
        here.ask("configuration"),
        here.ask("schedules"),
        here.ask("health"),
        here.ask("channels"),
        here.words,
        here.source.now(),
    )


def _schedules(here: Here, panel: Panel[Schedule]) -> None:
    words = here.words
    with panels.framed(here, "schedules", words("Schedules"), panel):
        if len(panel.rows) > 1:
            with st.container(horizontal=True, key="schedules-all"):
                _move(here, words("Pause all"), "pause", (), "pause-all")
                _move(here, words("Resume all"), "resume", (), "resume-all")
        _, found = part(panel.rows, "schedules-page", SCHEDULES)
        for row in found:
            key = key_of(row.dataset)
            with st.container(key=f"row-schedule-{key}", horizontal=True, vertical_alignment="center"):
                panels.badge(row.tone, row.state)
                st.text(row.dataset)
                with st.container(key=f"faint-schedule-{key}", width="stretch"):
                    st.text(row.words)
                if row.paused:
                    _move(here, words("Resume"), "resume", (row.dataset,), f"resume-{key}")
                else:
                    _move(here, words("Pause"), "pause", (row.dataset,), f"pause-{key}")
        turn("schedules-page", pages_of(panel.rows, SCHEDULES))


def _move(here: Here, label: str, operation: str, datasets: tuple[str, ...], key: str) -> None:
    words = here.words
    more: dict[str, Any] = {}
    if operation == "pause":
        name = ", ".join(datasets) or words("every dataset")
        more = {"confirm": words("Nothing collects {name} on schedule until it is resumed.", name=name), "reason": True}
    act(here, label, operation, *datasets, key=key, told=lambda document: moved(document, words), **more)


def _maintenance(here: Here) -> None:
    words = here.words
    with panels.framed(here, "maintenance", words("Maintenance"), Panel(note=words("purge, prune, compact, verify"))):
        if not here.may_change:
            st.text(words("Operators can start it here."))
            return

        def told(document: Any) -> str:
            return maintained(document, words)

        with st.container(horizontal=True, key="maintenance"):
            act(
                here,
                words("Show what it would do"),
                "maintain",
                key="maintain-dry",
                icon=":material/preview:",
                told=told,
                dry_run=True,
            )
            act(
                here,
                words("Do it"),
                "maintain",
                key="maintain",
                icon=":material/cleaning_services:",
                told=told,
                confirm=words("What is past its retention is removed. This cannot be undone."),
            )


def _values(here: Here, model: Settings) -> None:
    words = here.words
    with panels.framed(here, "configuration", words("Configuration"), model.values):
        for n, file in enumerate(model.files):
            with st.container(key=f"faint-file-{n}"):
                st.text(file)
        with st.container(horizontal=True, vertical_alignment="bottom", key="configuration-choice"):
            search = st.text_input(words("Search"), key="search", bind="query-params")
            own = st.toggle(words("Only mine"), key="own", bind="query-params", help=words("Leave the defaults out"))
        found = chosen(model.values.rows, search or "", own=own)
        if found:
            st.dataframe(_table(here, found), hide_index=True, height="auto" if len(found) < 12 else 420, key="values")
            panels.download(here, "configuration", lambda: _rows(found))
        elif model.values.rows:
            st.text(words("No value is like that."))
    if here.caller.secret or here.caller.actor.name.startswith("oidc:"):
        st.button(words("Log out"), key="logout", on_click=login.leave, icon=":material/logout:")


def _table(here: Here, values: list[Value]) -> dict[str, list[str]]:
    words = here.words
    return {
        words("Key"): [value.key for value in values],
        words("Value"): [value.value for value in values],
        words("From"): [value.origin for value in values],
    }


def _rows(values: list[Value]) -> list[dict[str, object]]:
    return [{"key": value.key, "value": value.value, "from": value.origin} for value in values]
