"""The page: is everything all right? It arranges; `view_model` computes what it says, `actions` does what is asked."""

import streamlit as st

from dashboard import panels, view_model
from dashboard.actions import Actions, Ask
from dashboard.source import Source

EVERY, EVERY_WHEN_BUSY = 2.0, 1.0
"""Seconds between two looks at the state."""


def overview(source: Source, actions: Actions) -> None:
    """Draw everything once; from then on the pulse looks, and has the page drawn again when it would look different."""
    page = view_model.page(source.reading())
    st.session_state["page"], st.session_state["drawing"] = page, True
    following = _following()
    panels.headline(page.headline)
    _buttons(actions, busy=following)
    every = EVERY_WHEN_BUSY if following else EVERY if st.session_state.get("live", True) else None
    st.fragment(_pulse, run_every=every)(source, actions)
    panels.tiles(page.tiles)
    left, right = st.columns(2, gap="medium")
    with left:
        panels.runs(page.runs, page.bars)
        panels.providers(page.providers)
    with right:
        panels.events(page.events)
        panels.configuration(page.configuration)
    with st.container(key="faint-foot"):
        st.text(f"Times are UTC. What you do here is logged as done by {page.actor}." if page.actor else "")
    st.session_state["drawing"] = False


def _buttons(actions: Actions, *, busy: bool) -> None:
    with st.container(key="buttons", horizontal=True, vertical_alignment="center"):
        st.button(
            "Run now",
            key="run_now",
            type="primary",
            icon=":material/play_arrow:",
            disabled=busy,
            on_click=lambda: _asked(actions.run_now()),
            help="Collect every dataset now, in a process of its own",
        )
        st.button(
            "Maintenance",
            key="maintenance",
            icon=":material/cleaning_services:",
            disabled=busy,
            on_click=lambda: _asked(actions.maintain()),
            help="Purge, prune, compact, verify the log, check health",
        )
        st.toggle("Live", value=True, key="live", help="Look at the state every two seconds; off: the page stays still")


def _asked(ask: Ask) -> None:
    st.session_state["ask"], st.session_state["following"] = ask, True


def _following() -> bool:
    return bool(st.session_state.get("following", False))


def _pulse(source: Source, actions: Actions) -> None:
    """Runs on its own: how what was asked for is getting on, how fresh the page is, and whether it must be redrawn."""
    reading = source.reading()
    ended = _report(actions)
    live = st.session_state.get("live", True)
    with st.container(key="faint-live"):
        words = view_model.live(reading, source.now())
        st.text(words if live else f"paused · {words}")
    if st.session_state.get("drawing"):
        return  # part of a whole drawing, which must come to its end
    if ended or (live and view_model.page(reading) != st.session_state.get("page")):
        st.rerun()


def _report(actions: Actions) -> bool:
    """Say what became of the last click; whether it came to its end just now."""
    ask: Ask | None = st.session_state.get("ask")
    if ask is None:
        return False
    progress = actions.progress(ask)
    with st.container(key="report", border=True, gap="xsmall"):
        panels.badge(progress.tone, "done" if progress.finished else "going on")
        st.text(progress.words)
        if not progress.finished and progress.share is not None:
            st.progress(progress.share)
    ended = progress.finished and _following()
    if ended:
        st.session_state["following"] = False
    return ended
