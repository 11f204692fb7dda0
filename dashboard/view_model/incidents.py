"""What is wrong, since when, and who takes it: the list of incidents, by what has become of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dashboard.language import Words, moment
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.words import Tone, plain

__all__ = ["GROUPS", "MOST_OVER", "ON_A_PAGE", "Group", "Incidents", "Line", "incidents", "lasting", "severity_of"]

Group = Literal["open", "taken", "quiet", "over"]
GROUPS: tuple[Group, ...] = ("open", "taken", "quiet", "over")

MOST_OVER = 100
"""Incidents that are over and are asked for, the newest."""

ON_A_PAGE = 20

_GROUP: dict[str, Group] = {
    "open": "open",
    "acknowledged": "taken",
    "silenced": "quiet",
    "inhibited": "quiet",
    "resolved": "over",
}
_TONES: dict[str, Tone] = {"critical": "bad", "error": "bad", "warning": "attention", "info": "neutral"}


@dataclass(frozen=True, slots=True)
class Line:
    """An incident in the list.

    Attributes:
        tone, severity: How urgent it ever was, `severity` in the reader's language.
        title: As a message puts it; text from elsewhere in it is plain.
        when: Since when, and how long; or from when to when.
        touches: The datasets concerned, and who takes it.
    """

    id: str
    tone: Tone
    severity: str
    title: str
    when: str
    touches: str


@dataclass(frozen=True, slots=True)
class Incidents:
    """All that the list shows. `counts`: how many there are of each group; `pages`: of the group that is shown."""

    sentence: str
    face: Face | None
    counts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    page: int
    pages: int


def incidents(
    answer: Answer, words: Words, now: datetime, *, since: datetime | None, group: Group, page: int = 1
) -> Incidents:
    """The list for the answer of `incidents`.

    Args:
        since: Those that ended before are left out; None: none is.
        group, page: What is shown of it; the first page is 1.
    """
    found: dict[Group, list[dict[str, Any]]] = {name: [] for name in GROUPS}
    for one in answer.document or ():
        if one["state"] != "resolved" or since is None or moment(one["resolved_at"] or one["opened_at"]) >= since:
            found[_GROUP.get(one["state"], "open")].append(one)
    counts = tuple((name, _count(words, name, len(found[name]))) for name in GROUPS)
    shown = found[group]
    pages = max(1, -(-len(shown) // ON_A_PAGE))
    page = min(max(1, page), pages)
    lines = tuple(_line(one, words, now) for one in shown[(page - 1) * ON_A_PAGE : page * ON_A_PAGE])
    sentence = _sentence(found, words) if answer.document is not None else ""
    return Incidents(sentence, face_of(answer), counts, lines, page, pages)


def severity_of(severity: str, words: Words) -> tuple[Tone, str]:
    """How urgent an incident is, as a badge says it."""
    names = {
        "critical": words("critical"),
        "error": words("error"),
        "warning": words("warning"),
        "info": words("info"),
    }
    return _TONES.get(severity, "neutral"), names.get(severity, severity)


def lasting(begun: datetime, end: datetime, words: Words) -> str:
    """How long something takes, so coarse that it looks the same for a minute."""
    minutes = int((end - begun).total_seconds() // 60)
    return words.span(minutes * 60.0) if minutes >= 1 else words("less than a minute")


def _line(one: dict[str, Any], words: Words, now: datetime) -> Line:
    tone, severity = severity_of(one["severity"], words)
    begun = moment(one["opened_at"])
    if one["resolved_at"] is not None:
        end = moment(one["resolved_at"])
        span = lasting(begun, end, words)
        when = words("{begun} to {end} ({span})", begun=words.clock(begun, now), end=words.clock(end, now), span=span)
    else:
        when = words("since {begun} ({span})", begun=words.clock(begun, now), span=lasting(begun, now, words))
    told = [_touches(one, words)]
    if one["acknowledged_by"]:
        told.append(words("taken by {name}", name=plain(one["acknowledged_by"], limit=60)))
    if one["inhibited_by"]:
        told.append(words("explained by {incident}", incident=one["inhibited_by"]))
    if one["silenced_by"]:
        told.append(words("kept quiet by {silence}", silence=one["silenced_by"]))
    title = plain(one["title"] or one["about"], limit=200)
    return Line(one["id"], tone, severity, title, when, " · ".join(part for part in told if part))


def _touches(one: dict[str, Any], words: Words) -> str:
    names = [plain(name, limit=64) for name in one["datasets"]]
    if not names:
        return plain(one["about"], limit=80)
    more = words(" and {n} more", n=words.count(len(names) - 4)) if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}"


def _count(words: Words, group: Group, count: int) -> str:
    n = f"{words.count(count)}{'+' if group == 'over' and count >= MOST_OVER else ''}"
    names = {"open": words("Open"), "taken": words("Taken"), "quiet": words("Kept quiet"), "over": words("Over")}
    return f"{names[group]} ({n})"


def _sentence(found: dict[Group, list[dict[str, Any]]], words: Words) -> str:
    count, taken, quiet = len(found["open"]), len(found["taken"]), len(found["quiet"])
    critical = sum(one["severity"] == "critical" for one in found["open"])
    if not count and not taken:
        told = [words("Nothing is wrong that somebody has to look at.")]
    elif not count:
        told = [words("Nothing is wrong that nobody has taken.")]
    elif count == 1:
        told = [words("1 incident is open.") if not critical else words("1 incident is open, and it is critical.")]
    elif critical:
        told = [words("{n} incidents are open, {critical} of them critical.", n=words.count(count), critical=critical)]
    else:
        told = [words("{n} incidents are open.", n=words.count(count))]
    if taken:
        told.append(words("1 is taken.") if taken == 1 else words("{n} are taken.", n=words.count(taken)))
    if quiet:
        told.append(words("1 keeps quiet.") if quiet == 1 else words("{n} keep quiet.", n=words.count(quiet)))
    return " ".join(told)
