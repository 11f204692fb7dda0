"""How good a dataset is: its score and the parts of it over time, broken rules, rows that broke them, and advice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.charts.series import Line, Mark
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.dataset import Figure, moment_words
from dashboard.words import Tone, plain, prose

__all__ = ["Broken", "QualityPart", "RuleLine", "quality"]

_TONES: dict[str, Tone] = {"critical": "bad", "error": "bad", "warning": "attention"}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule: how many broke it, and what to do about it. `paste`: lines for the configuration."""

    rule: str
    tone: Tone
    severity: str
    words: str
    advice: str = ""
    paste: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """Some of the rows that broke a rule, as a table of texts. `note`: how many there are in all."""

    rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class QualityPart:
    """All of it.

    Attributes:
        lines: The score and each part that is measured, over time, 0..100; `marks`: batches that readers did not get.
        figures: The score of now and its parts.
        cap: What holds the score down; "": nothing.
        broken: The rules that are broken, worst first; `kept`: how many are not.
    """

    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    figures: tuple[Figure, ...]
    cap: str
    rules: Panel[RuleLine]
    kept: int
    rows: Broken
    of: str
    face: Face | None


def quality(history: Answer, report: Answer | None, last: Answer | None, now: datetime, words: Words) -> QualityPart:
    """The section.

    Args:
        report: The answer of `quality` (of now); None: of the past, where `last` (the last runs) says what was broken.
    """
    points = (history.document or {}).get("points", ())
    found = (report.document if report is not None else None) or {}
    run = next(iter((last.document if last is not None else None) or ()), None)
    score = found.get("quality") or (run or {}).get("quality") or {}
    rules = found.get("rules") or [_of_run(one) for one in (run or {}).get("failed_rules", ())]
    broken = [one for one in rules if one["failed"]]
    advice = {one["rule"]: one for one in found.get("advice", ())}
    shown = Panel(tuple(_rule(one, advice.get(one["rule"]), words) for one in broken))
    time = (found.get("run") or run or {}).get("time") or (points[-1]["time"] if points else None)
    return QualityPart(
        lines=tuple(_lines(points, words)),
        marks=tuple(
            Mark(_milliseconds(one["time"]), one["score"], words("readers do not get it"), "attention")
            for one in points
            if not one["accepted"]
        ),
        figures=tuple(_figures(score, words)),
        cap=_cap(score, words),
        rules=shown,
        kept=len(rules) - len(broken) if report is not None else 0,
        rows=_rows(found.get("samples"), words),
        of=words("of the batch of {when}", when=moment_words(time, words, now)) if time else "",
        face=face_of(history) or (None if points or score else Face("no data yet", words("Nothing was scored yet."))),
    )


def _of_run(one: dict[str, Any]) -> dict[str, Any]:
    return {"detail": "", "dimension": "", "passed": False, **one}


def _lines(points: Sequence[dict[str, Any]], words: Words) -> list[Line]:
    measured = dict.fromkeys(name for one in points for name, value in one["dimensions"].items() if value is not None)
    found = [_line(words("Score"), [(one["time"], one["score"]) for one in points])]
    found += [_line(words(name), [(one["time"], one["dimensions"].get(name)) for one in points]) for name in measured]
    return [line for line in found if line.times]


def _line(name: str, points: Sequence[tuple[str, float | None]]) -> Line:
    there = [(_milliseconds(time), value) for time, value in points if value is not None]
    values = tuple(value for _, value in there)
    return Line(name, tuple(time for time, _ in there), values, values)


def _milliseconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


def _figures(score: dict[str, Any], words: Words) -> list[Figure]:
    if score.get("score") is None:
        return []
    found = [Figure(words("Score"), words.figure(score["score"]))]
    for name, value in (score.get("dimensions") or {}).items():
        if value is not None:
            found.append(Figure(words(name), words.figure(value)))
    return found


def _cap(score: dict[str, Any], words: Words) -> str:
    cap = score.get("cap")
    if not cap or score["uncapped"] <= score["score"]:
        return ""
    text = "It would be {uncapped}; a broken rule holds it at {at} at most: {rule}"
    uncapped, at = words.figure(score["uncapped"]), words.figure(cap["at"])
    return words(text, uncapped=uncapped, at=at, rule=plain(cap["by"], limit=200))


def _rule(one: dict[str, Any], advice: dict[str, Any] | None, words: Words) -> RuleLine:
    told = words("{failed} of {of} break it", failed=words.count(one["failed"]), of=words.count(one["of"]))
    if one["detail"]:
        told += f" · {plain(one['detail'], limit=300)}"
    if one["passed"]:
        told += " · " + words("within its tolerance")
    return RuleLine(
        plain(one["rule"], limit=200),
        "neutral" if one["passed"] else _TONES[one["severity"]],
        words(one["severity"]),
        told,
        "" if advice is None else prose(advice["text"], limit=900),
        "" if advice is None else plain(advice.get("paste") or "", limit=900, lines=True),
    )


def _rows(samples: dict[str, Any] | None, words: Words) -> Broken:
    if not samples:
        return Broken()
    names = [plain(name, limit=60) for name in samples["columns"]]
    found = []
    for one in samples["rows"]:
        cells = ("" if cell is None else plain(cell) for cell in one["cells"])
        broke = (words("broke"), ", ".join(plain(rule, limit=80) for rule in one["rules"]))
        found.append(((words("row"), words.count(one["row"])), broke, *zip(names, cells, strict=True)))
    shown, of = words.count(len(found)), words.count(samples["of"])
    note = words("{shown} of {of} rows that were set aside", shown=shown, of=of)
    if samples["columns_left_out"]:
        note += " · " + words.number(samples["columns_left_out"], "1 column is not shown", "{n} columns are not shown")
    return Broken(tuple(found), note)
