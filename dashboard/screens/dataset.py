"""One dataset, whole: why it is as it is, what to do, and below that its rows, versions, quality, figures, runs."""

from importlib import import_module
from typing import Any

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.screens.dataset_acts import acts, decide
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.dataset import Head, chosen, head

__all__ = ["draw"]

PARTS = {
    "table": ("Table", ":material/table_rows:"),
    "versions": ("Versions", ":material/layers:"),
    "quality": ("Quality", ":material/verified:"),
    "figures": ("Figures", ":material/monitoring:"),
    "runs": ("Runs", ":material/view_timeline:"),
    "lineage": ("Lineage", ":material/account_tree:"),
}
"""Name in the address: title, icon. Only the one that is looked at is asked for."""


def draw(here: Here) -> None:
    """Draw the page."""
    name, names = chosen(st.query_params.get("dataset"), here.ask("status", as_of=here.as_of))
    if not names:
        status = here.ask("status", as_of=here.as_of)
        empty = here.words("No dataset is declared yet.")
        panels.face(here, "dataset", face_of(status) or Face("no data yet", empty))
        pulse(here, lambda: here.ask("status", as_of=here.as_of).document is None)
        return
    name = _picked(here, name, names)
    model = _head(here, name, names)
    _draw_head(here, model)
    if model.face is not None and model.face.kind == "broken":
        pulse(here, lambda: _head(here, name, names))
        return
    part = _part(here)
    module: Any = import_module(f"dashboard.screens.dataset_{part}")
    with st.container(key=f"part-{part}"):
        module.draw(here, model)
    pulse(here, lambda: (_head(here, name, names), module.model(here, name)))


def _head(here: Here, name: str, names: tuple[str, ...]) -> Head:
    why = here.ask("why", name) if here.as_of is None and name in names else None
    return head(name, names, here.ask("status", as_of=here.as_of), why, here.now, here.words)


def _picked(here: Here, name: str, names: tuple[str, ...]) -> str:
    """The picker; what was chosen stands in the address, and what belonged to another dataset leaves it."""
    st.session_state["picked-dataset"] = name if name in names else None
    st.selectbox(
        here.words("Dataset"),
        names,
        key="picked-dataset",
        on_change=_pick,
        placeholder=here.words("Choose a dataset"),
        label_visibility="collapsed",
    )
    if st.query_params.get("dataset") != name:
        st.query_params["dataset"] = name
    return name


def _pick() -> None:
    st.query_params["dataset"] = st.session_state["picked-dataset"]
    for other in ("page", "version", "before", "after", "metric", "measured", "all"):
        st.query_params.pop(other, None)


def _part(here: Here) -> str:
    """Which section is looked at. Not bound to the address, which would hold the title in the reader's language."""
    words, asked = here.words, st.query_params.get("part", "")
    st.session_state["picked-part"] = asked if asked in PARTS else "table"
    found = st.segmented_control(
        words("What to look at"),
        list(PARTS),
        required=True,
        format_func=lambda part: f"{PARTS[part][1]} {words(PARTS[part][0])}",
        key="picked-part",
        on_change=_part_picked,
        label_visibility="collapsed",
    )
    return found or "table"


def _part_picked() -> None:
    st.query_params["part"] = st.session_state["picked-part"] or "table"


def _draw_head(here: Here, model: Head) -> None:
    words = here.words
    if model.face is not None:
        panels.face(here, "dataset", model.face)
    if not model.sentence:
        return
    with st.container(key="state", horizontal=True, vertical_alignment="center"):
        panels.badge(model.tone, model.state)
        with st.container(key="faint-provider", width="content"):
            st.text(words("from {provider}", provider=model.provider))
    with st.container(key="sentence"):
        st.text(model.sentence)
    panels.figures("head", model.figures)
    if model.held is not None:
        decide(here, model, model.held)
    if model.changes:
        with panels.framed(here, "changes", words("What changed"), Panel()):
            for n, change in enumerate(model.changes):
                with st.container(key=f"row-change-{n}", horizontal=True, vertical_alignment="center"):
                    if change.when:
                        st.text(change.when)
                    panels.badge("neutral", words(change.state))
                    with st.container(key=f"reason-change-{n}", width="stretch"):
                        st.text(change.words)
    for n, advice in enumerate(model.todo):
        with st.container(key=f"reason-advice-{n}"):
            st.text(advice)
    acts(here, model)
    if model.next_try or model.commands:
        with st.expander(words("What comes next, and how to do it in a terminal"), key="commands"):
            if model.next_try:
                st.text(words("Next try: {words}.", words=model.next_try))
            for command, does in model.commands:
                st.text(words("To {does}:", does=does))
                st.code(f"python integrated_system.py {command}", language=None)
