"""What is unlikely: series that stick out, what belongs together, what lies ahead, and what another rate would tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.charts.series import Band, Line, Mark, line_of
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, Row, face_of
from dashboard.words import Tone, plain

__all__ = [
    "RATES",
    "Anomalies",
    "Curve",
    "Found",
    "anomalies",
    "curves",
    "series_names",
    "shown_first",
    "told_of_feedback",
]

RATES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""False episodes per 1,000 points that somebody may choose among."""

MOST = 6
"""Series that are shown when nobody chose any."""


@dataclass(frozen=True, slots=True)
class Found:
    """One anomaly: of which series, when (epoch seconds), and why, in words."""

    series: str
    tone: Tone
    state: str
    when: str
    words: str
    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Anomalies:
    """What is told of all series. Equal ones look the same."""

    sentence: str
    tone: Tone
    found: Panel[Found]
    together: Panel[Row]
    ahead: Panel[Row]
    learning: Panel[Row]
    said: Panel[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One series over the period, with what would be flagged at a rate."""

    name: str
    line: Line | None
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    words: str
    flagged: tuple[Found, ...]
    face: Face | None


def series_names(answer: Answer) -> tuple[str, ...]:
    """Every series that is kept, as `history` and `detect` know it: `orders.rows`, or a recorded number's name."""
    names = set()
    for one in answer.document or []:
        labels = one["labels"]
        own = set(labels) == {"dataset"}
        names.add(f"{labels['dataset']}.{one['metric']}" if own else one["series"])
    return tuple(sorted(names))


def anomalies(detected: Answer, feedback: Answer, words: Words, now: datetime) -> Anomalies:
    """The page for the answers of `anomalies` and `feedback`."""
    document = detected.document or {"judged": 0, "anomalies": [], "incidents": [], "learning": {}, "ahead": []}
    found = tuple(_found(one, words, now) for one in document["anomalies"])
    face = face_of(detected)
    if face is None and not document["judged"]:
        face = Face("no data yet", words("No series has enough points to be judged."), words("Twelve are enough."))
    count, judged = len({one.series for one in found}), document["judged"]
    if not judged:
        sentence, tone = words("Nothing can be judged yet."), "neutral"
    elif not found:
        sentence, tone = words("None of {judged} series sticks out now.", judged=judged), "good"
    else:
        names = ", ".join(plain(name, limit=60) for name in list(dict.fromkeys(one.series for one in found))[:3])
        one, many = "1 of {judged} series sticks out now: {names}.", "{n} of {judged} series stick out now: {names}."
        sentence = words.number(count, one, many, judged=judged, names=names + (", …" if count > 3 else ""))
        tone = "bad" if any(one.tone == "bad" for one in found) else "attention"
    return Anomalies(
        sentence,
        tone,  # type: ignore[arg-type]  # one of the tones
        Panel(found, face=face),
        _together(document["incidents"], words, now),
        _ahead(document["ahead"], words),
        _learning(document["learning"], words),
        _said(feedback, words, now),
    )


def shown_first(detected: Answer, names: Sequence[str]) -> list[str]:
    """The series to look at when nobody chose any: those that stick out, else the first ones."""
    document = detected.document or {"anomalies": []}
    sticking = list(dict.fromkeys(_name(one) for one in document["anomalies"]))
    return [name for name in sticking if name in names][:MOST] or list(names[:1])


def curves(
    names: Sequence[str], history: Answer, expected: Answer, flagged: Answer, words: Words, now: datetime
) -> tuple[Curve, ...]:
    """The chosen series for the answers of `history`, `expected` and `backtest` about them."""
    lines = {one["series"]: one for one in history.document or []}
    bands = {one["series"]: one["points"] for one in expected.document or []}
    episodes = [_found(one, words, now) for one in (flagged.document or {"episodes": []})["episodes"]]
    return tuple(
        _curve(
            name, lines.get(name), bands.get(name, []), [one for one in episodes if one.series == name], history, words
        )
        for name in names
    )


def told_of_feedback(document: Any, words: Words) -> str:
    """What was said just now."""
    names = ", ".join(dict.fromkeys(plain(one["shown"], limit=60) for one in document["feedback"]))
    return words("Heard, about {names}.", names=names or "…")


def _curve(
    name: str,
    curve: dict[str, Any] | None,
    band: list[dict[str, Any]],
    flagged: list[Found],
    history: Answer,
    words: Words,
) -> Curve:
    face = face_of(history)
    if face is None and (curve is None or not curve["points"]):
        face = Face("no data yet", words("Nothing was measured in this period."), words("Choose a longer one."))
    if curve is None or not curve["points"]:
        return Curve(name, None, (), (), "", (), face)
    line = line_of(curve, name)
    end = datetime.fromisoformat(curve["until"]).timestamp()
    inside = [one for one in flagged if line.times[0] <= one.time * 1000 and one.time < end]
    low, high = min(line.low), max(line.high)
    one, many = "1 value, {low}; {flagged} would be told.", "{n} values, {low} to {high}; {flagged} would be told."
    said = {"low": words.figure(low), "high": words.figure(high), "flagged": len(inside)}
    told = words.number(sum(point["count"] for point in curve["points"]), one, many, **said)
    edges = _band(band, words("expected"))
    marks = tuple(Mark(one.time * 1000, one.value, one.words, one.tone) for one in inside)
    return Curve(name, line, edges, marks, told, tuple(inside), face)


def _band(points: list[dict[str, Any]], name: str) -> tuple[Band, ...]:
    if not points:
        return ()
    times = tuple(datetime.fromisoformat(point["time"]).timestamp() * 1000 for point in points)
    return (Band(name, times, tuple(point["low"] for point in points), tuple(point["high"] for point in points)),)


def _name(one: dict[str, Any]) -> str:
    return str(one.get("series") or f"{one['dataset']}.{one['metric']}")


def _found(one: dict[str, Any], words: Words, now: datetime) -> Found:
    moment = datetime.fromtimestamp(one["time"], UTC)
    critical = one["severity"] == "critical"
    return Found(
        series=_name(one),
        tone="bad" if critical else "attention",
        state=words(one["severity"]),
        when=words.clock(moment, now),
        words=plain(one["reason"], limit=400),
        time=one["time"],
        value=one["value"],
    )


def _together(incidents: list[dict[str, Any]], words: Words, now: datetime) -> Panel[Row]:
    rows = []
    for one in incidents:
        if len(one["figures"]) < 2:
            continue  # it stands above, by itself
        figures = ", ".join(f"{plain(part['metric'], limit=40)} ({part['share']:.0%})" for part in one["figures"][:5])
        tone: Tone = "bad" if one["severity"] == "critical" else "attention"
        since = words.clock(datetime.fromtimestamp(one["since"], UTC), now)
        rows.append(Row(tone, words(one["severity"]), plain(one["of"], limit=80), since, figures))
    return Panel(tuple(rows), words("what sticks out together, and with how much of it") if rows else "")


def _ahead(troubles: list[dict[str, Any]], words: Words) -> Panel[Row]:
    rows = tuple(
        Row(
            "attention",
            words("ahead"),
            plain(f"{one['dataset']}.{one['metric']}", limit=80),
            "",
            plain(one["words"], limit=300),
        )
        for one in troubles
    )
    return Panel(rows)


def _learning(learning: dict[str, str], words: Words) -> Panel[Row]:
    rows = tuple(
        Row("neutral", words("learning"), plain(name, limit=80), "", plain(reason, limit=200))
        for name, reason in learning.items()
    )
    return Panel(rows)


def _said(answer: Answer, words: Words, now: datetime) -> Panel[tuple[int, str]]:
    rows = []
    for one in answer.document or []:
        told = f"{_what(one, words, now)} · {words('by {name}', name=one['actor'])}"
        rows.append((one["number"], plain(f"{told}: {one['reason']}" if one["reason"] else told, limit=300)))
    return Panel(tuple(rows), face=face_of(answer))


def _what(one: dict[str, Any], words: Words, now: datetime) -> str:
    """What somebody said of a series."""
    series = plain(one["shown"], limit=80)
    begin = words.clock(datetime.fromtimestamp(one["since"], UTC), now)
    if one["kind"] == "normal_since":
        return words("{series}: normal since {begin}", series=series, begin=begin)
    end = begin if one["until"] is None else words.clock(datetime.fromtimestamp(one["until"], UTC), now)
    if one["kind"] == "excluded":
        return words("{series}: {begin} to {end} does not count", series=series, begin=begin, end=end)
    if begin == end:
        return words("{series}: fine at {begin}", series=series, begin=begin)
    return words("{series}: fine from {begin} to {end}", series=series, begin=begin, end=end)
