"""How is it set up? The effective configuration, what runs when, and what maintenance would do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, Row, face_of
from dashboard.view_model.post import channels_of
from dashboard.words import Tone, plain, prose
from operations.words import size

__all__ = ["Schedule", "Settings", "Value", "chosen", "maintained", "moved", "settings"]

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Value:
    """One key: its value, masked where it is secret, and where it came from: a file and line, a variable, a default."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a dataset is collected. `paused`: by whom, in words; "" while it goes on."""

    dataset: str
    tone: Tone
    state: str
    when: str
    words: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is drawn. Equal ones look the same."""

    sentence: str
    files: tuple[str, ...]
    values: Panel[Value]
    schedules: Panel[Schedule]
    checks: Panel[Row]
    channels: Panel[Row]


def settings(
    configuration: Answer, schedules: Answer, health: Answer, channels: Answer, words: Words, now: datetime
) -> Settings:
    """The page for the answers of `configuration`, `schedules`, `health` and `channels`."""
    found = configuration.document or {"files": [], "values": []}
    values = tuple(
        Value(*(plain(row[name], limit=400) for name in ("key", "value", "origin"))) for row in found["values"]
    )
    own = sum(value.origin != DEFAULT for value in values)
    return Settings(
        sentence=words(
            "{own} of {total} values are yours; the others are defaults.",
            own=words.count(own),
            total=words.count(len(values)),
        ),
        files=tuple(plain(file, limit=300) for file in found["files"]),
        values=Panel(values, words("secrets are masked"), face_of(configuration)),
        schedules=_schedules(schedules, words, now),
        checks=_checks(health, words),
        channels=_channels(channels, words, now),
    )


def chosen(values: Sequence[Value], search: str, *, own: bool) -> list[Value]:
    """Those whose key, value or origin has the text, written ones only with `own`."""
    text = search.casefold().strip()
    return [
        value
        for value in values
        if (not own or value.origin != DEFAULT)
        and (not text or any(text in part.casefold() for part in (value.key, value.value, value.origin)))
    ]


def moved(document: Any, words: Words) -> str:
    """What a pause or its end did."""
    names = ", ".join(document["schedules"]) or ", ".join(document["already"])
    return words("Schedules changed: {count} ({names}).", count=len(document["schedules"]), names=names)


def maintained(document: Any, words: Words) -> str:
    """What a maintenance did, or would do."""
    did = [f"{step['count']:,} {step['detail']}" for step in document["steps"] if step["count"] and step["well"]]
    sick = [f"{step['name']}: {step['detail']}" for step in document["steps"] if not step["well"]]
    text = "It would free {size}: {steps}." if document["dry_run"] else "It freed {size}: {steps}."
    told = words(text, size=size(document["freed_bytes"]), steps="; ".join(did) or words("nothing has to go"))
    return f"{told} {words('Not well: {steps}.', steps='; '.join(sick))}" if sick else told


def _schedules(answer: Answer, words: Words, now: datetime) -> Panel[Schedule]:
    found = answer.document["schedules"] if answer.document else []
    led_by = answer.document["led_by"] if answer.document else None
    note = words("run by {name}", name=plain(led_by, limit=80)) if led_by else words("nobody works them off")
    face = face_of(answer)
    if face is None and not found:
        hint = prose(words("Give a dataset a `schedule` in the configuration."))
        face = Face("no data yet", words("No dataset has a schedule."), hint)
    return Panel(tuple(_schedule(one, words, now) for one in found), note if found else "", face)


def _schedule(one: dict[str, Any], words: Words, now: datetime) -> Schedule:
    paused = one["paused_at"] is not None
    told = [plain(one["schedule"], limit=120)]
    if one["zone"] != "UTC":
        told.append(plain(one["zone"], limit=60))
    if paused:
        told.append(words("paused by {name}", name=plain(one["paused_by"] or "", limit=80)))
    elif one["next_due"]:
        told.append(words("next at {moment}", moment=words.clock(datetime.fromisoformat(one["next_due"]), now)))
    if one["status"]:
        told.append(words("last time {status}", status=words(one["status"])))
    if one["failures"]:
        told.append(words.number(one["failures"], "1 failure", "{n} failures in a row"))
    if one["why"]:
        told.append(plain(one["why"], limit=200))
    state: tuple[Tone, str] = ("attention", "paused") if paused else ("good", "goes on")
    if not paused and one["overdue"]:
        state = ("bad", "overdue")
    when = one["last_due"]
    return Schedule(
        dataset=plain(one["dataset"], limit=80),
        tone=state[0],
        state=words(state[1]),
        when=words.clock(datetime.fromisoformat(when), now) if when else "",
        words=" · ".join(told),
        paused=paused,
    )


def _checks(answer: Answer, words: Words) -> Panel[Row]:
    found = answer.document["checks"] if answer.document else []
    rows = tuple(
        Row(
            "good" if one["healthy"] else "bad",
            words("well") if one["healthy"] else words("not well"),
            one["name"],
            "",
            plain(one["detail"], limit=300),
        )
        for one in found
    )
    return Panel(rows, face=face_of(answer))


def _channels(answer: Answer, words: Words, now: datetime) -> Panel[Row]:
    found = channels_of(answer, words, now)
    return Panel(tuple(Row(one.tone, one.state, one.name, "", one.words) for one in found.rows), face=found.face)
