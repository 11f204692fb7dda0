"""Who is told, and how that goes: channels, and the messages that wait, were sent, or were taken by nobody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.incident import Letter, letter_of
from dashboard.view_model.report import Report
from dashboard.words import Tone, plain

__all__ = ["BOXES", "Box", "Channel", "Post", "channels_of", "post", "tried"]

Box = Literal["waiting", "sent", "dead"]
BOXES: tuple[Box, ...] = ("waiting", "sent", "dead")
MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: whether it takes messages, and more in words."""

    name: str
    tone: Tone
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Post:
    """Channels, and the letters of one box. `boxes`: how each is called, with its count where that is known."""

    channels: Panel[Channel]
    boxes: tuple[tuple[Box, str], ...]
    letters: tuple[Letter, ...]
    letters_face: Face | None


def post(channels: Answer, letters: Mapping[Box, Answer], words: Words, now: datetime, box: Box) -> Post:
    """Both panels for the answers of `channels` and of `letters`, of which the box shown and `dead` are needed."""
    shown = letters[box]
    titles = {"waiting": words("Waiting"), "sent": words("Sent"), "dead": words("Nobody took them")}
    counts = {name: len(answer.document) for name, answer in letters.items() if answer.document is not None}
    boxes = tuple(
        (name, f"{titles[name]} ({words.count(counts[name])}{'+' * (counts[name] >= MOST_LETTERS)})")
        if name != "sent" and name in counts
        else (name, titles[name])
        for name in BOXES
    )
    empty = {
        "waiting": words("No message waits: everybody was told."),
        "sent": words("Nobody was told anything yet."),
        "dead": words("Every message was taken."),
    }
    return Post(
        channels_of(channels, words, now),
        boxes,
        tuple(letter_of(one, words, now) for one in shown.document or ()),
        face_of(shown, empty=empty[box]),
    )


def channels_of(answer: Answer, words: Words, now: datetime) -> Panel[Channel]:
    """Who is told, for the answer of `channels`."""
    empty = words("No channel is configured: incidents are listed, and kept as files in alerts/.")
    return Panel(tuple(_channel(one, words, now) for one in answer.document or ()), face=face_of(answer, empty=empty))


def tried(sent: Mapping[str, Any], words: Words) -> Report:
    """What came of a test."""
    name = plain(sent["channel"], limit=64)
    if sent["state"] == "sent":
        return Report("good", words("sent"), words("A test went to {channel}: look whether it came.", channel=name))
    error = plain(sent["error"], limit=300)
    if sent["state"] == "unknown":
        told = words("Nobody knows whether the test came to {channel}: {error}", channel=name, error=error)
        return Report("attention", words("no answer"), told)
    return Report(
        "bad", words("failed"), words("The test did not come to {channel}: {error}", channel=name, error=error)
    )


def _channel(one: dict[str, Any], words: Words, now: datetime) -> Channel:
    told = [plain(one["service"], limit=30)] if one["service"] else [words("not configured any more")]
    if one["told_at"]:
        told.append(words("took a message last {time}", time=words.clock(moment(one["told_at"]), now)))
    if one["waiting"]:
        told.append(words("{n} waiting", n=words.count(one["waiting"])))
    if one["dead"]:
        told.append(words("{n} taken by nobody within a day", n=words.count(one["dead"])))
    if one["error"]:
        told.append(plain(one["error"], limit=300))
    if one["failing_since"]:
        time = words.clock(moment(one["failing_since"]), now)
        return Channel(plain(one["channel"], limit=64), "bad", words("fails since {time}", time=time), " · ".join(told))
    tone: Tone = "attention" if one["dead"] else "good" if one["told_at"] else "neutral"
    state = words("refuses some") if one["dead"] else words("works") if one["told_at"] else words("not tried yet")
    return Channel(plain(one["channel"], limit=64), tone, state, " · ".join(told))
