"""Around every page: its title and look, who comes in, the way to the other pages, and what all pages have."""

import os
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import login, panels, past
from dashboard.actions import Actions
from dashboard.buttons import CONFIRMING
from dashboard.caller import Caller
from dashboard.here import SPAN_NAMES, Here
from dashboard.language import LANGUAGES, Language, Words, language_of
from dashboard.look import ICON, STYLE
from dashboard.source import Source, trouble_of
from dashboard.view_model.base import Face
from dashboard.words import plain, prose
from integrated_system import IntegratedSystem

__all__ = ["PAGES", "broken_page", "main", "process"]

PAGES = {
    # Name in the address: title, icon.
    "overview": ("Overview", ":material/dashboard:"),
    "dataset": ("Dataset", ":material/table:"),
    "runs": ("Runs", ":material/view_timeline:"),
    "incidents": ("Incidents", ":material/notifications:"),
    "quality": ("Quality", ":material/verified:"),
    "anomalies": ("Anomalies", ":material/monitoring:"),
    "resilience": ("Resilience", ":material/shield:"),
    "host": ("Host", ":material/memory:"),
    "events": ("Events", ":material/history:"),
    "settings": ("Settings", ":material/tune:"),
}


def main() -> None:
    """Draw the page for one session."""
    st.set_page_config(page_title="Cloud Data Orchestrator", page_icon=ICON, layout="wide")
    st.html(STYLE)
    source, actions = process(os.environ.get("ORCHESTRATOR_CONFIG"), os.environ.get("ORCHESTRATOR_APP__STATE_DIR"))
    try:
        words = _language(source.system.settings.dashboard.language)
        caller = login.caller(source, words)
    except Exception as error:  # noqa: BLE001 - told on the page, and logged when it is not one of ours
        _broken(Words.of(language_of(st.context.locale)), trouble_of(error))
        return
    if caller is not None:
        _pages(source, actions, caller, words)


@st.cache_resource(show_spinner=False)
def process(config: str | None, state_dir: str | None) -> tuple[Source, Actions]:
    """What all sessions of this process share, made once for a configuration and a state directory."""

    def build() -> IntegratedSystem:
        # Unset, both are found as for every other command: `config` on its own, the state directory in the settings.
        return IntegratedSystem(Path(config) if config else None, state_dir=Path(state_dir) if state_dir else None)

    source = Source(build)
    return source, Actions(source)


def _pages(source: Source, actions: Actions, caller: Caller, words: Words) -> None:
    pages: dict[str, Any] = {}

    def drawn(name: str) -> Any:
        def draw() -> None:
            here = _here(source, actions, caller, words, name, pages)
            try:
                import_module(f"dashboard.screens.{name}").draw(here)
            except Exception as error:  # noqa: BLE001 - a page is never a traceback
                broken_page(here, error)
            with st.container(key="faint-foot"):
                text = "Times are UTC. What you do here is logged as done by {name}."
                st.text(words(text, name=caller.actor.name))

        return draw

    for name, (title, icon) in PAGES.items():
        default = name == "overview"
        pages[name] = st.Page(drawn(name), title=words(title), icon=icon, url_path=name, default=default)
    st.session_state.pop(CONFIRMING, None)
    st.navigation(list(pages.values()), position="sidebar", expanded=True).run()


def broken_page(here: Here, error: Exception) -> None:
    """In place of what could not be drawn: what went wrong; it is logged."""
    here.drawing.end()
    trouble = trouble_of(error)
    face = Face("broken", prose(trouble.message, limit=600, lines=True), prose(trouble.hint, limit=300))
    panels.face(here, "page", face)
    st.button(here.words("Try again"), key="try-again", icon=":material/refresh:")


def _here(source: Source, actions: Actions, caller: Caller, words: Words, name: str, pages: dict[str, Any]) -> Here:
    """What all pages have, in the sidebar; each choice stands in the address, so that a link shows the same."""
    with st.sidebar:
        spans = {name: words(text) for name, text in SPAN_NAMES.items()}
        span = _kept_choice("span", words("Period"), spans, "24h")
        as_of, wrong = past.chosen(name, words, source.now())
        live = st.toggle(
            words("Live"),
            value=True,
            key="live",
            bind="query-params",
            help=words("Look at the state every two seconds; off: the page stays still"),
        )
        usual = _usual_language(source.system.settings.dashboard.language)
        _kept_choice("lang", words("Language"), LANGUAGES, usual)
        _who(caller, words)
    here = Here(source, actions, caller, words, span, as_of, live, pages)
    here.drawing.begin()
    # A link from a page to itself changes nothing in the browser's address, and the next click would lead back.
    st.query_params.update({})
    _banner(here, wrong)
    return here


def _who(caller: Caller, words: Words) -> None:
    with st.container(key="faint-who", gap="xxsmall"):
        st.text(f"{plain(caller.actor.name, limit=80)} · {words(caller.actor.role)}")
        if caller.greeting:
            st.text(words(caller.greeting))


def _banner(here: Here, wrong: str) -> None:
    """Above a page about the past: which moment it shows, and the way back."""
    if wrong:
        with st.container(key="past", border=True):
            panels.badge("attention", here.words("now"))
            st.text(plain(wrong, limit=200))
    if here.as_of is None:
        return
    with st.container(
        key="past", border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        panels.badge("attention", here.words("the past"))
        moment = f"{here.words.day(here.now, year=True)} {here.words.clock(here.now, seconds=True)} UTC"
        st.text(here.words("As it was at {moment}; nothing can be changed here.", moment=moment))
        st.button(here.words("Back to now"), key="back-to-now", icon=":material/update:", on_click=past.back_to_now)


def _kept_choice(name: str, label: str, options: Mapping[Any, str], usual: str) -> str:
    """A choice for all pages: it stands in the address under its name, as long as it is not the usual one.

    Not bound by Streamlit, which would write the option's words there: those of another language are not found again.
    """
    chosen = _kept(name, options, usual)
    if chosen != usual or name in st.query_params:
        st.query_params[name] = chosen
    st.session_state[name] = chosen

    def choose() -> None:
        st.session_state[f"kept-{name}"] = st.query_params[name] = st.session_state[name]

    st.selectbox(label, list(options), format_func=lambda one: options[one], key=name, on_change=choose)
    return chosen


def _kept(name: str, options: Collection[str], usual: str) -> str:
    """What was chosen: it is in the address, or it was on the page before this one."""
    asked = st.query_params.get(name)
    found: str = asked if asked is not None and asked in options else st.session_state.get(f"kept-{name}", usual)
    st.session_state[f"kept-{name}"] = found
    return found


def _language(configured: str) -> Words:
    found = _kept("lang", LANGUAGES, _usual_language(configured))
    return Words.of(language_of(found))


def _usual_language(configured: str) -> Language:
    return language_of(configured if configured != "auto" else st.context.locale)


def _broken(words: Words, trouble: Any) -> None:
    """The face of a page that can show nothing: what is wrong, and what to do."""
    panels.badge("bad", words("cannot be read"))
    with st.container(key="sentence"):
        st.text(prose(trouble.message, limit=900, lines=True))
    if trouble.hint:
        st.text(prose(trouble.hint, limit=300))

    st.session_state["drawing"] = True
    st.fragment(_look_again, run_every=2.0)()
    st.session_state["drawing"] = False


def _look_again() -> None:
    """Whether it was mended meanwhile."""
    if not st.session_state.get("drawing"):
        st.rerun()
