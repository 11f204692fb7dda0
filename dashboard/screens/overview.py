"""Is everything all right?"""

import streamlit as st

from dashboard import panels
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.view_model.overview import Overview, overview


def draw(here: Here) -> None:
    """Draw the page; from then on the pulse looks, and has it drawn again when it would look different."""
    model = _model(here)
    with st.container(key="sentence"):
        st.text(model.sentence)
    if model.face is not None:
        panels.face(here, "status", model.face)
    words = here.words
    act(
        here,
        words("Run now"),
        "run",
        key="run_now",
        icon=":material/play_arrow:",
        primary=True,
        told=lambda _: words("The run waits for its turn."),
        follow="run",
        help=words("Collect every dataset now, in a process of its own"),
    )
    pulse(here, lambda: _model(here))


def _model(here: Here) -> Overview:
    return overview(here.ask("status", as_of=here.as_of), here.words)
