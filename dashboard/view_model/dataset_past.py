"""What came of a dataset in its runs, and its figures over time with what stuck out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.charts.series import Band, Line, Mark, line_of
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.dataset import moment_words
from dashboard.words import Tone, plain, tone_of

__all__ = ["MetricPart", "RunLine", "band", "metric", "metric_names", "runs"]

FIRST = ("rows", "quality", "nulls", "quarantined", "data_age_s", "latency_s", "bytes", "attempts")
"""Figures that every dataset has, in this order; then those of its columns by name."""

UNITS = {"data_age_s": "s", "latency_s": "s", "bytes": "B"}


@dataclass(frozen=True, slots=True)
class RunLine:
    """What came of it in a run."""

    run_id: str
    when: str
    tone: Tone
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class MetricPart:
    """A figure over time. `found`: what stuck out, newest first: when, how bad, and why in words."""

    name: str
    line: Line | None
    marks: tuple[Mark, ...]
    found: tuple[tuple[str, Tone, str, str], ...]
    unit: str
    face: Face | None


def runs(answer: Answer, now: datetime, words: Words) -> Panel[RunLine]:
    """The last runs, newest first."""
    lines = tuple(_run(one, now, words) for one in answer.document or ())
    empty = None if lines or answer.document is None else Face("no data yet", words("It never ran."))
    return Panel(lines, "", face_of(answer) or empty)


def _run(one: dict[str, Any], now: datetime, words: Words) -> RunLine:
    parts = [words(_ORIGINS.get(one["origin"], one["origin"]))]
    if one["origin"] != "none":
        parts.append(words("{rows} rows", rows=words.count(one["rows"])))
    score = (one["quality"] or {}).get("score")
    if score is not None:
        parts.append(words("score {score}", score=words.figure(score)))
    if one["attempts"]:
        parts.append(words.number(one["attempts"], "1 try", "{n} tries"))
    parts.append(words.span(one["duration_s"]))
    if one["unchanged"]:
        parts.append(words("unchanged"))
    if one["partial"]:
        parts.append(words("only a part came"))
    if one["quarantined"]:
        parts.append(words("{count} in quarantine", count=words.count(one["quarantined"])))
    if one["anomalies"]:
        parts.append(words.number(one["anomalies"], "1 anomaly", "{n} anomalies"))
    if "backfill" in one:
        parts.append(words("backfill"))
    why = one["reason"] or (one["error"] or {}).get("message")
    if why:
        parts.append(plain(str(why).removeprefix(f"{one['dataset']}: "), limit=300))
    when = moment_words(one["time"], words, now, seconds=True)
    return RunLine(one["run_id"], when, tone_of(one["status"]), words(one["status"]), " · ".join(parts))


_ORIGINS = {"provider": "from the provider", "cache": "our copy", "last_good": "last good", "none": "nothing came"}


def metric_names(series: Answer, dataset: str) -> tuple[str, ...]:
    """The figures that are kept of a dataset."""
    found = {one["metric"] for one in series.document or () if one["labels"].get("dataset") == dataset}
    found |= {one["metric"] for one in series.document or () if one["series"].startswith(f"{dataset}.")}
    first = [name for name in FIRST if name in found]
    return (*first, *sorted(found - set(first)))


def band(expected: Answer, words: Words) -> tuple[Band, ...]:
    """Between what the figure was expected; none while it is still learned."""
    points = next((one["points"] for one in expected.document or ()), ())
    if not points:
        return ()
    times = tuple(datetime.fromisoformat(point["time"]).timestamp() * 1000 for point in points)
    low, high = (tuple(point[edge] for point in points) for edge in ("low", "high"))
    return (Band(words("expected"), times, low, high),)


def metric(name: str, history: Answer, events: Answer, now: datetime, words: Words) -> MetricPart:
    """One figure: its line, what stuck out of it, and why.

    Args:
        events: `anomaly.detected` of the dataset.
    """
    curve = next(iter(history.document or ()), None)
    line = line_of(curve, name) if curve and curve["points"] else None
    told = [event["data"] for event in events.document or () if event["data"].get("metric") == name]
    since = datetime.fromisoformat(curve["since"]).timestamp() if curve else 0.0
    found = [one for one in told if one["time"] >= since]
    face = face_of(history)
    if face is None and line is None:
        face = Face("no data yet", words("Nothing was measured in this period."), words("Choose a longer one."))
    return MetricPart(
        name,
        line,
        tuple(Mark(one["time"] * 1000, one["value"], plain(one["reason"]), _tone(one)) for one in found),
        tuple(_anomaly(one, now, words) for one in found),
        UNITS.get(name, ""),
        face,
    )


def _tone(one: dict[str, Any]) -> Tone:
    return "bad" if one["severity"] == "critical" else "attention"


def _anomaly(one: dict[str, Any], now: datetime, words: Words) -> tuple[str, Tone, str, str]:
    when = moment_words(datetime.fromtimestamp(one["time"], UTC).isoformat(), words, now)
    return when, _tone(one), words(one["severity"]), plain(one["reason"], limit=500)
