"""What is said before and after something is done with a dataset."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.dataset import Head, moment_words
from dashboard.words import plain
from operations.words import size

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "Captures",
    "Export",
    "Planned",
    "captures",
    "decided",
    "export",
    "gaps",
    "planned",
]

MOST_ROWS = 500_000
MOST_BYTES = 50_000_000
"""A file for the browser is held in memory until it is taken: larger tables are written by a command."""


@dataclass(frozen=True, slots=True)
class Captures:
    """Runs that can be replayed, each with what is said of it; or why there are none."""

    runs: tuple[tuple[str, str], ...] = ()
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a backfill would do."""

    pieces: int = 0
    words: str = ""
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What can be downloaded. `version`: whose rows; None: nothing; `command`: what writes all of it to a file."""

    name: str
    version: str | None
    words: str
    command: str = ""


def captures(answer: Answer, now: datetime, words: Words) -> Captures:
    """The raw answers that are kept, newest first."""
    if answer.document is None:
        return Captures(face=face_of(answer))
    found = answer.document["runs"]
    if not found:
        hint = words("`keep_raw` at the dataset keeps what comes, so that it can be run again.")
        return Captures(face=Face("no data yet", words("No raw answer is kept."), hint))
    return Captures(
        tuple(
            (one["run_id"], f"{moment_words(one['collected_at'], words, now, seconds=True)}, {size(one['size'])}")
            for one in found
        )
    )


def gaps(partitions: Answer, words: Words) -> str:
    """How the pieces of a table stand."""
    counts = partitions.document["counts"]
    return words("Its pieces: {counts}.", counts=", ".join(f"{count} {words(name)}" for name, count in counts.items()))


def planned(answer: Answer, words: Words) -> Planned:
    """What a backfill would collect."""
    if answer.trouble is not None:
        return Planned(face=face_of(answer))
    found = answer.document
    pieces = len(found["partitions"])
    if not pieces:
        return Planned(0, words("No piece is in one of these states: nothing has to be collected."))
    said = words(
        "{count} pieces, {first} to {last}, with about {requests} requests.",
        count=words.count(pieces),
        first=plain(found["partitions"][0], limit=40),
        last=plain(found["partitions"][-1], limit=40),
        requests=words.count(found["requests"]),
    )
    if found["duration_s"] is not None:
        said += " " + words("It takes about {span}.", span=words.span(found["duration_s"]))
    notes = (plain(note, limit=300).rstrip(".") for note in found["notes"])
    return Planned(pieces, "\n".join([said, *(f"{note[:1].upper()}{note[1:]}." for note in notes)]))


def decided(document: dict[str, Any], words: Words) -> str:
    """What a decision about a version led to."""
    text = {
        "accepted": "The batch was accepted: readers get {rows} rows.",
        "rejected": "The batch was rejected: readers keep {rows} rows.",
        "rolled_back": "Rolled back: readers get {rows} rows again.",
    }[document["decision"]]
    said = words(text, rows=words.count(document["rows"]))
    waits = any(one["state"] == "waiting" for one in document["publications"])
    return f"{said} {words('A sink gets it later.')}" if waits else said


def export(head: Head, versions: Answer, words: Words) -> Export:
    """What can be downloaded of the version that readers get (or got)."""
    found = versions.document or {}
    current = next((one for one in found.get("versions", ()) if one["current"]), None)
    if current is None:
        return Export(head.name, None, words("Nothing was delivered yet."))
    rows = words.count(current["rows"])
    if current["rows"] > MOST_ROWS or current["size"] > MOST_BYTES:
        said = words(
            "{rows} rows are too many for a download here. This writes them to a file, whatever their number:",
            rows=rows,
        )
        command = f"python integrated_system.py show {head.name} --format parquet --output {head.name}.parquet"
        return Export(head.name, None, said, command)
    return Export(head.name, current["version"], words("{rows} rows, as readers get them", rows=rows))
