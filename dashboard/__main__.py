"""`python -m dashboard streamlit run dashboard/app.py …`: Streamlit as its own command starts it, made ready meanwhile.

Streamlit runs the page when somebody comes. What that needs is imported and asked once before: else the first visitor
would wait for it.
"""

import os
import sys
import threading
from contextlib import suppress
from importlib import import_module

__all__ = ["main", "make_ready"]

HEAVY = ("numpy", "pandas", "pyarrow", "plotly.graph_objects")


def main() -> None:
    """Start the server; ends with the process."""
    from streamlit.web.cli import main as streamlit

    from dashboard import headers, sign_on_logs

    headers.install()
    sign_on_logs.install()
    threading.Thread(target=make_ready, name="dashboard-ready", daemon=True).start()
    sys.argv = sys.argv[1:]
    streamlit(prog_name="streamlit")


def make_ready() -> None:
    """Open the state, begin to log, ask what the first page asks, import what the pages need."""
    from dashboard.caller import Caller
    from dashboard.shell import PAGES, process
    from operations.actor import Actor
    from operations.logs import start_logging

    with suppress(Exception):  # whoever comes is told by the page
        for name in HEAVY:
            import_module(name)
        source, _ = process(os.environ.get("ORCHESTRATOR_CONFIG"), os.environ.get("ORCHESTRATOR_APP__STATE_DIR"))
        start_logging(source.system)
        for question in ("status", "trends", "runs"):
            source.ask(Caller(Actor("dashboard", "viewer")), question)
        for name in PAGES:
            import_module(f"dashboard.screens.{name}")


if __name__ == "__main__":
    main()
