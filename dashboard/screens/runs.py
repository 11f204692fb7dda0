"""What ran, what is at work, what waits; or, with `run` in the address, one run whole."""

import streamlit as st

from dashboard import paging, panels
from dashboard.address import choice, given
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.pulse import pulse
from dashboard.screens.run import draw_run
from dashboard.view_model.base import Panel
from dashboard.view_model.runs import BackfillRow, RunRow, Runs, runs
from dashboard.words import key_of

PAGE = 20
STATUSES = ("succeeded", "degraded", "failed", "crashed", "cancelled", "interrupted", "running", "queued")


def draw(here: Here) -> None:
    """Draw the list, or the run that the address names."""
    if run_id := given("run"):
        draw_run(here, run_id)
        return
    words = here.words
    model = _model(here)
    if model.sentence:
        with st.container(key="sentence"):
            st.text(model.sentence)
    if model.waiting.rows or model.waiting.face:
        with panels.framed(here, "waiting", words("Waiting, in the order in which they begin"), model.waiting):
            _rows(here, "waiting", model.waiting)
    with panels.framed(here, "past", words("Runs"), model.past):
        options = {"all": words("all"), **{status: words(status) for status in STATUSES}}
        choice("status", words("Status"), options, "all", forget=("page",))
        _rows(here, "past", model.past)
        with st.container(key="paging", horizontal=True):
            paging.older(here, model.next)
            if model.past.rows:
                panels.download(here, "runs", lambda: [row.to_csv() for row in model.past.rows])
    if model.backfills.rows or model.backfills.face:
        with panels.framed(here, "backfills", words("Backfills"), model.backfills):
            for n, row in enumerate(model.backfills.rows):
                _backfill(here, n, row)
    pulse(here, lambda: _model(here))


def _model(here: Here) -> Runs:
    status, cursor = given("status", "all"), given("page")
    asked = {} if status == "all" or status not in STATUSES else {"status": status}
    page = here.ask("runs_page", limit=PAGE, cursor=cursor or None, as_of=here.as_of, **asked)
    waiting = here.ask("runs", status="queued", limit=PAGE, as_of=here.as_of)
    backfills = here.ask("backfills", limit=5)
    return runs(
        page,
        waiting,
        backfills,
        here.words,
        here.now,
        since=None if cursor else here.since,
        filtered=bool(asked),
        first=not cursor,
        past=here.as_of is not None,
    )


def _rows(here: Here, kind: str, panel: Panel[RunRow]) -> None:
    words = here.words
    with st.container(key=f"list-{kind}", gap="xsmall"):
        for n, row in enumerate(panel.rows):
            with st.container(key=f"row-{kind}-{n}", horizontal=True, vertical_alignment="center"):
                st.text(row.when)
                panels.badge(row.tone, row.status)
                here.link("runs", row.what, run=row.run_id)
                with st.container(key=f"faint-{kind}-{n}", width="content"):
                    st.text(row.words)
                if row.may_cancel:
                    act(
                        here,
                        words("Cancel"),
                        "cancel",
                        row.run_id,
                        key=f"cancel-{kind}-{key_of(row.run_id)}",
                        icon=":material/cancel:",
                        confirm=words("The run stops: what was finished is kept, the rest is not done."),
                        reason=True,
                        told=lambda _: words("The run was cancelled."),
                    )


def _backfill(here: Here, n: int, row: BackfillRow) -> None:
    words = here.words
    with st.container(key=f"row-backfill-{n}", horizontal=True, vertical_alignment="center"):
        st.text(row.when)
        panels.badge(row.tone, row.status)
        here.link("dataset", row.dataset, dataset=row.dataset)
        with st.container(key=f"faint-backfill-{n}", width="content"):
            st.text(row.words)
        if row.may_resume:
            act(
                here,
                words("Resume"),
                "resume_backfill",
                row.backfill,
                key=f"resume-backfill-{key_of(row.backfill)}",
                icon=":material/resume:",
                told=lambda _: words("Somebody goes on with it."),
                follow="backfill",
            )
        if row.may_cancel:
            act(
                here,
                words("Cancel"),
                "cancel_backfill",
                row.backfill,
                key=f"cancel-backfill-{key_of(row.backfill)}",
                icon=":material/cancel:",
                confirm=words("Nothing more of it is collected. What is stored stays."),
                reason=True,
                told=lambda _: words("The backfill was cancelled."),
            )
    if row.share is not None:
        st.progress(row.share)
