"""Around the page: its title, its look, and the one system of this process."""

import os
from pathlib import Path

import streamlit as st

from dashboard.actions import Actions
from dashboard.look import ICON, STYLE
from dashboard.overview import overview
from dashboard.source import Source
from integrated_system import IntegratedSystem


def main() -> None:
    """Draw the page for one session."""
    st.set_page_config(page_title="Cloud Data Orchestrator", page_icon=ICON, layout="wide")
    st.html(STYLE)
    source, actions = process(os.environ.get("ORCHESTRATOR_CONFIG"), os.environ.get("ORCHESTRATOR_APP__STATE_DIR"))
    overview(source, actions)


@st.cache_resource(show_spinner=False)
def process(config: str | None, state_dir: str | None) -> tuple[Source, Actions]:
    """What all sessions of this process share, made once for a configuration and a state directory."""

    def build() -> IntegratedSystem:
        # Unset, both are found as for every other command: `config` on its own, the state directory in the settings.
        return IntegratedSystem(Path(config) if config else None, state_dir=Path(state_dir) if state_dir else None)

    source = Source(build)
    return source, Actions(source)
