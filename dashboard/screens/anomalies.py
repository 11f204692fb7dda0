"""What is unlikely? What sticks out now, series to look at closely, and what another rate would tell."""

from typing import Any

import streamlit as st

from dashboard import panels, zoom
from dashboard.buttons import act
from dashboard.charts.series import STRETCHES, series_figure
from dashboard.here import Here
from dashboard.paging import pages_of, part, turn
from dashboard.pulse import pulse
from dashboard.view_model.anomalies import (
    RATES,
    Anomalies,
    Curve,
    Found,
    anomalies,
    curves,
    series_names,
    shown_first,
    told_of_feedback,
)
from dashboard.words import key_of, plain

SAID = {"now": ("fine", "fine_since", "normal_since"), "then": ("normal_since",)}
"""What may be said: that something is fine, only of what was told."""

FOUND = 30
"""Anomalies at a time."""


def draw(here: Here) -> None:
    """Draw the page."""
    model = _model(here)
    words = here.words
    with st.container(key="verdict"):
        panels.badge(model.tone, words("unusual") if model.found.rows else words("as usual"))
    with st.container(key="sentence"):
        st.text(model.sentence)
    with panels.framed(here, "found", words("Sticks out now"), model.found):
        _, shown = part(model.found.rows, "found-page", FOUND)
        for found in shown:
            _found(here, found)
        turn("found-page", pages_of(model.found.rows, FOUND))
    for name, title, panel in (
        ("together", words("What belongs together"), model.together),
        ("ahead", words("Trouble ahead"), model.ahead),
    ):
        if panel.rows:
            with panels.framed(here, name, title, panel):
                panels.rows(name, panel)
    _closely(here)
    _said(here, model)
    pulse(here, lambda: (_model(here), _curves(here)))


def _model(here: Here) -> Anomalies:
    return anomalies(here.ask("anomalies"), here.ask("feedback"), here.words, here.source.now())


def _found(here: Here, found: Found) -> None:
    with st.container(key=f"row-found-{key_of(found.series)}", horizontal=True, vertical_alignment="center"):
        st.text(found.when)
        panels.badge(found.tone, found.state)
        with st.container(width="stretch", gap="xxsmall", key=f"words-found-{key_of(found.series)}"):
            st.text(found.series)
            st.text(found.words)
        _feedback(here, found, "now")


def _feedback(here: Here, found: Found, place: str) -> None:
    words = here.words
    labels = {
        "fine": (words("It is fine"), words("This one is no anomaly.")),
        "fine_since": (words("Fine since then"), words("None that was told since then is one.")),
        "normal_since": (words("Normal from here"), words("What was before is no past any more.")),
    }
    key = f"{place}-{key_of(found.series)}-{found.time:.0f}"
    with st.container(horizontal=True, width="content", key=f"feedback-{key}"):
        for kind in SAID[place]:
            act(
                here,
                labels[kind][0],
                "say",
                kind,
                found.series,
                at=_moment(found),
                key=f"{kind}-{key}",
                help=labels[kind][1],
                told=lambda document: told_of_feedback(document, words),
            )


def _moment(found: Found) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(found.time, UTC).isoformat()


def _closely(here: Here) -> None:
    words = here.words
    with st.container(key="heading-closely", horizontal=True):
        st.subheader(words("Look closely"), anchor=False)
    names = series_names(here.ask("metric_names"))
    if not names:
        st.text(words("No series is kept yet: each run leaves some."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="closely-choice"):
        st.multiselect(
            words("Series"),
            names,
            default=shown_first(here.ask("anomalies"), names),
            format_func=plain,
            key="metric",
            bind="query-params",
            max_selections=12,
        )
        st.select_slider(
            words("False alarms in 1,000 points"),
            RATES,
            value=0.5,
            key="rate",
            bind="query-params",
            help=words("The marks show what would have been told at this rate; nothing is changed by it."),
        )
        zoom.back_button(here)
    for curve in _curves(here):
        _curve(here, curve)


def _curves(here: Here) -> tuple[Curve, ...]:
    chosen: Any = st.session_state.get("metric") or []
    names = tuple(str(name) for name in chosen)
    if not names:
        return ()
    since, until = zoom.period(here)
    rate = float(st.session_state.get("rate") or 0.5)
    return curves(
        names,
        here.ask("history", *names, since=since, until=until, points=STRETCHES),
        here.ask("expected", *names, since=since, until=until),
        here.ask("backtest", *names, rate=rate),
        here.words,
        here.source.now(),
    )


def _curve(here: Here, curve: Curve) -> None:
    key = key_of(curve.name)
    with st.container(key=f"curve-{key}", border=True, gap="xsmall"):
        with st.container(key=f"name-{key}"):
            st.text(curve.name)
        if curve.face is not None:
            panels.face(here, f"curve-{key}", curve.face)
        if curve.line is None:
            return
        with st.container(key=f"faint-curve-{key}"):
            st.text(curve.words)
        reach = None if here.span == "all" else zoom.reach(here)  # of everything, as far as there is something
        figure = series_figure([curve.line], revision=key, bands=curve.bands, marks=curve.marks, period=reach)
        zoom.chart(here, figure, f"chart-{key}", alt=curve.words)
        if curve.flagged:
            with st.expander(here.words("What would be told: {count}", count=len(curve.flagged)), key=f"flagged-{key}"):
                for found in curve.flagged[-20:][::-1]:
                    with st.container(key=f"row-flagged-{key}-{found.time:.0f}", horizontal=True):
                        st.text(found.when)
                        panels.badge(found.tone, found.state)
                        st.text(found.words)
                        _feedback(here, found, "then")


def _said(here: Here, model: Anomalies) -> None:
    words = here.words
    if model.said.rows:
        with panels.framed(here, "said", words("What was said"), model.said):
            for number, told in model.said.rows:
                with st.container(key=f"row-said-{number}", horizontal=True, vertical_alignment="center"):
                    st.text(told)
                    act(
                        here,
                        words("Take it back"),
                        "take_back",
                        number,
                        key=f"take-back-{number}",
                        told=lambda _: words("It counts no more."),
                    )
    if model.learning.rows:
        with st.expander(words("Still learning: {count}", count=len(model.learning.rows)), key="learning"):
            panels.rows("learning", model.learning)
