"""What keeps quiet: silences that hold, maintenance windows that are to come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Panel, face_of
from dashboard.words import Tone, plain

__all__ = ["Silence", "silences", "suggested"]

MOST = 100


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of certain incidents for a while.

    Attributes:
        matches: Which incidents, in words.
        words: Who said so, and why.
    """

    id: str
    tone: Tone
    state: str
    matches: str
    when: str
    words: str


def silences(answer: Answer, words: Words, now: datetime) -> Panel[Silence]:
    """The list for the answer of `silences`, in the order in which they begin."""
    found = answer.document or []
    lines = tuple(_line(one, words, now) for one in sorted(found, key=lambda one: (one["since"], one["id"]))[:MOST])
    note = "" if lines or answer.document is None else words("Nothing is kept quiet.")
    return Panel(lines, note, face_of(answer))


def suggested(datasets: Answer, providers: Answer) -> tuple[str, ...]:
    """What a silence may be for: each dataset and provider, and each severity."""
    names = [f"dataset={one['dataset']}" for one in datasets.document or ()]
    about = [f"about={one['provider']}" for one in providers.document or ()]
    levels = [f"severity={level}" for level in ("info", "warning", "error", "critical")]
    return (*about, *names, *levels)


def _line(one: dict[str, Any], words: Words, now: datetime) -> Silence:
    begins, ends = moment(one["since"]), moment(one["until"])
    tone: Tone = "neutral"
    if one["ended_at"] is not None:
        state = words("over")
    elif begins > now:
        tone, state = "busy", words("to come")
    else:
        tone, state = "attention", words("holds")
    given = [f"{name} {value}" for name, value in one["matcher"].items() if value]
    told = [words("by {name}", name=plain(one["by"], limit=60))] if one["by"] else []
    if one["reason"]:
        told.append(plain(one["reason"], limit=300))
    when = words("{begun} to {end}", begun=words.clock(begins, now), end=words.clock(ends, now))
    matches = plain(", ".join(given), limit=300) or words("everything")
    return Silence(one["id"], tone, state, matches, when, " · ".join(told))
