"""How is it set up? The effective configuration, what runs when, and what maintenance would do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.words import Tone, clock_time, plain
from operations.words import size

__all__ = ["Check", "Schedule", "Settings", "Value", "chosen", "maintained", "moved", "settings"]

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
class Check:
    """One thing that was looked at: is the system itself well?"""

    tone: Tone
    state: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is drawn. Equal ones look the same."""

    sentence: str
    files: tuple[str, ...]
    values: Panel[Value]
    schedules: Panel[Schedule]
    checks: Panel[Check]
    channels: Panel[Check]


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
        sentence=words("{own} of {total} values are yours; the others are defaults.", own=own, total=len(values)),
        files=tuple(plain(file, limit=300) for file in found["files"]),
        values=Panel(values, words("secrets are masked"), face_of(configuration)),
        schedules=_schedules(schedules, words, now),
        checks=_checks(health, words),
        channels=_channels(channels, words),
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
        hint = words("Give a dataset a `schedule` in the configuration.").replace("`", "")
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
        told.append(words("next at {moment}", moment=clock_time(datetime.fromisoformat(one["next_due"]), now)))
    if one["status"]:
        told.append(words("last time {status}", status=words(one["status"])))
    if one["failures"]:
        told.append(words("{count} failures in a row", count=one["failures"]))
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
        when=clock_time(datetime.fromisoformat(when), now) if when else "",
        words=" · ".join(told),
        paused=paused,
    )


def _checks(answer: Answer, words: Words) -> Panel[Check]:
    found = answer.document["checks"] if answer.document else []
    rows = tuple(_check(one["name"], one["healthy"], one["detail"], words) for one in found)
    return Panel(rows, face=face_of(answer))


def _check(name: str, well: bool, detail: str, words: Words) -> Check:
    return Check(
        "good" if well else "bad", words("well") if well else words("not well"), name, plain(detail, limit=300)
    )


def _channels(answer: Answer, words: Words) -> Panel[Check]:
    found = answer.document or []
    face = face_of(answer)
    if face is None and not found:
        face = Face("no data yet", words("No channel is configured: nobody is told of incidents."))
    return Panel(tuple(_channel(one, words) for one in found), face=face)


def _channel(one: dict[str, Any], words: Words) -> Check:
    told = [plain(one["service"], limit=40)]
    if one["waiting"]:
        told.append(words("{count} messages wait", count=one["waiting"]))
    if one["dead"]:
        told.append(words("{count} could not be sent", count=one["dead"]))
    if one["error"]:
        told.append(plain(one["error"], limit=300))
    return _check(
        plain(one["channel"], limit=80), not one["failing_since"] and not one["dead"], " · ".join(told), words
    )
