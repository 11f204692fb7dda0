"""What can be done with a dataset: run it, run it from what came before, fill gaps, decide about a batch, export."""

from functools import partial
from typing import Any

import streamlit as st

from dashboard import panels
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.view_model.dataset import Head, Held
from dashboard.view_model.dataset_acts import Export, captures, decided, export, gaps, planned
from dashboard.words import key_of, told_apart

__all__ = ["acts", "decide", "decision", "show_rows"]

EXPORT_PATIENCE_S = 60.0

_STATES = ("missing", "failed", "held")


def acts(here: Here, model: Head) -> None:
    """The buttons below the sentence."""
    words, name = here.words, model.name
    key = key_of(name)
    waits = lambda _: words("The run waits for its turn.")  # noqa: E731 - said twice below
    with st.container(key="acts", horizontal=True):
        act(
            here,
            words("Run now"),
            "run",
            (name,),
            key=f"run-{key}",
            icon=":material/play_arrow:",
            primary=model.held is None,
            told=waits,
            follow="run",
            help=words("Collect it, or serve our copy while that is young enough"),
        )
        act(
            here,
            words("Run fresh"),
            "run",
            (name,),
            fresh=True,
            key=f"fresh-{key}",
            icon=":material/refresh:",
            told=waits,
            follow="run",
            help=words("Ask the provider even if our copy is young enough"),
        )
        _replay(here, name, key)
        _backfill(here, name, key)
        _export(here, model, key)


def decide(here: Here, model: Head, held: Held) -> None:
    """The batch that waits for a decision: what stands against it, and both answers."""
    words = here.words
    with st.container(key="held", border=True, gap="small"):
        panels.badge("attention", words("a batch is held"))
        with st.container(key="reason-held"):
            st.text(held.words)
        with st.container(key="held-acts", horizontal=True):
            decision(here, model.name, "accept", held.version, "held", primary=True)
            decision(here, model.name, "reject", held.version, "held")
            st.button(
                words("Rows"),
                key="held-rows",
                icon=":material/table_rows:",
                on_click=show_rows,
                args=(held.version,),
            )
            st.button(
                words("What differs"),
                key="held-differs",
                icon=":material/difference:",
                on_click=_show_difference,
                args=(held.version,),
            )


def decision(
    here: Here, name: str, what: str, version: str, place: str, *, primary: bool = False, quiet: bool = False
) -> None:
    """A button that accepts, rejects or rolls back; asked before, with a reason."""
    words = here.words
    label, question, icon = {
        "accept": (words("Accept"), words("Readers will get this batch from now on."), ":material/check:"),
        "reject": (
            words("Reject"),
            words("Readers will never get this batch. This cannot be undone."),
            ":material/close:",
        ),
        "rollback": (
            words("Roll back to it"),
            words("Readers will get this version again; those that came after it are taken back."),
            ":material/undo:",
        ),
    }[what]
    act(
        here,
        label,
        what,
        name,
        version,
        key=f"{what}-{place}-{key_of(version)}",
        icon=icon,
        confirm=question,
        reason=True,
        primary=primary,
        quiet=quiet,
        told=lambda document: decided(document, words),
    )


def show_rows(version: str) -> None:
    """Have the rows of a version shown."""
    st.query_params["part"] = "table"
    st.query_params["version"] = version
    st.query_params.pop("page", None)


def _show_difference(version: str) -> None:
    st.query_params["part"] = "versions"
    st.query_params["after"] = version
    st.query_params.pop("before", None)


def _replay(here: Here, name: str, key: str) -> None:
    words, choice = here.words, f"raw-{key}"

    def form() -> bool:
        found = captures(here.ask("raw", name), here.now, words)
        if found.face is not None:
            panels.face(here, "raw", found.face)
            return False
        named = told_apart(dict(found.runs))
        st.selectbox(words("Which run"), list(named), format_func=lambda run: named[run], key=choice)
        st.text(words("What came then is parsed, judged and stored by the rules of today; the provider is not asked."))
        return True

    act(
        here,
        words("Replay from raw"),
        "run",
        (name,),
        key=f"replay-{key}",
        icon=":material/replay:",
        form=form,
        given=lambda: ((), {"from_raw": st.session_state[choice]}),
        told=lambda _: words("The run waits for its turn."),
        follow="run",
        help=words("Run what the provider sent before through the rules as they are now"),
    )


def _backfill(here: Here, name: str, key: str) -> None:
    words = here.words
    table = here.ask("partitions", name, only=("failed",))
    if not here.may_change or table.document is None:
        return  # it is not collected in pieces
    begin, end, only = f"from-{key}", f"to-{key}", f"only-{key}"

    def asked() -> tuple[Any, ...]:
        state = st.session_state
        return (state.get(begin) or None, state.get(end) or None), {"only": tuple(state.get(only) or ())}

    def form() -> bool:
        st.text(gaps(table, words))
        left, right = st.columns(2)
        example = words("such as {piece}", piece=(table.document.get("newest") or "2026-11-20")[:40])
        left.text_input(words("From"), key=begin, placeholder=example, max_chars=100)
        right.text_input(words("To, not included"), key=end, placeholder=example, max_chars=100)
        st.pills(
            words("Only pieces that are"),
            _STATES,
            selection_mode="multi",
            default=("missing", "failed"),
            format_func=words,
            key=only,
        )
        (first, last), more = asked()
        plan = planned(here.ask("backfill_plan", name, first, last, **more), words)
        if plan.face is not None:
            panels.face(here, "plan", plan.face)
        else:
            st.text(plan.words)
        return plan.pieces > 0

    act(
        here,
        words("Backfill"),
        "backfill",
        name,
        key=f"backfill-{key}",
        icon=":material/history:",
        form=form,
        given=asked,
        told=lambda _: words("The backfill waits for its turn."),
        follow="backfill",
        help=words("Collect pieces of the past that are missing or failed"),
    )


def _export(here: Here, model: Head, key: str) -> None:
    words, name = here.words, model.name
    found = export(model, here.ask("versions", name, as_of=here.as_of), words)
    with st.popover(words("Export"), icon=":material/download:", key=f"export-{key}"):
        st.text(found.words)
        if found.command:
            st.code(found.command, language=None)
        if found.version is None:
            return
        for form, title, media in (
            ("csv", words("Download CSV"), "text/csv"),
            ("parquet", words("Download Parquet"), "application/vnd.apache.parquet"),
        ):
            st.download_button(
                title,
                partial(_rows, here, found, form),
                file_name=f"{name}.{form}",
                mime=media,
                key=f"{form}-{key}",
                on_click="ignore",
                icon=":material/download:",
            )


def _rows(here: Here, found: Export, form: str) -> bytes:
    """The file; `export` saw to it that it is small enough to be held."""
    queries = here.source.client(here.caller, patience=EXPORT_PATIENCE_S).queries
    return b"".join(queries.download(found.name, format=form, version=found.version))
