"""What happened since the last visit, in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Row, face_of
from dashboard.view_model.sentence import when
from dashboard.words import Tone, plain

__all__ = ["AWAY", "COOKIE", "News", "last_visit", "news_of"]

COOKIE = "orchestrator_seen"
AWAY = timedelta(minutes=30)
"""Who comes back sooner was not away: a page that is loaded again belongs to the same visit."""

SHOWN = 6


@dataclass(frozen=True, slots=True)
class News:
    """One line, then what turned, newest first; `more` were left out. `since`: RFC 3339."""

    since: str
    summary: str
    rows: tuple[Row, ...]
    more: int
    face: Face | None


def last_visit(cookie: str | None, now: datetime) -> str | None:
    """When this browser looked last before this visit, RFC 3339; None: never, or nobody knows.

    The cookie holds two moments, epoch milliseconds: the end of the visit before, and when this one was seen last.

    >>> now = datetime.fromisoformat("2026-11-20T16:00:00+00:00")
    >>> last_visit("0.1795017600000", now), last_visit("1794931200000.1795190340000", now), last_visit("x", now)
    ('2026-11-18T16:00:00+00:00', '2026-11-17T16:00:00+00:00', None)
    """
    try:
        before, seen = (_moment(part, now) for part in (cookie or "").split("."))
    except (ValueError, OverflowError):
        return None
    found = seen if seen is not None and now - seen > AWAY else before
    return None if found is None else found.isoformat()


def news_of(answer: Answer, words: Words, now: datetime) -> News | None:
    """The news for what `news` answered; None: nothing happened."""
    face = face_of(answer)
    found = answer.document
    if found is None:
        return News("", "", (), 0, face)
    turns = found["turns"]
    runs = {status: count for status, count in found["runs"].items() if count}
    if not turns and not runs:
        return None
    parts = []
    if runs:
        total = sum(runs.values())
        ended = ", ".join(f"{words.count(count)} {words(status)}" for status, count in runs.items())
        parts.append(words("1 run ({ended})", ended=ended) if total == 1 else _many(total, ended, words))
    if not turns:
        parts.append(words("nothing else happened"))
    time = when(found["since"], words, now)
    if parts:
        summary = words("Since your last visit, {time}: {what}.", time=time, what="; ".join(parts))
    else:
        summary = words("Since your last visit, {time}:", time=time)
    rows = tuple(_row(turn, words, now) for turn in turns[:SHOWN])
    return News(found["since"], summary, rows, len(turns) - len(rows) + found["more"], face)


def _many(total: int, ended: str, words: Words) -> str:
    return words("{count} runs ({ended})", count=words.count(total), ended=ended)


def _moment(text: str, now: datetime) -> datetime | None:
    """Of epoch milliseconds; None for 0, and for what has not come yet."""
    found = datetime.fromtimestamp(int(text) / 1000, tz=now.tzinfo)
    return found if int(text) > 0 and found <= now else None


def _row(turn: dict[str, Any], words: Words, now: datetime) -> Row:
    kind: str = turn["type"]
    tone, told = _TURNS.get(kind, ("neutral", kind))
    reason = turn["reason"]
    if turn["actor"] and not reason.startswith(turn["actor"]):
        by = words("by {name}", name=turn["actor"])
        reason = f"{by}: {reason}" if reason else by
    subject = "" if kind.startswith("run.") else plain(turn["subject"], limit=64)
    reason = reason.removeprefix(f"{turn['subject']}: ").removeprefix("promise broken: ")
    return Row(tone, words(told), subject, when(turn["time"], words, now), plain(reason, limit=200))


_TURNS: dict[str, tuple[Tone, str]] = {
    "incident.opened": ("bad", "incident"),
    "incident.resolved": ("good", "incident over"),
    "promise.broken": ("bad", "promise broken"),
    "promise.kept": ("good", "promise kept again"),
    "breaker.opened": ("bad", "circuit opened"),
    "breaker.closed": ("good", "circuit closed"),
    "batch.held": ("attention", "held"),
    "batch.accepted": ("good", "accepted"),
    "batch.rejected": ("attention", "rejected"),
    "version.rolled_back": ("attention", "rolled back"),
    "schema.drifted": ("attention", "schema changed"),
    "quarantine.replayed": ("good", "quarantine replayed"),
    "quarantine.dropped": ("attention", "quarantine dropped"),
    "run.crashed": ("bad", "run crashed"),
    "run.cancelled": ("neutral", "run cancelled"),
    "schedule.paused": ("attention", "schedule paused"),
    "schedule.resumed": ("good", "schedule resumed"),
    "config.changed": ("neutral", "configuration changed"),
    "provider.blocked": ("bad", "provider refuses us"),
    "token.created": ("neutral", "token created"),
    "token.revoked": ("neutral", "token revoked"),
}
