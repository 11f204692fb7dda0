"""Who is told, and how that goes: channels to try, and the outbox."""

import streamlit as st

from dashboard import panels
from dashboard.address import choice, given
from dashboard.buttons import act
from dashboard.here import Here
from dashboard.screens.incidents_one import reader
from dashboard.view_model.base import Panel, Row
from dashboard.view_model.post import BOXES, MOST_LETTERS, Box, Channel, Post, post, tried
from dashboard.words import key_of

__all__ = ["draw", "model"]


def model(here: Here) -> Post:
    box = _box()
    asked: tuple[Box, ...] = ("waiting", "dead", "sent") if box == "sent" else ("waiting", "dead")
    letters = {one: here.ask("letters", one, limit=MOST_LETTERS) for one in asked}
    return post(here.ask("channels"), letters, here.words, here.now, box)


def draw(here: Here) -> None:
    words, found = here.words, model(here)
    with panels.framed(here, "channels", words("Who is told"), found.channels):
        for channel in found.channels.rows:
            _channel(here, channel)
    with panels.framed(here, "outbox", words("Messages"), Panel()):
        choice("box", words("Which messages"), dict(found.boxes), "waiting")
        _outbox(here, model(here))


def _box() -> Box:
    asked = given("box", "waiting")
    return next((one for one in BOXES if one == asked), "waiting")


def _channel(here: Here, channel: Channel) -> None:
    words, name = here.words, key_of(channel.name)
    with st.container(key=f"row-channel-{name}", horizontal=True, vertical_alignment="center"):
        panels.badge(channel.tone, channel.state)
        st.text(channel.name)
        with st.container(key=f"faint-channel-{name}", width="content"):
            st.text(channel.words)
        act(
            here,
            words("Send a test"),
            "test_channel",
            channel.name,
            key=f"channel-test-{name}",
            icon=":material/send:",
            told=lambda sent: tried(sent, words),
        )


def _outbox(here: Here, found: Post) -> None:
    words = here.words
    if found.letters_face is not None:
        panels.face(here, "outbox", found.letters_face)
    if not found.letters:
        return
    rows = tuple(
        Row(letter.tone, letter.state, f"{letter.channel}: {letter.title}", letter.when, letter.words)
        for letter in found.letters[:20]
    )
    panels.rows("outbox", Panel(rows))
    if len(found.letters) > len(rows):
        st.text(words("and {n} more", n=words.count(len(found.letters) - len(rows))))
    chosen = reader(here, "outbox", found.letters)
    if _box() == "dead":
        with st.container(key="buttons-outbox", horizontal=True):
            if chosen:
                _resend(here, words("Send it again"), chosen, key="outbox-resend-one")
            _resend(here, words("Send all of them again"), key="outbox-resend")
    panels.download(
        here,
        "messages",
        lambda: [
            {
                "time": letter.when,
                "channel": letter.channel,
                "state": letter.state,
                "kind": letter.kind,
                "title": letter.title,
                "more": letter.words,
                "key": letter.key,
            }
            for letter in found.letters
        ],
    )


def _resend(here: Here, label: str, *keys: str, key: str) -> None:
    words = here.words
    act(
        here,
        label,
        "resend",
        *keys,
        key=key,
        icon=":material/replay:",
        told=lambda done: words(
            "{n} put back; {sent} sent just now, {waiting} waiting.",
            n=words.count(len(done["letters"])),
            sent=words.count(done["sent"]),
            waiting=words.count(done["waiting"]),
        ),
    )
