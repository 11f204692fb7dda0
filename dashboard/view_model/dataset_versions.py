"""The versions of a dataset, what may be decided about each, and what differs between two."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.dataset import Figure, moment_words
from dashboard.view_model.dataset_table import FIGURES, figure
from dashboard.words import Tone, plain, prose, tone_of
from operations.words import size

__all__ = ["PAGE", "Differing", "VersionRow", "differing", "shortened", "versions"]

PAGE = 12


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version.

    Attributes:
        before: The version accepted before it, that it may be compared with; "": none.
        decide: What may be done: `accept` (and `reject`) it, `roll back` to it; "": nothing.
    """

    version: str
    tone: Tone
    state: str
    current: bool
    when: str
    words: str
    before: str
    decide: str


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs between two versions.

    Attributes:
        title: Which two.
        counts: How many rows came, went and changed.
        changes: In words.
        columns, figures: Tables.
        added, removed, changed: Some rows of each kind, as tables of texts.
        note: What to know about the rows.
    """

    title: str = ""
    counts: tuple[Figure, ...] = ()
    changes: tuple[str, ...] = ()
    columns: tuple[tuple[tuple[str, str], ...], ...] = ()
    figures: tuple[tuple[tuple[str, str], ...], ...] = ()
    added: tuple[tuple[tuple[str, str], ...], ...] = ()
    removed: tuple[tuple[tuple[str, str], ...], ...] = ()
    changed: tuple[tuple[tuple[str, str], ...], ...] = ()
    note: str = ""
    face: Face | None = None


def shortened(version: str) -> str:
    """A version as people tell it apart from others: ids of runs differ at their end."""
    return plain(version)[-8:]


def versions(answer: Answer, now: datetime, words: Words) -> Panel[VersionRow]:
    """All that are kept, newest first."""
    found = (answer.document or {}).get("versions", ())
    lines = []
    for n, one in enumerate(found):
        older = next((other for other in found[n + 1 :] if other["state"] in {"accepted", "damaged"}), None)
        lines.append(
            VersionRow(
                version=one["version"],
                tone="good" if one["current"] else tone_of(one["state"]) if one["state"] != "accepted" else "neutral",
                state=words("what readers get") if one["current"] else words(_STATES.get(one["state"], one["state"])),
                current=one["current"],
                when=moment_words(one["time"], words, now),
                words=_told(one, now, words),
                before=older["version"] if older else "",
                decide=_decide(one),
            )
        )
    count = words("{count} kept", count=words.count(len(lines))) if lines else ""
    return Panel(tuple(lines), count, face_of(answer, empty="") or _empty(answer, lines, words))


def _empty(answer: Answer, lines: list[VersionRow], words: Words) -> Face | None:
    return None if lines or answer.document is None else Face("no data yet", words("No batch came yet."))


_STATES = {"rolled_back": "rolled back"}


def _decide(one: dict[str, Any]) -> str:
    if one["state"] == "held":
        return "accept"
    return "roll back" if one["state"] == "accepted" and not one["current"] else ""


def _told(one: dict[str, Any], now: datetime, words: Words) -> str:
    parts = [words("{rows} rows", rows=words.count(one["rows"]))]
    if one["score"] is not None:
        parts.append(words("score {score}", score=words.figure(one["score"])))
    parts.append(size(one["size"]))
    parts.append(f"#{shortened(one['version'])}")
    if one["restores"]:
        parts.append(words("has the rows of #{version}", version=shortened(one["restores"])))
    if one["reason"]:
        parts.append(plain(one["reason"], limit=400))
    if one["actor"]:
        at = moment_words(one["decided_at"], words, now)
        decided = words("decided by {who}, {when}", who=plain(one["actor"], limit=60), when=at)
        parts.append(f"{decided}: {plain(one['why'], limit=200)}" if one["why"] else decided)
    return " · ".join(parts)


def differing(answer: Answer, now: datetime, words: Words) -> Differing:
    """Two versions side by side."""
    if answer.document is None:
        return Differing(face=face_of(answer))
    found = answer.document
    rows, before, after = found["rows"], found["before"], found["after"]
    named = [f"#{shortened(one['version'])} ({moment_words(one['time'], words, now)})" for one in (before, after)]
    notes = [plain(rows["note"], limit=300)] if rows["note"] else []
    if rows["added"] is not None:
        by = ", ".join(plain(name, limit=40) for name in rows["key"])
        notes.append(words("rows are matched by {key}", key=by) if by else words("whole rows are compared"))
    return Differing(
        title=words("From {before} to {after}", before=named[0], after=named[1]),
        counts=tuple(_counts(rows, words)),
        changes=tuple(prose(change["words"], limit=400) for change in found["changes"]),
        columns=tuple(_column(one, words) for one in found["columns"]),
        figures=tuple(_figure(one, words) for one in found["figures"]),
        added=tuple(map(_row, rows["samples"].get("added", ()))),
        removed=tuple(map(_row, rows["samples"].get("removed", ()))),
        changed=tuple(pair for one in rows["samples"].get("changed", ()) for pair in _pairs(one, words)),
        note="; ".join(notes),
        face=face_of(answer),
    )


def _counts(rows: dict[str, Any], words: Words) -> list[Figure]:
    labels = {"added": "Rows added", "removed": "Rows removed", "changed": "Rows changed", "same": "Rows the same"}
    left_out = () if rows["key"] else ("changed",)
    return [
        Figure(words(label), "–" if rows[name] is None else words.count(rows[name]))
        for name, label in labels.items()
        if name not in left_out
    ]


def _column(one: dict[str, Any], words: Words) -> tuple[tuple[str, str], ...]:
    return (
        (words("Column"), plain(one["column"], limit=60)),
        (words("Before"), one["before"] or words("not there")),
        (words("After"), one["after"] or words("not there")),
    )


def _figure(one: dict[str, Any], words: Words) -> tuple[tuple[str, str], ...]:
    name = "null_share" if one["figure"] == "nulls" else one["figure"]
    return (
        (words("Column"), plain(one["column"], limit=60)),
        (words("Figure"), words(FIGURES.get(one["figure"], one["figure"]))),
        (words("Before"), figure(name, one["before"], words)),
        (words("After"), figure(name, one["after"], words)),
    )


def _row(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((plain(name, limit=60), "" if value is None else plain(value)) for name, value in row.items())


def _pairs(one: dict[str, Any], words: Words) -> list[tuple[tuple[str, str], ...]]:
    """A line for each value of a row that is another one."""
    key = _row(one["key"])
    return [
        (
            *key,
            (words("Column"), plain(name, limit=60)),
            (words("Before"), plain(values["before"] or "")),
            (words("After"), plain(values["after"] or "")),
        )
        for name, values in one["values"].items()
    ]
