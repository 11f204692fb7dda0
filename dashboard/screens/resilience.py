"""How do the providers hold? Circuits, what they may be asked, and the cache."""

from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import panels
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.paging import pages_of, part, turn
from dashboard.pulse import pulse
from dashboard.view_model.base import Panel
from dashboard.view_model.resilience import (
    MOST_EVENTS,
    Circuit,
    Resilience,
    State,
    cleared,
    moved,
    reset_of,
    resilience,
)
from dashboard.words import key_of

EVER = datetime(1970, 1, 1, tzinfo=UTC)

CIRCUITS = 40
"""Circuits at a time."""


def draw(here: Here) -> None:
    """Draw the page."""
    model, words = _model(here), here.words
    with st.container(key="verdict"):
        panels.badge(model.tone, words("as usual") if model.tone == "good" else words("look here"))
    with st.container(key="sentence"):
        st.text(model.sentence)
    with panels.framed(here, "circuits", words("Circuits"), model.circuits):
        if any(not circuit.is_normal for circuit in model.circuits.rows):
            act(
                here,
                words("Reset all"),
                "reset_breaker",
                key="reset-all",
                icon=":material/restart_alt:",
                confirm=words("Every circuit is closed, nothing is held, no failure is remembered."),
                told=lambda document: reset_of(document, words),
            )
        _, found = part(model.circuits.rows, "circuits-page", CIRCUITS)
        for circuit in found:
            _circuit(here, circuit)
        turn("circuits-page", pages_of(model.circuits.rows, CIRCUITS))
    if model.stretches:
        _strips(here, model)
    _cache(here, model)
    pulse(here, lambda: _model(here))


def _period(here: Here) -> tuple[datetime, datetime]:
    """Up to the minute's end: within it the page looks the same."""
    end = here.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return (here.since or EVER).replace(second=0, microsecond=0), end


def _model(here: Here) -> Resilience:
    since, until = _period(here)
    events = here.ask("events", type="breaker.*", since=since.isoformat(), limit=MOST_EVENTS)
    if here.since is None:
        oldest = min((event["time"] for event in events.document or []), default=until.isoformat())
        since = datetime.fromisoformat(oldest)
    return resilience(here.ask("providers"), events, here.ask("cache"), (since, until), here.words)


def _circuit(here: Here, circuit: Circuit) -> None:
    words, key = here.words, key_of(circuit.provider)
    with st.container(key=f"circuit-{key}", border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"row-circuit-{key}"):
            panels.badge(circuit.tone, circuit.state)
            with st.container(key=f"name-{key}", width="stretch"):
                st.text(circuit.provider)
            _buttons(here, circuit, key)
        if circuit.why:
            st.text(circuit.why)
        with st.container(key=f"faint-circuit-{key}", gap="xxsmall"):
            st.text(f"{circuit.retries} · {circuit.limits}")
            st.text(circuit.rule)
            st.text(f"{words('Serves')}: {circuit.datasets}")
            if circuit.runbook:
                st.text(f"{words('Runbook')}: {circuit.runbook}")


def _buttons(here: Here, circuit: Circuit, key: str) -> None:
    words, name = here.words, circuit.provider

    def told(document: Any) -> str:
        return moved(document, words)

    if not circuit.is_open:
        act(
            here,
            words("Open it"),
            "open_breaker",
            name,
            key=f"open-{key}",
            icon=":material/block:",
            confirm=words("{name} is not asked any more, by no process, until somebody closes it.", name=name),
            reason=True,
            told=told,
        )
    if circuit.is_normal:
        act(
            here,
            words("Hold closed"),
            "close_breaker",
            name,
            key=f"hold-{key}",
            icon=":material/lock_open:",
            hold=True,
            confirm=words("{name} is asked whatever fails, until somebody resets it.", name=name),
            reason=True,
            told=told,
        )
        return
    act(
        here,
        words("Close it"),
        "close_breaker",
        name,
        key=f"close-{key}",
        icon=":material/check:",
        reason=True,
        told=told,
    )
    act(
        here,
        words("Reset"),
        "reset_breaker",
        name,
        key=f"reset-{key}",
        icon=":material/restart_alt:",
        told=lambda document: reset_of(document, words),
    )


def _strips(here: Here, model: Resilience) -> None:
    from dashboard.charts.circuits import circuits_figure

    words = here.words
    names: dict[State, str] = {"closed": words("closed"), "half_open": words("half open"), "open": words("open")}
    begin, end = min(one.begin for one in model.stretches), max(one.end for one in model.stretches)
    with panels.framed(here, "strips", words("Over time"), Panel()):
        figure = circuits_figure(model.stretches, names, period=(begin, end), revision=f"circuits-{here.span}")
        st.plotly_chart(
            figure,
            key="circuits-chart",
            config={"displayModeBar": False},
            alt=words("A strip for each provider: when its circuit was closed, open, or tried again"),
        )


def _cache(here: Here, model: Resilience) -> None:
    words = here.words
    with panels.framed(here, "cache", words("Cache"), Panel(face=model.cache.face)):
        with st.container(horizontal=True, key="figures-cache", gap="medium"):
            for name, value in model.cache.figures:
                st.text(f"{name}\n{value}")
        act(
            here,
            words("Clear"),
            "clear_cache",
            key="clear-cache",
            icon=":material/delete_sweep:",
            confirm=words("Every kept result goes; the next run asks the providers. No version is lost."),
            reason=True,
            told=lambda document: cleared(document, words),
        )
