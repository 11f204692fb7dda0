"""Buttons that change something: drawn for who may, confirmed where it cannot be undone, their result in words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from dashboard.actions import Deed
from dashboard.here import Here
from dashboard.words import Tone, plain

__all__ = ["Asked", "Told", "act", "asked"]

Told = Callable[[Any], str]
"""The result in words, made of what the API answered."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What this session asked for last. `follow`: the run or backfill whose end is waited for."""

    key: str
    told: Told
    follow: Literal["run", "backfill", ""] = ""


def act(
    here: Here,
    label: str,
    operation: str,
    /,
    *args: Any,
    key: str,
    told: Told,
    icon: str | None = None,
    confirm: str = "",
    reason: bool = False,
    follow: Literal["run", "backfill", ""] = "",
    primary: bool = False,
    help: str | None = None,
    disabled: bool = False,
    **kwargs: Any,
) -> None:
    """A button that calls `Client.operations.OPERATION(*args, **kwargs)`; nothing for who may not, or in the past.

    Args:
        label, help, confirm: Translated already.
        confirm: Asked before: what will happen; needed where it cannot be undone.
        reason: Ask for a reason as well; it goes to the operation as `reason`.
        told: The result in words.
        follow: The answer names a run (`run_id`) or a backfill, whose end is waited for and told.
    """
    if not here.may_change:
        return

    def begin(**more: Any) -> None:
        number = here.actions.begin(here.caller, operation, *args, **kwargs, **more)
        st.session_state["asked"] = Asked(number, told, follow)

    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    shown: dict[str, Any] = {"icon": icon, "help": help, "disabled": disabled, "type": kind}
    if not confirm and not reason:
        st.button(label, key=key, on_click=begin, **shown)
    elif st.button(label, key=key, **shown):
        _confirm(here, label, confirm, reason, key, begin)


def _confirm(here: Here, label: str, question: str, reason: bool, key: str, begin: Callable[..., None]) -> None:
    @st.dialog(label)
    def ask() -> None:
        if question:
            st.text(question)
        given = {"reason": st.text_input(here.words("Reason"), key=f"{key}-reason")} if reason else {}
        if st.button(here.words("Yes, do it"), key=f"{key}-yes", type="primary"):
            begin(**given)
            st.rerun()

    ask()


def asked(here: Here) -> tuple[Tone, str, str, float | None] | None:
    """What became of the last click of this session: its tone, a word, a sentence, and how far it is (0 to 1)."""
    last: Asked | None = st.session_state.get("asked")
    if last is None:
        return None
    deed = here.actions.deed(last.key)
    if deed is None:
        return None
    if deed.state == "refused":
        trouble = deed.trouble
        assert trouble is not None
        words = plain(f"{trouble.message}. {trouble.hint}" if trouble.hint else trouble.message, limit=600)
        return "bad", here.words("failed"), here.words("Not done: {message}", message=words), None
    if deed.state == "going on":
        return "busy", here.words("going on"), "…", None
    if last.follow == "run":
        return _run(here, deed)
    return "good", here.words("done"), last.told(deed.document), None


def _run(here: Here, deed: Deed) -> tuple[Tone, str, str, float | None]:
    """How the run is getting on that a click asked for."""
    answer = here.ask("run", deed.document["run_id"])
    run = answer.document
    if run is None or run["status"] == "queued":
        return "busy", here.words("going on"), here.words("The run waits for its turn."), 0.0
    done, total = len(run.get("results", ())), len(run.get("datasets", ()))
    if run["status"] == "running":
        words = here.words("The run has done {done} of {total} datasets.", done=done, total=total)
        return "busy", here.words("going on"), words, done / total if total else None
    span = here.words.span(run.get("duration_s") or 0.0)
    if run["status"] == "succeeded":
        return "good", here.words("done"), here.words("The run succeeded in {span}.", span=span), None
    counts = ", ".join(f"{count} {name}" for name, count in (run.get("counts") or {}).items() if count)
    text = "The run ended {status} in {span}: {counts}."
    tone: Tone = "attention" if run["status"] == "degraded" else "bad"
    return tone, here.words("done"), here.words(text, status=run["status"], span=span, counts=counts), None
