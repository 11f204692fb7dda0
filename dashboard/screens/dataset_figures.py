"""One figure of a dataset over time, with what stuck out of it and why."""

import math
from datetime import datetime, timedelta

import streamlit as st

from dashboard import panels, zoom
from dashboard.charts.series import STRETCHES, series_figure
from dashboard.here import Here
from dashboard.source import Answer
from dashboard.view_model.base import Panel
from dashboard.view_model.dataset import Head
from dashboard.view_model.dataset_past import MetricPart, band, metric, metric_names
from dashboard.words import plain

MOST_FOUND = 200


def model(here: Here, name: str) -> MetricPart:
    """The figure that is chosen, in the period."""
    chosen = st.query_params.get("metric") or "rows"
    more = {} if here.as_of is None else {"until": here.as_of}
    events = here.ask("events", type="anomaly.detected", subject=name, limit=MOST_FOUND, **more)
    return metric(chosen, _history(here, f"{name}.{chosen}"), events, here.now, here.words)


def draw(here: Here, head: Head) -> None:
    """Draw the section."""
    words, found = here.words, model(here, head.name)
    names = metric_names(here.ask("metric_names"), head.name)
    if names:
        st.session_state["picked-metric"] = found.name if found.name in names else None
        st.selectbox(words("Figure"), names, key="picked-metric", on_change=_pick, format_func=plain)
    with panels.framed(here, "figure", words("Over time"), Panel(face=found.face)):
        zoom.back_button(here)
        if found.line is not None:
            _chart(here, head.name, found)
    note = words.number(len(found.found), "1 anomaly", "{n} anomalies") if found.found else ""
    with panels.framed(here, "found", words("What stuck out"), Panel(note=note)):
        for n, (when, tone, severity, reason) in enumerate(found.found[:20]):
            with st.container(key=f"row-found-{n}", horizontal=True, vertical_alignment="center"):
                st.text(when)
                panels.badge(tone, severity)
                with st.container(key=f"reason-found-{n}", width="stretch"):
                    st.text(reason)
        if not found.found:
            st.text(words("Nothing, in this period."))
        look_closer = words("Look closer, compare, or say that it was fine")
        here.link("anomalies", look_closer, metric=f"{head.name}.{found.name}")


def _chart(here: Here, name: str, found: MetricPart) -> None:
    assert found.line is not None
    # Not part of the model: to work the band out takes longer than all else, and it moves with the line only.
    since, until = zoom.period(here)
    expected = here.ask("expected", f"{name}.{found.name}", since=since, until=until)
    figure = series_figure(
        [found.line],
        revision=found.name,
        bands=band(expected, here.words),
        marks=found.marks,
        period=None if here.span == "all" else zoom.reach(here),
        unit=found.unit,
    )
    alt = here.words("{figure} over time, with what stuck out", figure=found.name)
    zoom.chart(here, figure, f"chart-figure-{plain(name)}", alt=alt)


def _history(here: Here, series: str) -> Answer:
    """The figure in the period; of everything, from its first point on, so that all stretches are used."""
    since, until = zoom.period(here)
    end = until or _round_end(since, here.now)
    found = here.ask("history", series, since=since, until=end, points=STRETCHES)
    points = next((curve["points"] for curve in found.document or ()), ())
    if here.span == "all" and points and len(points) < STRETCHES:
        return here.ask("history", series, since=points[0]["time"], until=end, points=STRETCHES)
    return found


def _round_end(since: str, now: datetime) -> str:
    """The end of the stretch of time that now is in: else each look would cut the past into other stretches."""
    begin = datetime.fromisoformat(since)
    step = timedelta(seconds=max((now - begin).total_seconds() // STRETCHES, 60.0))
    return (begin + math.ceil((now - begin) / step) * step).isoformat()


def _pick() -> None:
    if st.session_state["picked-metric"]:
        st.query_params["metric"] = st.session_state["picked-metric"]
