"""Rows that broke a rule: of which dataset, by which rules, each with its reasons; put back, or given up."""

from typing import Any

import streamlit as st

from dashboard import paging, panels
from dashboard.address import given, go
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.view_model.base import Panel
from dashboard.view_model.quarantine import (
    MOST_SAVED,
    ON_A_PAGE,
    Batch,
    Quarantine,
    Rows,
    Waiting,
    dropped,
    quarantine,
    replayed,
    rows,
)
from dashboard.words import key_of, label, told_apart

__all__ = ["draw", "model"]


def model(here: Here) -> Quarantine:
    """What may change by itself; the rows are others only when their batch lies in another file."""
    return _found(here)


def draw(here: Here) -> None:
    words, found = here.words, _found(here)
    panel: Panel[Waiting] = Panel(found.datasets, found.note, found.face)
    with panels.framed(here, "quarantine", words("Quarantine"), panel):
        if found.dataset is None or found.chosen is None:
            return
        left, right = st.columns([4, 9], gap="large")
        with left:
            for one in found.datasets:
                _dataset(here, one, shown=one.dataset == found.dataset)
        with right:
            _batches(here, found.dataset, found.batches, found.chosen)
            _page(here, found)


def _found(here: Here) -> Quarantine:
    return quarantine(
        here.ask("quarantine"),
        here.words,
        here.now,
        dataset=given("dataset"),
        run=given("batch"),
        page=paging.number("rows"),
    )


def _rows(here: Here, found: Quarantine) -> Rows | None:
    if found.dataset is None or found.chosen is None:
        return None
    after = (found.page - 1) * ON_A_PAGE
    return rows(here.ask("quarantined", found.dataset, found.chosen.run_id, after=after, limit=ON_A_PAGE), here.words)


def _dataset(here: Here, one: Waiting, *, shown: bool) -> None:
    words, name = here.words, key_of(one.dataset)
    with st.container(key=f"tile-quarantine-{name}", border=True, gap="xsmall"):
        with st.container(
            key=f"row-quarantine-{name}",
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="distribute",
        ):
            st.text(one.dataset)
            st.button(
                words("Shown") if shown else words("Show"),
                key=f"quarantine-{name}",
                type="tertiary",
                icon=":material/arrow_forward:",
                disabled=shown,
                on_click=lambda: go(dataset=one.dataset, batch="", rows=""),
            )
        count = words("1 row") if one.rows == 1 else words("{n} rows", n=words.count(one.rows))
        with st.container(key=f"faint-quarantine-{name}", gap=None):
            st.text(words("{rows}, the oldest of {time}", rows=count, time=one.since))


def _batches(here: Here, dataset: str, batches: tuple[Batch, ...], chosen: Batch) -> None:
    words, names = here.words, told_apart({one.run_id: one.words for one in batches})
    key = "batch-choice"
    st.session_state[key] = chosen.run_id
    st.selectbox(
        words("Batch of {dataset}", dataset=label(dataset)),
        list(names),
        format_func=lambda one: names[one],
        key=key,
        on_change=lambda: go(dataset=dataset, batch=st.session_state[key], rows=""),
    )
    with st.container(key="list-reasons", gap="xsmall"):
        for n, (rule, count) in enumerate(chosen.reasons[:10]):
            with st.container(key=f"row-reason-{n}", horizontal=True, vertical_alignment="center"):
                st.text(rule)
                with st.container(key=f"faint-reason-{n}", width="content"):
                    st.text(words("1 row") if count == 1 else words("{n} rows", n=words.count(count)))
    _buttons(here, dataset, chosen)


def _buttons(here: Here, dataset: str, chosen: Batch) -> None:
    if not here.may_change:
        return
    words, name = here.words, key_of(chosen.run_id)

    def typed() -> tuple[tuple[()], dict[str, Any]]:
        state = st.session_state
        return (), {"force": bool(state[f"replay-force-{name}"]), "reason": str(state[f"replay-reason-{name}"] or "")}

    with st.container(key="buttons-quarantine", horizontal=True):
        with st.popover(words("Try them again"), icon=":material/replay:", key=f"replay-{name}"):
            st.text(words("The rows are judged by the rules as they are now: those that pass join the dataset."))
            st.checkbox(
                words("Also beside newer rows, and what the gate would hold"),
                key=f"replay-force-{name}",
                help=words("Else rows that newer ones took the place of stay here"),
            )
            st.text_input(words("Reason"), key=f"replay-reason-{name}", max_chars=2000)
            act(
                here,
                words("Try them again"),
                "replay",
                dataset,
                chosen.run_id,
                key=f"replay-do-{name}",
                primary=True,
                given=typed,
                told=lambda done: replayed(done, words),
            )
        count = words("1 row") if chosen.rows == 1 else words("{n} rows", n=words.count(chosen.rows))
        act(
            here,
            words("Give them up"),
            "drop",
            dataset,
            chosen.run_id,
            key=f"drop-{name}",
            icon=":material/delete:",
            confirm=words(
                "{rows} of {dataset} are given up for good. This cannot be undone.", rows=count, dataset=dataset
            ),
            reason=True,
            told=lambda done: dropped(done, words),
        )


def _page(here: Here, found: Quarantine) -> None:
    words, shown = here.words, _rows(here, found)
    if shown is None or found.dataset is None or found.chosen is None:
        return
    if shown.face is not None:
        panels.face(here, "quarantine-rows", shown.face)
    if shown.cells:
        # Text in every cell: what a provider sent is shown as it is.
        table = {name: [row[n] for row in shown.cells] for n, name in enumerate(shown.columns)}
        alt = words("Rows in quarantine, with the rules they broke")
        st.dataframe(table, hide_index=True, key="quarantine-rows", alt=alt, height="auto")
    if shown.left_out:
        st.text(
            words.number(shown.left_out, "1 more column is in the download.", "{n} more columns are in the download.")
        )
    with st.container(key="buttons-rows", horizontal=True, horizontal_alignment="distribute"):
        paging.turn("rows", found.pages)
        dataset, run = found.dataset, found.chosen.run_id
        panels.download(here, "quarantine", lambda: _all_rows(here, dataset, run))


def _all_rows(here: Here, dataset: str, run: str) -> list[dict[str, object]]:
    """Every row of the batch, `MOST_SAVED` at most, with its rules as one text."""
    found = here.source.client(here.caller).queries.quarantined(dataset, run, after=0, limit=MOST_SAVED)
    return [{**row, "_rules": ", ".join(map(str, row.get("_rules") or ()))} for row in found]
