"""One dataset at a glance: how it stands, why, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Row, face_of
from dashboard.view_model.dataset_sentence import sentence, whole_age
from dashboard.words import Tone, plain, prose, tone_of

__all__ = ["Figure", "Head", "Held", "chosen", "head", "moment_words"]

_WORST = {"failed": 0, "degraded": 1, "never ran": 2, "skipped": 3, "succeeded": 4}


class Figure(NamedTuple):
    """A number with what it is."""

    label: str
    value: str


class Held(NamedTuple):
    """The batch that waits for somebody to decide, and what stands against it."""

    version: str
    words: str


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above everything. Equal ones look the same.

    Attributes:
        names: All datasets, for the picker.
        sentence: Why it is as it is.
        changes: What is not as it was when all was well: what it is about, and what of it.
        todo: What to do about the rules that are broken.
        commands: For a terminal, and what each does.
        next_try: When its provider is asked next.
        version: That readers get.
        rows: Of that.
    """

    names: tuple[str, ...]
    name: str
    state: str
    tone: Tone
    sentence: str
    figures: tuple[Figure, ...] = ()
    changes: tuple[Row, ...] = ()
    todo: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    next_try: str = ""
    held: Held | None = None
    version: str | None = None
    rows: int = 0
    provider: str = ""
    face: Face | None = None


def chosen(asked: str | None, status: Answer) -> tuple[str, tuple[str, ...]]:
    """The dataset that is shown, and all there are by name: the one that was asked for, else the first of the worst."""
    found = (status.document or {}).get("datasets", ())
    names = tuple(sorted(one["dataset"] for one in found))
    worst = min(found, key=lambda one: (_WORST.get(one["status"], 5), one["dataset"]), default=None)
    return asked or (worst["dataset"] if worst else ""), names


def head(name: str, names: Sequence[str], status: Answer, why: Answer | None, now: datetime, words: Words) -> Head:
    """The head of the page.

    Args:
        status: The answer of `status`, of now or of a past moment.
        why: The answer of `why`; None: of the past, where nobody looks why.
    """
    one = next((one for one in (status.document or {}).get("datasets", ()) if one["dataset"] == name), None)
    if one is None:
        face = face_of(status) or Face(
            "broken",
            words("There is no dataset {name}.", name=plain(name)),
            words("Choose one of those there are."),
        )
        return Head(tuple(names), name, words("unknown"), "neutral", "", face=face)
    found = (why.document if why is not None else None) or {}
    held = found.get("held")
    return Head(
        tuple(names),
        name,
        words(one["status"]),
        tone_of(one["status"]),
        sentence(one, found, words, now),
        figures=tuple(_figures(one, words)),
        changes=tuple(_change(change, words, now) for change in found.get("changes", ())),
        todo=tuple(_todo(found)),
        commands=tuple(_commands(found, words)),
        next_try=prose(str((found.get("next_try") or {}).get("words") or ""), limit=300),
        held=None if not held else Held(held["version"], prose(held["objections"] or "", limit=600)),
        version=(found.get("last_good") or {}).get("version"),
        rows=one["rows"],
        provider=one["provider"],
        face=face_of(status) or (face_of(why) if why is not None else None),
    )


def moment_words(time: str | None, words: Words, now: datetime, *, seconds: bool = False) -> str:
    """A moment that the API tells, as short as it may be read."""
    return "" if time is None else words.clock(datetime.fromisoformat(time), now, seconds=seconds)


def _figures(one: dict[str, Any], words: Words) -> list[Figure]:
    none = "–"
    found = [
        Figure(words("Rows"), words.count(one["rows"]) if one["status"] != "never ran" else none),
        Figure(words("Score"), none if one["score"] is None else words.figure(one["score"])),
        Figure(words("Age of the data"), none if one["data_age_s"] is None else whole_age(one["data_age_s"], words)),
        Figure(words("Age of our copy"), none if one["age_s"] is None else whole_age(one["age_s"], words)),
        Figure(words("Origin"), words(_ORIGINS.get(one["origin"], one["origin"]))),
    ]
    if one["quarantined"]:
        found.append(Figure(words("In quarantine"), words.count(one["quarantined"])))
    if (promise := one.get("promise")) is not None:
        found.append(Figure(words("Promise"), words(_PROMISES.get(promise["state"], promise["state"]))))
    return found


_ORIGINS = {"last_good": "last good", "none": "nothing"}
_PROMISES = {"at_risk": "at risk"}


def _change(change: dict[str, Any], words: Words, now: datetime) -> Row:
    return Row(
        "neutral",
        change["about"],
        "",
        moment_words(change["since"], words, now),
        prose(change["words"], limit=400),
    )


def _todo(found: dict[str, Any]) -> list[str]:
    """What `why` advises about the worst rules that are broken; the section about quality has all of it."""
    return [prose(one["text"], limit=600) for one in found.get("advice", ())[:2]]


def _commands(found: dict[str, Any], words: Words) -> list[tuple[str, str]]:
    return [(plain(one["command"]), plain(words(one["does"]))) for one in found.get("commands", ())]
