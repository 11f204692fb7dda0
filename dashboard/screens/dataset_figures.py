"""One figure of a dataset over time, with what stuck out of it and why."""

import streamlit as st

from dashboard import panels
from dashboard.charts.series import STRETCHES, series_figure
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_past import MetricPart, band, metric, metric_names
from dashboard.words import plain

MOST_FOUND = 200


def model(here: Here, name: str) -> MetricPart:
    """The figure that is chosen, in the period."""
    chosen = st.query_params.get("metric") or "rows"
    history = here.ask("history", f"{name}.{chosen}", since=_since(here), until=here.as_of, points=STRETCHES)
    more = {} if here.as_of is None else {"until": here.as_of}
    events = here.ask("events", type="anomaly.detected", subject=name, limit=MOST_FOUND, **more)
    return metric(chosen, history, events, here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words, found = here.words, model(here, head.name)
    names = metric_names(here.ask("metric_names"), head.name)
    if names:
        st.session_state["picked-metric"] = found.name if found.name in names else None
        st.selectbox(words("Figure"), names, key="picked-metric", on_change=_pick, format_func=plain)
    with panels.framed(here, "figure", words("Over time"), Panel(face=found.face)):
        if found.line is not None:
            # Not part of the model: to work the band out takes longer than all else, and it moves with the line only.
            expected = here.ask("expected", f"{head.name}.{found.name}", since=_since(here), until=here.as_of)
            period = None if here.since is None else (here.since, here.now)
            st.plotly_chart(
                series_figure(
                    [found.line],
                    revision=f"{head.name}-{found.name}-{here.span}",
                    bands=band(expected, words),
                    marks=found.marks,
                    period=period,
                    unit=found.unit,
                ),
                key="chart-figure",
                alt=words("{figure} over time, with what stuck out", figure=found.name),
                config={"displaylogo": False},
            )
    note = words("{count} anomalies", count=words.count(len(found.found))) if found.found else ""
    with panels.framed(here, "found", words("What stuck out"), Panel(note=note)):
        for n, (when, tone, severity, reason) in enumerate(found.found[:20]):
            with st.container(key=f"row-found-{n}", horizontal=True, vertical_alignment="center"):
                st.text(when)
                panels.badge(tone, severity)
                with st.container(key=f"reason-found-{n}", width="stretch"):
                    st.text(reason)
        if not found.found:
            st.text(words("Nothing, in this period."))
        here.link(
            "anomalies", words("Look closer, compare, or say that it was fine"), metric=f"{head.name}.{found.name}"
        )


def _since(here: Here) -> str:
    return "1970-01-01T00:00:00Z" if here.since is None else here.since.replace(second=0, microsecond=0).isoformat()


def _pick() -> None:
    if st.session_state["picked-metric"]:
        st.query_params["metric"] = st.session_state["picked-metric"]
