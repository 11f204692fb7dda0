"""What came of a dataset in its runs."""

import streamlit as st

from dashboard import panels
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_past import RunLine, runs

FIRST, MORE = 20, 200


def model(here: Here, name: str) -> Panel[RunLine]:
    """The last runs."""
    limit = MORE if st.query_params.get("all") == "1" else FIRST
    return runs(here.ask("dataset_runs", name, limit=limit, as_of=here.as_of), here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words, panel = here.words, model(here, head.name)
    with panels.framed(here, "runs", words("Runs"), panel):
        for n, one in enumerate(panel.rows):
            with st.container(key=f"row-run-{n}", horizontal=True, vertical_alignment="center"):
                here.link("runs", one.when, run=one.run_id)
                panels.badge(one.tone, one.state)
                with st.container(key=f"faint-run-{n}", width="stretch"):
                    st.text(one.words)
        with st.container(key="run-acts", horizontal=True):
            if len(panel.rows) == FIRST:
                st.button(words("Show more"), key="more-runs", type="tertiary", on_click=_more)
            if panel.rows:
                panels.download(here, "runs", lambda: _table(here, head.name))


def _more() -> None:
    st.query_params["all"] = "1"


def _table(here: Here, name: str) -> list[dict[str, object]]:
    found = here.source.ask(here.caller, "dataset_runs", name, limit=1000, as_of=here.as_of).document or []
    wanted = ("time", "run_id", "status", "origin", "accepted", "rows", "quarantined", "attempts", "duration_s")
    return [
        {
            **{key: one[key] for key in wanted},
            "score": (one["quality"] or {}).get("score"),
            "anomalies": one["anomalies"],
            "reason": one["reason"],
        }
        for one in found
    ]
