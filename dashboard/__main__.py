"""`python -m dashboard streamlit run dashboard/app.py …`: Streamlit as its own command starts it, made ready meanwhile.

Streamlit runs the page when somebody comes. What that needs is imported and asked once before: else the first visitor
would wait for it.
"""

import os
import sys
import threading
from importlib import import_module

HEAVY = ("numpy", "pandas", "pyarrow", "plotly.graph_objects")


def main() -> None:
    """Start the server; ends with the process."""
    from streamlit.web.cli import main as streamlit

    threading.Thread(target=_make_ready, name="dashboard-ready", daemon=True).start()
    sys.argv = sys.argv[1:]
    streamlit(prog_name="streamlit")


def _make_ready() -> None:
    import streamlit as st

    from dashboard.caller import Caller
    from dashboard.shell import PAGES, process
    from operations.actor import Actor

    try:
        source, _ = process(os.environ.get("ORCHESTRATOR_CONFIG"), os.environ.get("ORCHESTRATOR_APP__STATE_DIR"))
        for question in ("status", "trends", "runs"):
            source.ask(Caller(Actor("dashboard", "viewer")), question)
        for name in (*(f"dashboard.screens.{page}" for page in PAGES), *HEAVY):
            import_module(name)
    except Exception:  # noqa: BLE001 - whoever comes is told by the page
        st.cache_resource.clear()


if __name__ == "__main__":
    main()
