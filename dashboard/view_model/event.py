"""One event, whole, as fields that can be read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.events import toned
from dashboard.words import Tone, plain

__all__ = ["Field", "OneEvent", "one_event"]

FIELDS, DEPTH = 200, 6
LONGEST = 400
JSON_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Field:
    """A member of the data: where it stands (`quality › score`), and what it says."""

    name: str
    value: str

    def to_csv(self) -> dict[str, object]:
        return {"field": self.name, "value": self.value}


@dataclass(frozen=True, slots=True)
class OneEvent:
    """All that is drawn. `run`, `dataset`: ids to go on to; "": it has none. `time`: RFC 3339."""

    seq: int
    time: str
    when: str
    tone: Tone
    type: str
    subject: str
    source: str
    sentence: str
    fields: tuple[Field, ...] = ()
    note: str = ""
    chain: tuple[Field, ...] = ()
    json: str = ""
    run: str = ""
    dataset: str = ""
    face: Face | None = None


def one_event(answer: Answer, words: Words, now: datetime) -> OneEvent:
    """For the answer of `event`."""
    event = answer.document
    if event is None:
        face = face_of(answer) or Face("no data yet", words("There is no such event."))
        return OneEvent(0, "", "", "neutral", "", "", "", "", face=face)
    data = event["data"]
    fields = tuple(_fields(data, "", 0, words))
    moment = datetime.fromisoformat(event["time"])
    type_, subject = plain(event["type"], limit=80), plain(event["subject"], limit=200)
    whole = json.dumps(event, indent=2, ensure_ascii=False)
    is_run = type_.startswith("run.")
    return OneEvent(
        seq=event["seq"],
        time=event["time"],
        when=words.clock(moment, now, seconds=True),
        tone=toned(type_),
        type=type_,
        subject=subject,
        source=plain(event["source"], limit=80),
        sentence=words(
            "{type} of {subject}, at {time}", type=type_, subject=subject, time=words.clock(moment, now, seconds=True)
        ),
        fields=fields[:FIELDS],
        note=words("{count} more fields", count=words.count(len(fields) - FIELDS)) if len(fields) > FIELDS else "",
        chain=tuple(
            Field(words(name), plain(str(event[key]), limit=100))
            for name, key in (
                ("Position", "seq"),
                ("Id", "id"),
                ("Version of the subject", "version"),
                ("Hash", "hash"),
                ("Hash before", "prev_hash"),
            )
        ),
        json=whole if len(whole) <= JSON_LIMIT else whole[:JSON_LIMIT] + "…",
        run=str(event["subject"] if is_run else data.get("run_id") or ""),
        dataset=str(event["subject"]) if type_.split(".")[0] in _OF_DATASETS else "",
        face=face_of(answer),
    )


_OF_DATASETS = {
    "dataset",
    "batch",
    "promise",
    "quality",
    "rows",
    "schema",
    "anomaly",
    "objective",
    "version",
    "quarantine",
    "schedule",
}


def _fields(value: Any, name: str, depth: int, words: Words) -> Iterator[Field]:
    """The leaves of nested data, each with the way to it; a list of plain values is one of them."""
    if isinstance(value, dict) and value and depth < DEPTH:
        for key, member in value.items():
            yield from _fields(member, f"{name} › {key}" if name else str(key), depth + 1, words)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value) and depth < DEPTH:
        for n, member in enumerate(value, 1):
            yield from _fields(member, f"{name} {n}", depth + 1, words)
    elif value not in (None, "", [], {}):
        yield Field(plain(name, limit=120), plain(_told(value, words), limit=LONGEST))


def _told(value: Any, words: Words) -> str:
    if isinstance(value, bool):
        return words("yes") if value else words("no")
    if isinstance(value, list):
        return ", ".join(_told(one, words) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_told(one, words)}" for key, one in value.items())
    return str(value)
