"""The log: what happened, found and followed; or, with `event` in the address, one event whole."""

import streamlit as st

from dashboard import paging, panels
from dashboard.address import given, go
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.pulse import EVERY, pulse
from dashboard.screens.event import draw_event
from dashboard.screens.event_list import draw_rows
from dashboard.view_model.base import Panel
from dashboard.view_model.events import Events, Log, events, log
from dashboard.words import key_of, label

PAGE = 50
FILTERS = ("text", "type", "subject", "source", "of_run")
TYPES = (
    "dataset.*",
    "batch.*",
    "run.*",
    "rows.quarantined",
    "quality.scored",
    "schema.drifted",
    "anomaly.detected",
    "promise.*",
    "breaker.*",
    "incident.*",
    "alert.*",
    "service.*",
    "host.*",
    "healing.*",
    "config.changed",
    "action.invoked",
    "maintenance.finished",
    "schedule.*",
    "token.*",
)


def draw(here: Here) -> None:
    """Draw the list, or the event that the address names."""
    if (seq := given("event")).isdecimal():
        draw_event(here, int(seq), {name: value for name in FILTERS if (value := given(name))})
        return
    words = here.words
    st.subheader(words("What happened"), anchor=False)
    _filters(here)
    # The list alone is drawn anew when something happens: the rest of the page stays as it is.
    st.fragment(_list, run_every=EVERY if here.live else None)(here)
    model = _model(here)
    _proof(here, model)
    _consumers(here, model)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> Log:
    return log(here.ask("proof"), here.ask("consumers"), here.words, here.now)


def _filters(here: Here) -> None:
    words = here.words
    with st.container(key="filters", horizontal=True, vertical_alignment="bottom"):
        _text("text", words("Search"), words("in subject, type or source"), icon=":material/search:")
        _type(here)
    rare = [name for name in ("subject", "source", "of_run") if given(name)]
    with (
        st.expander(words("More filters"), expanded=bool(rare), key="more-filters", icon=":material/filter_list:"),
        st.container(key="filters-more", horizontal=True, vertical_alignment="bottom"),
    ):
        _text("subject", words("Subject"), words("a dataset, run or provider, whole"))
        _text("source", words("Source"), "pipeline")
        _text("of_run", words("Run"), words("the id of a run"))


def _text(name: str, label: str, placeholder: str, icon: str | None = None) -> None:
    key = f"filter-{name}"
    st.session_state[key] = given(name)

    def changed() -> None:
        go(**{name: st.session_state[key].strip(), "page": ""})

    st.text_input(label, key=key, placeholder=placeholder, icon=icon, max_chars=100, on_change=changed, width=260)


def _type(here: Here) -> None:
    key, chosen = "filter-type", given("type")
    st.session_state[key] = chosen or None

    def changed() -> None:
        go(type=st.session_state[key] or "", page="")

    options = TYPES if not chosen or chosen in TYPES else (chosen, *TYPES)
    st.selectbox(
        here.words("Type"),
        options,
        index=None,
        key=key,
        placeholder=here.words("all, or one of your own"),
        accept_new_options=True,
        format_func=label,
        on_change=changed,
        width=260,
    )


def _asked(here: Here) -> dict[str, str]:
    named = {"text": "text", "type": "type", "subject": "subject", "source": "source", "of_run": "run"}
    asked = {api: value for name, api in named.items() if (value := given(name))}
    if here.since is not None and "of_run" not in asked:
        # To the minute, so that everybody who looks asks the same.
        asked["since"] = here.since.replace(second=0, microsecond=0).isoformat()
    return asked


def _list(here: Here) -> None:
    words, cursor = here.words, given("page")
    asked = _asked(here)
    page = here.ask("events_page", limit=PAGE, cursor=cursor or None, **asked)
    model: Events = events(page, words, here.now, filtered=bool(asked))
    title = words("Newest first, followed") if here.live and not cursor else words("Newest first")
    with panels.framed(here, "events", title, model.panel):
        if model.note:
            with st.container(key="faint-note"):
                st.text(model.note)
        draw_rows(here, model.panel, **{name: value for name in FILTERS if (value := given(name))})
        with st.container(key="paging", horizontal=True):
            paging.older(here, model.next)
            if model.panel.rows:
                panels.download(here, "events", lambda: [row.to_csv() for row in model.panel.rows])


def _proof(here: Here, model: Log) -> None:
    words, proof = here.words, model.proof
    with panels.framed(here, "proof", words("Is the log whole?"), Panel()):
        with st.container(key="row-proof", horizontal=True, vertical_alignment="center"):
            panels.badge(proof.tone, proof.word)
            st.text(proof.sentence)
        if proof.detail:
            with st.container(key="faint-proof"):
                st.text(proof.detail)
        if proof.share is not None:
            st.progress(proof.share)
        else:
            act(
                here,
                words("Prove it"),
                "prove",
                key="prove",
                icon=":material/verified_user:",
                told=lambda _: words("The proof was begun."),
                help=words("Compute every hash anew, from the first event to the last"),
            )


def _consumers(here: Here, model: Log) -> None:
    words = here.words
    with (
        panels.framed(here, "consumers", words("Who follows the log"), model.consumers),
        st.container(key="list-consumers", gap="xsmall"),
    ):
        for n, row in enumerate(model.consumers.rows):
            with st.container(key=f"row-consumer-{n}", horizontal=True, vertical_alignment="center"):
                panels.badge(row.tone, row.state)
                st.text(row.name)
                with st.container(key=f"faint-consumer-{n}", width="content"):
                    st.text(row.words)
                if row.parked:
                    act(
                        here,
                        words("Try parked events again"),
                        "retry_parked",
                        row.name,
                        key=f"retry-{key_of(row.name)}",
                        icon=":material/replay:",
                        told=lambda done: words("{count} are tried again as soon as it runs.", count=done["events"]),
                    )
            if row.error:
                with st.container(key=f"reason-consumer-{n}"):
                    st.text(row.error)
    if not model.parked.rows:
        return
    with (
        panels.framed(here, "parked", words("Parked: what a consumer went on without"), model.parked),
        st.container(key="list-parked", gap="xsmall"),
    ):
        for n, letter in enumerate(model.parked.rows):
            with st.container(key=f"row-parked-{n}", horizontal=True, vertical_alignment="center"):
                st.text(letter.when)
                here.link("events", words("event {seq}", seq=letter.seq), event=str(letter.seq))
                st.text(letter.consumer)
                with st.container(key=f"faint-parked-{n}", width="content"):
                    st.text(letter.words)
