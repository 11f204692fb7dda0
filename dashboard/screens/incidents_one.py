"""One incident whole: what is wrong and what to do, what happened, who was told; and what can be done about it."""

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import panels
from dashboard.address import go
from dashboard.buttons import Given, act
from dashboard.here import Here
from dashboard.language import moment
from dashboard.view_model.base import Panel, Row
from dashboard.view_model.incident import Incident, Letter, Part, Written, written
from dashboard.words import key_of, label, plain, told_apart

__all__ = ["MATCHING", "UNTIL", "draw", "parts", "reader"]

UNTIL = ("30m", "1h", "2h", "8h", "24h")
MATCHING = "dataset=fx_*, about=ECB, rule=…, severity=warning"
MOST_LINKS = 6
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\]+")


def draw(here: Here, one: Incident) -> None:
    """Draw it, with its buttons."""
    words = here.words
    title = words("Incident {id}", id=plain(one.id, limit=20))
    with panels.framed(here, "incident", label(title), Panel((), one.when, one.face)):
        if not one.title:
            return
        with st.container(key="row-incident-state", horizontal=True, vertical_alignment="center"):
            panels.badge(one.tone, one.severity)
            with st.container(key="faint-incident-state", width="content"):
                st.text(one.state)
            if one.taken:
                st.text(one.taken)
        with st.container(key="name-incident"):
            st.text(one.title)
        parts("incident", one.parts)
        _buttons(here, one)
        _datasets(here, one)
        _notes(here, one)
        _timeline(here, one)
        _letters(here, one)
        _causes(here, one)


def parts(name: str, message: tuple[Part, ...]) -> None:
    """A message as it is put together: text as it is, commands to copy, links to follow."""
    for n, part in enumerate(message):
        with st.container(key=f"part-{name}-{n}", gap="xxsmall"):
            if part.label:
                with st.container(key=f"faint-part-{name}-{n}"):
                    st.text(part.label)
            if part.style == "command":
                st.code(part.text, language=None, wrap_lines=True)
            elif part.style == "link" and _ADDRESS.fullmatch(part.text):
                st.link_button(label(part.text, limit=120), part.text, type="tertiary", icon=":material/open_in_new:")
            else:
                st.text(part.text)


def reader(here: Here, name: str, letters: tuple[Letter, ...]) -> str:
    """One of some messages in its words: which, is chosen here; gives its key, "" none."""
    shown = told_apart(
        {one.key: plain(f"{one.when} · {one.channel} · {one.kind} · {one.title}", limit=100) for one in letters}
    )
    key: str | None = st.selectbox(
        here.words("Message in its words"),
        list(shown),
        index=None,
        format_func=lambda one: shown[one],
        key=f"letter-{name}",
        placeholder=here.words("Choose one"),
    )
    if key is None:
        return ""
    found: Written = written(here.ask("letter", key), here.words)
    with st.container(key=f"tile-letter-{name}", border=True, gap="small"):
        if found.face is not None:
            panels.face(here, f"letter-{name}", found.face)
        with st.container(key=f"name-letter-{name}"):
            st.text(found.title)
        parts(f"letter-{name}", found.parts)
        with st.container(key=f"faint-letter-{name}"):
            st.text(found.footer)
    return key


def _buttons(here: Here, one: Incident) -> None:
    if not one.acts or not here.may_change:
        return
    words, name = here.words, key_of(one.id)
    with st.container(key="buttons-incident", horizontal=True):
        with st.popover(words("Take it"), icon=":material/person_check:", type="primary", key=f"take-{name}"):
            st.text(words("It is neither repeated nor escalated."))
            _until(here, f"take-until-{name}", words("Until (then it comes back if it lasts)"), words("until it ends"))
            st.text_input(words("What you do about it"), key=f"take-comment-{name}", max_chars=2000)
            act(
                here,
                words("Take it"),
                "acknowledge",
                one.id,
                key=f"take-do-{name}",
                primary=True,
                given=_typed(one.id, until=f"take-until-{name}", comment=f"take-comment-{name}"),
                told=lambda taken: words("{id} is yours.", id=taken["id"]),
            )
        with st.popover(words("Keep quiet"), icon=":material/notifications_off:", key=f"quiet-{name}"):
            st.text(words("Nobody is told of what matches; it is listed all the same."))
            silence_form(here, f"quiet-{name}", one.matchers, one.matchers[:1], stay=one.id)
        act(
            here,
            words("Declare it over"),
            "resolve",
            one.id,
            key=f"over-{name}",
            icon=":material/check:",
            confirm=words("What is still wrong opens a new incident when it is seen again."),
            reason=True,
            given=_typed(one.id),
            told=lambda over: words("{id} is over.", id=over["id"]),
        )


def silence_form(
    here: Here,
    name: str,
    matchers: tuple[str, ...],
    chosen: tuple[str, ...] = (),
    *,
    window: bool = False,
    stay: str = "",
) -> None:
    """Which incidents, until when, why.

    Args:
        window: Also from when.
        stay: The incident that the page stays with.
    """
    words = here.words
    which = st.multiselect(
        words("Which incidents (all of it must hold)"),
        list(matchers),
        default=list(chosen),
        format_func=lambda one: plain(one, limit=120),
        key=f"{name}-which",
        accept_new_options=True,
        placeholder=MATCHING,
        help=words("Choose, or write your own; names may have *"),
    )
    if window:
        st.text_input(
            words("From"),
            key=f"{name}-from",
            placeholder=words("now"),
            help=words("A duration (2h), a time of day (22:00), or a time (2026-11-20T08:00:00Z)"),
        )
    _until(here, f"{name}-until", words("Until"), "")
    st.text_input(words("Reason"), key=f"{name}-reason", max_chars=2000)

    def typed() -> tuple[list[str], dict[str, Any]]:
        if stay:
            go(incident=stay)
        state = st.session_state
        begin = {"begin": str(state.get(f"{name}-from") or "") or None} if window else {}
        return list(state[f"{name}-which"]), {
            "until": str(state[f"{name}-until"] or ""),
            "reason": str(state[f"{name}-reason"] or ""),
            **begin,
        }

    def told(made: Any) -> str:
        end = words.clock(moment(made["until"]), here.source.now())
        return words("{id}: nobody is told of what matches until {time}.", id=made["id"], time=end)

    key, title = f"{name}-do", words("Keep quiet")
    act(here, title, "silence", key=key, primary=True, disabled=not which, given=typed, told=told)


def _until(here: Here, key: str, asked: str, forever: str) -> None:
    """`forever`: what it means when nothing is chosen; "": something must be."""
    st.selectbox(
        asked,
        list(UNTIL),
        index=None if forever else 2,
        key=key,
        accept_new_options=True,
        placeholder=forever or None,
        help=here.words("A duration (2h), a time of day (22:00), or a time (2026-11-20T08:00:00Z)"),
    )


def _typed(stay: str, **keys: str) -> Given:
    """What was typed. The page stays with the incident, which goes to another list."""

    def typed() -> tuple[tuple[()], dict[str, Any]]:
        go(incident=stay)
        found = {name: st.session_state.get(key) for name, key in keys.items()}
        return (), {name: value for name, value in found.items() if value}

    return typed


def _datasets(here: Here, one: Incident) -> None:
    if not one.datasets:
        return
    with st.container(key="row-incident-datasets", horizontal=True, vertical_alignment="center"):
        with st.container(key="faint-incident-datasets", width="content"):
            st.text(here.words("It touches"))
        for name in one.datasets[:MOST_LINKS]:
            here.link("dataset", name, icon=":material/table:", dataset=name)
        if len(one.datasets) > MOST_LINKS:
            st.text(here.words("and {n} more", n=here.words.count(len(one.datasets) - MOST_LINKS)))


def _notes(here: Here, one: Incident) -> None:
    """Why nobody is told, and what comes next."""
    words = here.words
    rows = [Row("neutral", words("quiet"), "", "", note) for note in one.quiet]
    rows += [Row("busy", words("next"), "", due.when, due.words) for due in one.due]
    if rows:
        panels.rows("incident-next", Panel(tuple(rows)))


def _timeline(here: Here, one: Incident) -> None:
    rows = tuple(Row(step.tone, step.change, "", step.when, step.words) for step in one.steps)
    _folded(here, "timeline", here.words("What happened"), len(rows), lambda: panels.rows("steps", Panel(rows)))


def _letters(here: Here, one: Incident) -> None:
    def draw_letters() -> None:
        rows = tuple(
            Row(letter.tone, letter.state, f"{letter.channel}: {letter.kind}", letter.when, letter.words)
            for letter in one.letters
        )
        panels.rows("incident-letters", Panel(rows))
        reader(here, "incident", one.letters)

    title = here.words("Messages, as they were sent")
    _folded(here, "letters", title, len(one.letters), draw_letters)


def _causes(here: Here, one: Incident) -> None:
    words = here.words

    def draw_causes() -> None:
        table = [
            {
                words("rule"): cause.rule,
                words("event"): cause.event,
                words("about"): cause.about,
                words("since"): cause.since,
                words("last"): cause.last,
                words("times"): cause.count,
                words("over since"): cause.over,
            }
            for cause in one.causes
        ]
        st.dataframe(table, hide_index=True, key="incident-causes", alt=words("What is wrong in it"))

    _folded(here, "causes", words("What is wrong in it"), len(one.causes), draw_causes)


def _folded(here: Here, name: str, title: str, count: int, content: Callable[[], None]) -> None:
    """A part that is drawn when somebody opens it; what is empty is not there."""
    if not count:
        return
    shown = st.expander(f"{title} ({here.words.count(count)})", key=f"fold-{name}", on_change="rerun")
    if shown.open:
        with shown:
            content()
