"""What a dataset is made of, and what is made of it."""

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_lineage import Around, Neighbour, around


def model(here: Here, name: str) -> Around:
    """What stands around it; as it is declared today, also for the past."""
    return around(name, here.ask("lineage", name), here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words, found = here.words, model(here, head.name)
    above, below = st.columns(2, gap="medium")
    note = words("as declared today") if here.as_of is not None else ""
    with above, panels.framed(here, "above", words("What it is made of"), Panel(note=note, face=found.face)):
        _neighbours(here, "above", found.above)
    with below, panels.framed(here, "below", words("Where it goes"), Panel(note=note)):
        _neighbours(here, "below", found.below)


def _neighbours(here: Here, kind: str, found: tuple[Neighbour, ...]) -> None:
    if not found:
        st.text(here.words("Nothing."))
    for n, one in enumerate(found):
        with st.container(key=f"row-{kind}-{n}", horizontal=True, vertical_alignment="center"):
            if one.dataset:
                here.link("dataset", one.title, dataset=one.dataset, part="lineage")
            else:
                st.text(one.title)
            panels.badge(one.tone, one.state)
            with st.container(key=f"faint-{kind}-{n}", width="stretch"):
                st.text(one.words)
