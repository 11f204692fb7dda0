"""One incident: what is wrong, what to do, what happened, and who was told in which words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.incidents import lasting, severity_of
from dashboard.words import Tone, plain

__all__ = ["Cause", "Due", "Incident", "Letter", "Part", "Written", "incident", "letter_of", "parts_of", "written"]

MOST_CAUSES = 50
MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph of a message: what it is about, its text as it came, and whether it is text, command or link."""

    label: str
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the incident: when, what, by whom and why, and who was told."""

    when: str
    tone: Tone
    change: str
    words: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to a channel: when, what came of it, of what kind it is, and more in words."""

    key: str
    channel: str
    when: str
    tone: Tone
    state: str
    kind: str
    title: str
    words: str


@dataclass(frozen=True, slots=True)
class Due:
    """What comes next, if nothing changes."""

    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Cause:
    """A thing that is wrong in it."""

    rule: str
    event: str
    about: str
    since: str
    last: str
    count: int
    over: str


@dataclass(frozen=True, slots=True)
class Incident:
    """All that is drawn of one.

    Attributes:
        acts: Whether it may be taken, declared over and kept quiet: it is not over.
        taken: Who has taken it, in words; "" nobody.
        parts: What a message says of it now.
        quiet: What keeps people from being told.
        matchers: By which of its marks it can be kept quiet, the likeliest first.
    """

    id: str
    face: Face | None = None
    tone: Tone = "neutral"
    severity: str = ""
    state: str = ""
    title: str = ""
    when: str = ""
    datasets: tuple[str, ...] = ()
    acts: bool = False
    taken: str = ""
    parts: tuple[Part, ...] = ()
    causes: tuple[Cause, ...] = ()
    steps: tuple[Step, ...] = ()
    letters: tuple[Letter, ...] = ()
    due: tuple[Due, ...] = ()
    quiet: tuple[str, ...] = ()
    matchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A message in its words."""

    title: str
    parts: tuple[Part, ...]
    footer: str
    face: Face | None = None


def incident(id: str, answer: Answer, words: Words, now: datetime) -> Incident:
    """One incident for the answer of `explain`."""
    found = answer.document
    if found is None:
        return Incident(id, face_of(answer))
    one, message = found["incident"], found["message"]
    tone, severity = severity_of(one["severity"], words)
    begun, over = moment(one["opened_at"]), one["resolved_at"]
    end = now if over is None else moment(over)
    span = lasting(begun, end, words)
    if over is None:
        when = words("since {begun} ({span})", begun=words.clock(begun, now), span=span)
    else:
        when = words("{begun} to {end} ({span})", begun=words.clock(begun, now), end=words.clock(end, now), span=span)
    return Incident(
        one["id"],
        face_of(answer),
        tone,
        severity,
        _state(one, words),
        plain(_title(found), limit=300),
        when,
        tuple(one["datasets"]),
        one["state"] != "resolved",
        _taken(one, words, now),
        parts_of(message, words) if message else (),
        tuple(_cause(cause, words, now) for cause in one["causes"][:MOST_CAUSES]),
        tuple(_step(step, words, now) for step in reversed(found["happened"][-MOST_STEPS:])),
        tuple(letter_of(letter, words, now) for letter in sorted(found["letters"], key=_latest, reverse=True)),
        tuple(Due(words.clock(moment(due["at"]), now), _due(due, words)) for due in found["due"]),
        tuple(plain(words_, limit=300) for words_ in found["quiet"]),
        _matchers(one),
    )


def written(answer: Answer, words: Words) -> Written:
    """A message for the answer of `letter`."""
    if answer.document is None:
        return Written("", (), "", face_of(answer))
    message = answer.document["message"]
    footer = plain(message["footer"], limit=300)
    return Written(plain(message["title"], limit=300), parts_of(message, words), footer, face_of(answer))


def parts_of(message: dict[str, Any], words: Words) -> tuple[Part, ...]:
    """The paragraphs of a message; their labels in the reader's language, their text as it came."""
    labels = {
        "Datasets": words("Datasets"),
        "Made of them": words("Made of them"),
        "And": words("And"),
        "The system": words("The system"),
        "Paste": words("Paste"),
        "Owner": words("Owner"),
        "Runbook": words("Runbook"),
        "Link": words("Link"),
        "Take it": words("Take it"),
        "You do": words("You do"),
    }
    return tuple(
        Part(
            labels.get(part["label"], plain(part["label"], limit=80)),
            plain(part["text"], limit=4000, lines=True),
            part["style"],
        )
        for part in message["parts"]
    )


def letter_of(one: dict[str, Any], words: Words, now: datetime) -> Letter:
    """A row of the outbox."""
    states: dict[str, tuple[Tone, str]] = {
        "waiting": ("busy", words("waiting")),
        "sending": ("busy", words("being sent")),
        "sent": ("good", words("sent")),
        "dead": ("bad", words("nobody took it")),
        "merged": ("neutral", words("told with another")),
        "summarised": ("neutral", words("told with others")),
    }
    kinds = {
        "opened": words("it began"),
        "changed": words("it got worse"),
        "flapping": words("it comes and goes"),
        "escalated": words("nobody took it in time"),
        "reminded": words("it lasts"),
        "resolved": words("it is over"),
        "summary": words("several at once"),
        "digest": words("the day's list"),
        "test": words("a test"),
        "notice": words("said by a program"),
    }
    tone, state = states.get(one["state"], ("neutral", one["state"]))
    told = []
    if one["attempts"] > 1:
        told.append(words("{n} tries", n=words.count(one["attempts"])))
    if one["next_try"]:
        told.append(words("next try {time}", time=words.clock(moment(one["next_try"]), now, seconds=True)))
    if one["error"]:
        told.append(plain(one["error"], limit=300))
    return Letter(
        one["key"],
        plain(one["channel"], limit=64),
        words.clock(moment(one["told_at"] or one["created"]), now),
        tone,
        state,
        kinds.get(one["kind"], one["kind"]),
        plain(one["title"], limit=200),
        " · ".join(told),
    )


def _title(found: dict[str, Any]) -> str:
    """What a message says of it now; of a past moment, what the last one had said by then."""
    one, message = found["incident"], found["message"]
    last = max((letter for letter in found["letters"] if letter["told_at"]), key=_latest, default=None)
    if message is None and last is not None:
        return str(last["title"])
    return str(message["title"]) if message else f"{one['about']}: {', '.join(one['rules'])}"


def _latest(letter: dict[str, Any]) -> tuple[str, str]:
    return letter["told_at"] or letter["created"], letter["key"]


def _state(one: dict[str, Any], words: Words) -> str:
    names = {
        "open": words("open"),
        "acknowledged": words("taken"),
        "silenced": words("kept quiet"),
        "inhibited": words("explained by another"),
        "resolved": words("over"),
    }
    return names.get(one["state"], str(one["state"]))


def _taken(one: dict[str, Any], words: Words, now: datetime) -> str:
    if not one["acknowledged_by"]:
        return ""
    name = plain(one["acknowledged_by"], limit=60)
    until = one["acknowledged_until"]
    told = (
        words("{name} took it.", name=name)
        if until is None
        else words("{name} took it until {time}.", name=name, time=words.clock(moment(until), now))
    )
    return f"{told} {plain(one['comment'], limit=300)}".strip()


def _cause(one: dict[str, Any], words: Words, now: datetime) -> Cause:
    return Cause(
        plain(one["rule"], limit=80),
        plain(one["type"], limit=80),
        plain(one["subject"], limit=80),
        words.clock(moment(one["since"]), now),
        words.clock(moment(one["last"]), now),
        one["count"],
        "" if one["over"] is None else words.clock(moment(one["over"]), now),
    )


def _step(one: dict[str, Any], words: Words, now: datetime) -> Step:
    changes: dict[str, tuple[Tone, str]] = {
        "opened": ("bad", words("began")),
        "changed": ("attention", words("changed")),
        "acknowledged": ("busy", words("taken")),
        "unacknowledged": ("attention", words("no longer taken")),
        "escalated": ("bad", words("escalated")),
        "flapping": ("attention", words("comes and goes")),
        "inhibited": ("neutral", words("explained by another")),
        "silenced": ("neutral", words("kept quiet")),
        "resolved": ("good", words("over")),
    }
    tone, change = changes.get(one["change"], ("neutral", one["change"]))
    told = []
    if one["actor"]:
        told.append(words("by {name}", name=plain(one["actor"], limit=60)))
    if one["reason"]:
        told.append(plain(one["reason"], limit=300))
    if one["notice"] is not None:
        to = ", ".join(plain(name, limit=64) for name in one["to"])
        told.append(words("told to {channels}", channels=to) if to else words("kept as a file only"))
    return Step(words.clock(moment(one["time"]), now, seconds=True), tone, change, " · ".join(told))


def _due(one: dict[str, Any], words: Words) -> str:
    said = {
        "told": words("it is told"),
        "told again, as it lasts": words("it is told again, as it lasts"),
        "the acknowledgement runs out; told again if it lasts": words(
            "it is nobody's any more, and told again if it lasts"
        ),
        "over, if nothing comes meanwhile": words("it is over, if nothing comes meanwhile"),
        "told by itself, if it lasts: what explained it is over": words(
            "it is told by itself, if it lasts: what explained it is over"
        ),
        "escalated, if nobody acknowledges it": words("it is escalated, if nobody takes it"),
    }
    to = ", ".join(plain(name, limit=64) for name in one["to"])
    text = said.get(one["what"], one["what"])
    return f"{text} ({to})" if to else text


def _matchers(one: dict[str, Any]) -> tuple[str, ...]:
    """What can be said of it for a silence: what it is about first, then each other mark."""
    found = [f"about={one['about']}", f"incident={one['id']}"]
    found += [f"dataset={name}" for name in one["datasets"][:20]]
    found += [f"rule={name}" for name in one["rules"][:20]]
    return (*found, f"severity={one['severity']}")
