"""What waits in quarantine: how many rows of which dataset, by which rules, and the rows themselves page by page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.words import plain

__all__ = [
    "MOST_SAVED",
    "ON_A_PAGE",
    "Batch",
    "Quarantine",
    "Rows",
    "Waiting",
    "dropped",
    "quarantine",
    "replayed",
    "rows",
]

ON_A_PAGE = 50
MOST_SAVED = 100_000
"""Rows in one download."""

MOST_COLUMNS = 60
LONGEST_CELL = 300
_OWN = ("_rules", "_batch", "_row")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A dataset of which rows wait: how many, since when, by which rules (the most frequent first)."""

    dataset: str
    rows: int
    since: str
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one run that wait. `path`: of the file they lie in, another one once some of them have left."""

    run_id: str
    rows: int
    words: str
    reasons: tuple[tuple[str, int], ...]
    path: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What waits, the most rows first; and of the dataset that is looked at (None: none waits) its batches.

    `batches`: the newest first; `chosen`: the one whose rows are shown.
    """

    face: Face | None
    note: str
    datasets: tuple[Waiting, ...]
    dataset: str | None = None
    batches: tuple[Batch, ...] = ()
    chosen: Batch | None = None
    page: int = 1
    pages: int = 1


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of rows: the names of its columns, and each row as text. `left_out`: so many columns are not shown."""

    face: Face | None
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    left_out: int = 0


def quarantine(
    answer: Answer, words: Words, now: datetime, *, dataset: str = "", run: str = "", page: int = 1
) -> Quarantine:
    """The browser for the answer of `quarantine`.

    Args:
        dataset, run, page: What is looked at; what there is not is passed over for the first.
    """
    waiting: dict[str, list[Mapping[str, Any]]] = {}
    for one in answer.document or ():
        if one["rows"]:
            waiting.setdefault(one["dataset"], []).append(one)
    found = sorted((_waiting(name, batches, words, now) for name, batches in waiting.items()), key=_most_first)
    if not found:
        note = words("Nothing waits.") if answer.document is not None else ""
        return Quarantine(face_of(answer), note, ())
    total = sum(one.rows for one in found)
    note = words.number(total, "1 row waits", "{n} rows wait")
    name = dataset if dataset in waiting else found[0].dataset
    newest_first = sorted(waiting[name], key=lambda one: str(one["run_id"]), reverse=True)
    batches = tuple(_batch(one, words, now) for one in newest_first)
    chosen = next((one for one in batches if one.run_id == run), batches[0])
    pages = max(1, -(-chosen.rows // ON_A_PAGE))
    return Quarantine(face_of(answer), note, tuple(found), name, batches, chosen, min(max(1, page), pages), pages)


def rows(answer: Answer, words: Words) -> Rows:
    """A page of rows for the answer of `quarantined`: the rules that each broke and its place, then its cells."""
    found: Sequence[Mapping[str, Any]] = sorted(answer.document or (), key=lambda row: row.get("_row") or 0)
    if not found:
        return Rows(face_of(answer))
    names = [name for name in found[0] if name not in _OWN]
    shown = names[:MOST_COLUMNS]
    cells = tuple(
        (
            ", ".join(map(_text, row.get("_rules") or ())),
            _text(row.get("_row")),
            *(_text(row.get(name)) for name in shown),
        )
        for row in found
    )
    columns = _distinct((words("broke"), words("row"), *shown))
    return Rows(face_of(answer), columns, cells, len(names) - len(shown))


def replayed(done: Mapping[str, Any], words: Words) -> str:
    """What came of a replay, in words."""
    told = [
        words(
            "{accepted} of {replayed} rows joined the dataset; {failing} still break a rule.",
            accepted=words.count(done["accepted"]),
            replayed=words.count(done["replayed"]),
            failing=words.count(done["failing"]),
        )
    ]
    told += [plain(one["skipped"], limit=300) for one in done["replays"] if one["skipped"]]
    return " ".join(told)


def dropped(done: Mapping[str, Any], words: Words) -> str:
    """What came of giving rows up, in words."""
    left = sum(one["left"] for one in done["runs"])
    one, many = "1 row was given up, {left} wait.", "{n} rows were given up, {left} wait."
    return words.number(done["dropped"], one, many, left=words.count(left))


def _waiting(name: str, batches: Sequence[Mapping[str, Any]], words: Words, now: datetime) -> Waiting:
    reasons: Counter[str] = Counter()
    for one in batches:
        reasons.update(one["reasons"])
    since = min(moment(one["time"]) for one in batches)
    return Waiting(name, sum(one["rows"] for one in batches), words.clock(since, now), _reasons(reasons))


def _batch(one: Mapping[str, Any], words: Words, now: datetime) -> Batch:
    count = words("1 row") if one["rows"] == 1 else words("{n} rows", n=words.count(one["rows"]))
    told = [words.clock(moment(one["time"]), now, seconds=True), count]
    if one["replayed"]:
        told.append(words("{n} joined", n=words.count(one["replayed"])))
    if one["dropped"]:
        told.append(words("{n} given up", n=words.count(one["dropped"])))
    return Batch(one["run_id"], one["rows"], " · ".join(told), _reasons(Counter(one["reasons"])), one["path"])


def _reasons(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple((plain(rule, limit=120), count) for rule, count in found)


def _most_first(one: Waiting) -> tuple[int, str]:
    return -one.rows, one.dataset


def _text(value: object) -> str:
    return "" if value is None else plain(str(value), limit=LONGEST_CELL)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names that differ, also where two look the same once they are cut."""
    found: dict[str, None] = {}
    for name in names:
        shown, n = plain(name, limit=80) or "(…)", 1
        while shown in found:
            n += 1
            shown = f"{plain(name, limit=80)} ({n})"
        found[shown] = None
    return tuple(found)
