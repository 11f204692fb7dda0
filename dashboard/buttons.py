"""Buttons that change something: drawn for who may, confirmed where it cannot be undone, their result in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from dashboard.here import Here
from dashboard.view_model.report import Report, of_backfill, of_run
from dashboard.words import label as harmless
from dashboard.words import plain, prose

__all__ = ["CONFIRMING", "Asked", "Given", "Told", "act", "asked", "dismiss"]

Told = Callable[[Any], str | Report]
"""The result in words, made of what the API answered; a report where it is not good though it was done."""

Given = Callable[[], tuple[Sequence[Any], Mapping[str, Any]]]
"""Arguments and named arguments of an operation, from what stands in widgets."""

CONFIRMING = "confirming"
"""In the session while a question is open: a page that is drawn again would close it."""


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
    quiet: bool = False,
    help: str | None = None,
    disabled: bool = False,
    given: Given | None = None,
    form: Callable[[], bool] | None = None,
    **kwargs: Any,
) -> None:
    """A button that calls `Client.operations.OPERATION(*args, **kwargs)`; nothing for who may not, or in the past.

    Args:
        label, help, confirm: Translated already; `label` and `confirm` may hold text from elsewhere.
        confirm: Asked before: what will happen; needed where it cannot be undone.
        reason: Ask for a reason as well; it goes to the operation as `reason`.
        told: The result in words.
        given: More arguments, asked for at the click: what somebody typed a moment before is among them.
        form: Draws what else is asked before, in the question; whether that is complete. `given` takes it from there.
        primary, quiet: The one that is most often meant; one of many alike.
        follow: The answer names a run (`run_id`) or a backfill, whose end is waited for and told.
    """
    if not here.may_change:
        return

    def begin(**more: Any) -> None:
        chosen, named = given() if given is not None else ((), {})
        number = here.actions.begin(here.caller, operation, *args, *chosen, **kwargs, **named, **more)
        st.session_state["asked"] = Asked(number, told, follow)

    kind: Literal["primary", "secondary", "tertiary"] = "primary" if primary else "tertiary" if quiet else "secondary"
    shown: dict[str, Any] = {"icon": icon, "help": help, "disabled": disabled, "type": kind}
    if not confirm and not reason and form is None:
        st.button(harmless(label), key=key, on_click=begin, **shown)
    elif st.button(harmless(label), key=key, **shown):
        _confirm(here, label, confirm, reason, form, key, begin)


def _confirm(
    here: Here,
    label: str,
    question: str,
    reason: bool,
    form: Callable[[], bool] | None,
    key: str,
    begin: Callable[..., None],
) -> None:
    def confirmed() -> None:
        begin(**({"reason": st.session_state.get(f"{key}-reason", "")} if reason else {}))

    @st.dialog(harmless(label), on_dismiss=_closed)
    def ask() -> None:
        if question:
            st.text(plain(question, limit=600, lines=True))
        if reason:
            st.text_input(here.words("Reason"), key=f"{key}-reason")
        ready = form is None or form()
        yes = here.words("Yes, do it")
        if st.button(yes, key=f"{key}-yes", type="primary", on_click=confirmed, disabled=not ready):
            st.rerun()

    st.session_state[CONFIRMING] = True  # the shell forgets it in the next drawing, which closes the question
    ask()


def _closed() -> None:
    st.session_state.pop(CONFIRMING, None)


def asked(here: Here) -> Report | None:
    """What became of the last click of this session."""
    last: Asked | None = st.session_state.get("asked")
    deed = None if last is None else here.actions.deed(last.key)
    if last is None or deed is None:
        return None
    if deed.state == "refused":
        trouble = deed.trouble
        assert trouble is not None
        told = prose(f"{trouble.message}. {trouble.hint}" if trouble.hint else trouble.message, limit=600)
        return Report("bad", here.words("failed"), here.words("Not done: {message}", message=told))
    if deed.state == "going on":
        return Report("busy", here.words("going on"), here.words("It is being done."))
    if last.follow == "run":
        run = here.ask("run", deed.document["run_id"])
        return of_run(run.document, here.words, here.source.now())
    if last.follow == "backfill":
        return of_backfill(here.ask("backfill", deed.document["backfill"]).document, here.words)
    words = last.told(deed.document)
    if isinstance(words, Report):
        return words
    return Report("good", here.words("done"), plain(words, limit=900, lines=True))


def dismiss() -> None:
    """Speak no more of the last click; what it began goes on."""
    st.session_state.pop("asked", None)
