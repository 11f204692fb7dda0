"""How good the data of all datasets is: a sentence, broken rules with what to do, scores by day and over time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.incidents import severity_of
from dashboard.words import Tone, plain, prose

__all__ = [
    "DAYS",
    "FILTERS",
    "ON_A_HEAT",
    "Dataset",
    "Filter",
    "Heat",
    "Quality",
    "Rule",
    "floor",
    "heat",
    "mapped",
    "quality",
    "rule_table",
]

Filter = Literal["all", "critical", "error", "warning"]
FILTERS: tuple[Filter, ...] = ("all", "critical", "error", "warning")

DAYS = 30
ON_A_HEAT = 25
"""Datasets on one heat map."""

MOST_RULES = 25
DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "volume", "accuracy")


@dataclass(frozen=True, slots=True)
class Rule:
    """A broken rule: of which dataset, how urgent, how often, and what to do, with a line to paste."""

    dataset: str
    rule: str
    tone: Tone
    severity: str
    share: str
    allowed: bool
    advice: str
    paste: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of the table of all datasets; a score of None was not measured."""

    dataset: str
    score: float | None
    dimensions: tuple[float | None, ...]
    rows: int
    rules: int
    broken: int
    waiting: int
    when: str


@dataclass(frozen=True, slots=True)
class Quality:
    """All that is drawn of it.

    Attributes:
        filters: How each choice of rules is called, with its count.
        rules: Broken ones of the choice, worst first; `more` of them are not shown.
        datasets: The worst score first.
    """

    sentence: str
    face: Face | None
    filters: tuple[tuple[Filter, str], ...]
    rules: tuple[Rule, ...]
    more: int
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """Scores of datasets by day, from the top: `scores` and `words` have a row for each dataset, a cell for each day.

    Attributes:
        days: As people say them, with their year.
        scores: The least of the day, 0 to 100; None: there was none.
        words: What is to be said of a cell.
    """

    face: Face | None
    datasets: tuple[str, ...]
    days: tuple[str, ...]
    scores: tuple[tuple[float | None, ...], ...]
    words: tuple[tuple[str, ...], ...]
    pages: int
    zone: str


def quality(answer: Answer, words: Words, now: datetime, chosen: Filter = "all") -> Quality:
    """The page for the answer of `qualities`."""
    found = answer.document or {"datasets": [], "rules": []}
    counts = Counter(one["severity"] for one in found["rules"])
    names = {
        "all": words("All"),
        "critical": words("Critical"),
        "error": words("Errors"),
        "warning": words("Warnings"),
    }
    total = len(found["rules"])
    filters = tuple((one, f"{names[one]} ({words.count(total if one == 'all' else counts[one])})") for one in FILTERS)
    wanted = [one for one in found["rules"] if chosen in ("all", one["severity"])]
    return Quality(
        _sentence(found["datasets"], words) if answer.document is not None else "",
        face_of(answer),
        filters,
        tuple(_rule(one, words) for one in wanted[:MOST_RULES]),
        max(0, len(wanted) - MOST_RULES),
        tuple(_dataset(one, words, now) for one in found["datasets"]),
    )


def rule_table(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Rules as rows of a table to take along, as the API tells them."""
    names = ("dataset", "rule", "severity", "dimension", "failed", "of", "share", "tolerance", "passed")
    return [
        {**{name: one[name] for name in names}, "advice": plain(one["advice"], limit=2000), "paste": one["paste"]}
        for one in rules
    ]


def mapped(found: Quality, page: int) -> tuple[tuple[str, ...], int]:
    """The datasets on a page of the map (the first is 1), in the order of the table, and how many pages there are."""
    names = [one.dataset for one in found.datasets if one.when]
    pages = max(1, -(-len(names) // ON_A_HEAT))
    page = min(max(1, page), pages)
    return tuple(names[(page - 1) * ON_A_HEAT : page * ON_A_HEAT]), pages


def heat(answer: Answer, words: Words, pages: int = 1) -> Heat:
    """The map for the answer of `quality_days`; datasets without any score are left out."""
    document = answer.document
    if document is None:
        return Heat(face_of(answer), (), (), (), (), pages, "")
    shown = [one for one in document["datasets"] if one["days"]]
    first, last = date.fromisoformat(document["first"]), date.fromisoformat(document["last"])
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    scores, said = [], []
    for one in shown:
        known = {day["day"]: day for day in one["days"]}
        cells = [known.get(day.isoformat()) for day in days]
        scores.append(tuple(None if cell is None else round(cell["low"], 1) for cell in cells))
        said.append(tuple("" if cell is None else _cell(cell, words) for cell in cells))
    empty = words("No score is kept of these days.") if not shown else ""
    face = face_of(answer) if answer.trouble is not None else Face("no data yet", empty) if empty else None
    names = tuple(plain(one["dataset"], limit=64) for one in shown)
    return Heat(
        face,
        names,
        tuple(words.day(day, year=True) for day in days),
        tuple(scores),
        tuple(said),
        pages,
        document["zone"],
    )


def floor(since: datetime | None, now: datetime) -> str:
    """The beginning of a period for a question, RFC 3339: the same for some time, so that its answer can be shared."""
    begin = now - timedelta(days=DAYS * 12) if since is None else since
    step = 600 if now - begin <= timedelta(hours=6) else 3600
    seconds = int(begin.timestamp() // step * step)
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _sentence(datasets: Sequence[Mapping[str, Any]], words: Words) -> str:
    judged = [one for one in datasets if one["version"] is not None]
    bad = [one for one in judged if one["failed"]]
    waiting = sum(one["waiting"] for one in datasets)
    if not judged:
        told = [words("Nothing was collected yet, so nothing was judged.")]
    elif not bad:
        told = [
            words("The last batch is as it should be.")
            if len(judged) == 1
            else words("The last batches of all {n} datasets are as they should be.", n=words.count(len(judged)))
        ]
    else:
        names = ", ".join(plain(one["dataset"], limit=64) for one in bad[:3])
        more = words(" and {n} more", n=words.count(len(bad) - 3)) if len(bad) > 3 else ""
        told = [
            words(
                "{n} of {all} datasets broke a rule: {names}.",
                n=words.count(len(bad)),
                all=words.count(len(judged)),
                names=f"{names}{more}",
            )
        ]
    if waiting:
        told.append(words.number(waiting, "1 row waits in quarantine.", "{n} rows wait in quarantine."))
    return " ".join(told)


def _rule(one: Mapping[str, Any], words: Words) -> Rule:
    # An urgency of rules is none of incidents: a broken critical rule holds a whole batch.
    tone, severity = severity_of(one["severity"], words)
    share = words(
        "{failed} of {of} ({percent} %)",
        failed=words.count(one["failed"]),
        of=words.count(one["of"]),
        percent=words.figure(max(100 * one["share"], 0.01), 3),
    )
    return Rule(
        one["dataset"],
        plain(one["rule"], limit=200),
        "neutral" if one["passed"] else tone,
        severity,
        share,
        one["passed"],
        prose(one["advice"], limit=900, lines=True),
        one["paste"],
    )


def _dataset(one: Mapping[str, Any], words: Words, now: datetime) -> Dataset:
    return Dataset(
        one["dataset"],
        one["score"],
        tuple(one["dimensions"].get(name) for name in DIMENSIONS),
        one["rows"],
        one["rules"],
        one["broken"],
        one["waiting"],
        "" if one["time"] is None else words.clock(moment(one["time"]), now),
    )


def _cell(day: Mapping[str, Any], words: Words) -> str:
    low, last = words.figure(day["low"]), words.figure(day["last"])
    if day["count"] == 1:
        return words("1 batch: {score} points", score=low)
    return words(
        "{n} batches: least {low}, mean {mean}, last {last} points",
        n=words.count(day["count"]),
        low=low,
        mean=words.figure(day["mean"]),
        last=last,
    )
