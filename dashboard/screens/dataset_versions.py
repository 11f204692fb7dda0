"""The versions, what may be decided about each, and what differs between two."""

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.screens.dataset_acts import decision, show_rows
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_versions import PAGE, VersionRow, differing, versions
from dashboard.words import key_of


def model(here: Here, name: str) -> Panel[VersionRow]:
    """The versions as they stand."""
    return versions(here.ask("versions", name, as_of=here.as_of), here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words = here.words
    if after := st.query_params.get("after"):
        _difference(here, head.name, st.query_params.get("before"), after)
    panel = model(here, head.name)
    with panels.framed(here, "versions", words("Versions"), panel):
        everything = st.query_params.get("all") == "1"
        for n, one in enumerate(panel.rows if everything else panel.rows[:PAGE]):
            _version(here, head.name, one, n)
        if len(panel.rows) > PAGE and not everything:
            text = words("Show all {count}", count=words.count(len(panel.rows)))
            st.button(text, key="all-versions", type="tertiary", on_click=_all)


def _all() -> None:
    st.query_params["all"] = "1"


def _version(here: Here, name: str, one: VersionRow, n: int) -> None:
    words, key = here.words, key_of(one.version)
    with st.container(key=f"row-version-{n}", horizontal=True, vertical_alignment="center"):
        st.text(one.when)
        panels.badge(one.tone, one.state)
        with st.container(key=f"faint-version-{n}", width="stretch"):
            st.text(one.words)
        st.button(
            words("Rows"),
            key=f"rows-{key}",
            type="tertiary",
            icon=":material/table_rows:",
            on_click=show_rows,
            args=(one.version,),
        )
        if one.before:
            st.button(
                words("What differs"),
                key=f"differs-{key}",
                type="tertiary",
                icon=":material/difference:",
                help=words("From the version accepted before it"),
                on_click=_compare,
                args=(one.before, one.version),
            )
        if one.decide == "accept":
            decision(here, name, "accept", one.version, "list", quiet=True)
            decision(here, name, "reject", one.version, "list", quiet=True)
        elif one.decide:
            decision(here, name, "rollback", one.version, "list", quiet=True)


def _compare(before: str, after: str) -> None:
    st.query_params["before"] = before
    st.query_params["after"] = after


def _close() -> None:
    for name in ("before", "after"):
        st.query_params.pop(name, None)


def _difference(here: Here, name: str, before: str | None, after: str) -> None:
    words = here.words
    found = differing(here.ask("difference", name, before, after), here.now, words)
    with panels.framed(here, "difference", words("What differs"), Panel(note=found.title, face=found.face)):
        panels.figures("difference", found.counts)
        for n, change in enumerate(found.changes):
            with st.container(key=f"reason-difference-{n}"):
                st.text(change)
        tables = (
            ("changed", words("Values that changed"), found.changed),
            ("added", words("Rows that came"), found.added),
            ("removed", words("Rows that went"), found.removed),
            ("columns", words("Columns"), found.columns),
            ("moved", words("Figures of columns that moved"), found.figures),
        )
        for key, title, lines in tables:
            if lines:
                with st.container(key=f"name-{key}"):
                    st.text(title)
                st.dataframe(
                    [dict(line) for line in lines], hide_index=True, placeholder="", key=f"difference-{key}", alt=title
                )
        if not found.face and not any(lines for _, _, lines in tables) and not found.changes:
            st.text(words("Nothing differs."))
        if found.note:
            with st.container(key="faint-difference"):
                st.text(found.note)
        st.button(words("Close"), key="difference-close", type="tertiary", icon=":material/close:", on_click=_close)
