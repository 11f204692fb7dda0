"""One run: its timeline, what came of each dataset, its events, its logs."""

import streamlit as st

from dashboard import panels
from dashboard.address import choice
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.screens.event_list import draw_rows
from dashboard.view_model.base import Panel
from dashboard.view_model.events import events
from dashboard.view_model.run import Kind, Whole, logs, whole
from dashboard.words import Tone

EVENTS = 200


def draw_run(here: Here, run_id: str) -> None:
    """Draw the page of a run."""
    words = here.words
    model = _model(here, run_id)
    here.link("runs", words("All runs"), icon=":material/arrow_back:")
    if model.face is not None:
        panels.face(here, "run", model.face)
    if model.run_id:
        _head(here, model)
        views = {"timeline": words("Timeline"), "events": words("Events"), "logs": words("Logs")}
        view = choice("view", words("Show"), views, "timeline")
        if view == "events":
            _events(here, run_id)
        elif view == "logs":
            _logs(here, run_id)
        else:
            _timeline(here, model)
            _datasets(here, model)
    pulse(here, lambda: _model(here, run_id))


def _model(here: Here, run_id: str) -> Whole:
    return whole(here.ask("run", run_id, as_of=here.as_of), here.words, here.now)


def _head(here: Here, model: Whole) -> None:
    words = here.words
    with st.container(key="sentence"):
        st.text(model.sentence)
    with st.container(key="row-facts", horizontal=True, vertical_alignment="center"):
        panels.badge(model.tone, model.status)
        with st.container(key="faint-facts", width="content"):
            st.text(" · ".join(model.facts))
    with st.container(key="faint-id"):
        st.text(words("Run {run_id}", run_id=model.run_id))
    if model.share is not None:
        st.progress(model.share)
    if model.error:
        with st.container(key="reason-run", border=True):
            st.text(model.error)
    with st.container(key="deeds", horizontal=True):
        _deeds(here, model)


def _deeds(here: Here, model: Whole) -> None:
    words = here.words
    if model.may_resume:
        act(
            here,
            words("Resume"),
            "resume_run",
            model.run_id,
            key="resume-run",
            icon=":material/resume:",
            primary=True,
            told=lambda _: words("The run waits for its turn."),
            follow="run",
            help=words("Go on with what the run has not finished"),
        )
    if model.may_repeat:
        act(
            here,
            words("Run again"),
            "run",
            model.datasets,
            key="repeat-run",
            icon=":material/replay:",
            told=lambda _: words("The run waits for its turn."),
            follow="run",
            help=words("A new run of the same datasets"),
        )
    if model.may_cancel:
        act(
            here,
            words("Cancel"),
            "cancel",
            model.run_id,
            key="cancel-run",
            icon=":material/cancel:",
            confirm=words("The run stops: what was finished is kept, the rest is not done."),
            reason=True,
            told=lambda _: words("The run was cancelled."),
        )


def _timeline(here: Here, model: Whole) -> None:
    words = here.words
    if not model.lanes:
        return
    from dashboard.charts.timeline import timeline

    names: dict[Kind, str] = {
        "turn": words("waits its turn"),
        "work": words("at work"),
        "open": words("not over"),
        "rate_limit": words("rate limit"),
        "bulkhead": words("waits for a place"),
        "failed": words("attempt failed"),
        "pause": words("pause"),
    }
    ends: dict[Tone, str] = {
        "good": words("delivered"),
        "attention": words("degraded"),
        "bad": words("failed"),
        "busy": words("going on"),
        "neutral": words("skipped"),
    }
    with panels.framed(here, "timeline", words("Timeline"), Panel(note=model.lanes_note)):
        figure = timeline(model.lanes, names, ends, revision=model.run_id)
        st.plotly_chart(figure, key="timeline", config={"displaylogo": False}, alt=model.alt)


def _datasets(here: Here, model: Whole) -> None:
    words = here.words
    with panels.framed(here, "parts", words("Datasets"), Panel(note=model.parts_note)):
        with st.container(key="list-parts", gap="xsmall"):
            for n, part in enumerate(model.parts):
                with st.container(key=f"row-part-{n}", horizontal=True, vertical_alignment="center"):
                    panels.badge(part.tone, part.status)
                    here.link("dataset", part.dataset, dataset=part.dataset)
                    with st.container(key=f"faint-part-{n}", width="content"):
                        st.text(part.course)
                if part.reason:
                    with st.container(key=f"reason-part-{n}"):
                        st.text(f"{part.reason}\n{part.hint}" if part.hint else part.reason)
        panels.download(here, "run", lambda: [part.to_csv() for part in model.parts])


def _events(here: Here, run_id: str) -> None:
    words = here.words
    if here.as_of is not None:
        page = here.ask("events_page", run=run_id, limit=EVENTS, until=here.as_of)
    else:
        page = here.ask("events_page", run=run_id, limit=EVENTS)
    model = events(page, words, here.now, filtered=True)
    with panels.framed(here, "run-events", words("Events of the run"), model.panel):
        draw_rows(here, model.panel)
        if model.panel.rows:
            panels.download(here, "run-events", lambda: [row.to_csv() for row in model.panel.rows])
        if model.next:
            here.link("events", words("All of them"), icon=":material/history:", of_run=run_id)


def _logs(here: Here, run_id: str) -> None:
    words = here.words
    model = logs(here.ask("logs", run_id), words)
    with panels.framed(here, "logs", words("Logs"), Panel(note=model.note, face=model.face)):
        with st.container(key="list-logs", gap="xsmall"):
            for n, row in enumerate(model.rows):
                with st.container(key=f"row-log-{n}", horizontal=True, vertical_alignment="center"):
                    st.text(row.time)
                    panels.badge(row.tone, row.level)
                    st.text(row.what)
                if row.words:
                    with st.container(key=f"faint-log-{n}"):
                        st.text(row.words)
        if model.rows:
            panels.download(here, "logs", lambda: [row.to_csv() for row in model.rows])
