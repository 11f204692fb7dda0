"""How is this machine? What it uses now and used before, who watches it, and what was done about it."""

from typing import Any

import streamlit as st

from dashboard import panels, zoom
from dashboard.buttons import act
from dashboard.charts.series import STRETCHES, series_figure
from dashboard.here import Here
from dashboard.pulse import EVERY, pulse
from dashboard.view_model.base import Panel
from dashboard.view_model.host import (
    LEVELS,
    Host,
    charts,
    gauges,
    host,
    host_series,
    level_told,
    mode_told,
    processes,
)

DONE = ("healing.finished", "healing.gave_up", "healing.recovered", "protector.*", "host.*", "disk.shed")
MODES = ("dev", "test", "prod")
SHOWN = 40


def draw(here: Here) -> None:
    """Draw the page."""
    model, words = _model(here), here.words
    with st.container(key="verdict"):
        panels.badge(model.tone, words("room") if model.tone == "good" else words("look here"))
    with st.container(key="sentence"):
        st.text(model.sentence)
    every = EVERY if here.live else None
    st.fragment(_moving, run_every=every)(here)
    _watched(here, model)
    _over_time(here)
    with panels.framed(here, "done", words("What was done, and whether it helped"), model.done):
        panels.rows("done", model.done)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> Host:
    since = {} if here.since is None else {"since": here.since.replace(second=0, microsecond=0).isoformat()}
    found = [here.ask("events", type=kind, limit=SHOWN, **since) for kind in DONE]
    events = max(found, key=lambda answer: answer.trouble is not None)
    rows = sorted((one for answer in found for one in answer.document or []), key=lambda one: -one["seq"])[:SHOWN]
    return host(here.ask("host"), type(events)(rows, events.trouble, events.at), here.words, here.source.now())


def _moving(here: Here) -> None:
    """What moves all the time: the figures of this moment, and who uses the most."""
    words, now = here.words, here.ask("host")
    with st.grid(min_column_width=150, gap="small", key="gauges"):
        for n, gauge in enumerate(gauges(now, words)):
            with st.container(key=f"figures-gauge-{n}", border=True, gap="xxsmall"):
                st.text(f"{gauge.name}\n{gauge.value}")
                with st.container(key=f"faint-gauge-{n}"):
                    st.text(gauge.words)
    found = processes(now)
    with panels.framed(here, "processes", words("Processes that use the most"), Panel()):
        if not found:
            st.text(words("None can be seen here."))
            return
        table = {
            words("Number"): [one.pid for one in found],
            words("Name"): [one.name for one in found],
            words("User"): [one.user for one in found],
            words("CPU"): [one.cpu for one in found],
            words("Memory"): [one.memory for one in found],
        }
        st.dataframe(table, hide_index=True, key="processes")


def _watched(here: Here, model: Host) -> None:
    words = here.words
    with panels.framed(here, "watched", words("Watched and protected"), Panel(face=model.face)):
        if model.level is not None:
            st.text(words("It is watched at the level {level}.", level=model.level))
        if model.protection:
            st.text(model.protection)
        if not here.may_change:
            return
        with st.container(horizontal=True, vertical_alignment="bottom", key="level-choice"):
            level: Any = st.selectbox(
                words("Level"), LEVELS, index=_place(LEVELS, model.level or "NORMAL"), key="level"
            )
            act(
                here,
                words("Watch at this level"),
                "watch_level",
                level,
                key="watch-level",
                disabled=model.level is None,
                told=lambda document: level_told(document, words),
                help=words("More closely costs more; it goes up by itself when the machine suffers."),
            )
        if model.mode is not None:
            with st.container(horizontal=True, vertical_alignment="bottom", key="mode-choice"):
                mode: Any = st.selectbox(words("Mode"), MODES, index=_place(MODES, model.mode), key="mode")
                act(
                    here,
                    words("Protect in this mode"),
                    "protect_mode",
                    mode,
                    key="protect-mode",
                    confirm=words("dev acts from 75 % of the processor on, test from 85 %, prod from 90 %."),
                    told=lambda document: mode_told(document, words),
                )


def _place(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else 0


def _over_time(here: Here) -> None:
    words = here.words
    series = host_series(here.ask("metric_names"))
    with panels.framed(here, "over-time", words("Over time"), Panel()):
        if not series:
            st.text(words("Nothing is kept yet: who watches keeps a point a minute."))
            return
        zoom.back_button(here)
        since, until = zoom.period(here)
        history = here.ask("history", *series.values(), since=since, until=until, points=STRETCHES)
        with st.grid(min_column_width=420, gap="small", key="host-charts"):
            for chart in charts(series, history, words):
                with st.container(key=f"chart-{chart.metric}", border=True, gap="xxsmall"):
                    st.text(chart.name)
                    if chart.line is None:
                        st.text(words("Nothing was measured in this period."))
                        continue
                    reach = zoom.reach(here)
                    figure = series_figure(
                        [chart.line], revision=chart.metric, period=reach, unit=chart.unit, height=200
                    )
                    zoom.chart(here, figure, f"figure-{chart.metric}", alt=f"{chart.name} {chart.unit}")
