"""The log as people read it: what happened, to what, when; its proof; who follows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.words import Tone, plain, tone_of

__all__ = ["ConsumerRow", "EventRow", "Events", "Log", "ParkedRow", "Proof", "events", "log", "short", "toned"]

# The last word of a type says how it sounds; these say more than `tone_of` knows, or something else.
_TONES: dict[str, Tone] = {
    **dict.fromkeys(("finished", "completed", "recovered", "resolved", "kept", "restored", "resumed"), "good"),
    **dict.fromkeys(("broken", "burning", "damaged", "overdue", "unavailable", "blocked", "revoked"), "bad"),
    **dict.fromkeys(("drifted", "at_risk", "skipped", "throttled", "cancelled", "dropped", "set_aside"), "attention"),
}

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_FIRST = ("reason", "message", "words", "why", "action", "status", "state", "rows", "score", "actor")
"""Members of an event's data that say the most, in this order."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in a list. `about`: the subject, short; `words`: what its data says first."""

    seq: int
    time: str
    when: str
    tone: Tone
    type: str
    subject: str
    about: str
    source: str
    words: str

    def to_csv(self) -> dict[str, object]:
        names = ("seq", "time", "type", "subject", "source", "words")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Events:
    """A page of the log. `next`: the cursor of older ones; "": there are none. `note`: why there are few."""

    panel: Panel[EventRow]
    next: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the log is whole. `share`: how far the proof is; None: none is going on."""

    tone: Tone
    word: str
    sentence: str
    detail: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class ConsumerRow:
    """Somebody who follows the log."""

    name: str
    tone: Tone
    state: str
    words: str
    error: str
    parked: int


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A dead letter: an event that a consumer went on without."""

    consumer: str
    seq: int
    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Log:
    """What is drawn beside the list. Equal ones look the same."""

    proof: Proof
    consumers: Panel[ConsumerRow]
    parked: Panel[ParkedRow]


LATE_S = 600.0
"""A consumer that is so far behind is worth a look."""


def toned(type_: str) -> Tone:
    """How a type of event sounds.

    >>> toned("batch.held"), toned("run.started"), toned("mine.happened")
    ('attention', 'busy', 'neutral')
    """
    last = type_.rpartition(".")[2]
    return _TONES.get(last) or tone_of(last)


def events(answer: Answer, words: Words, now: datetime, *, filtered: bool = False) -> Events:
    """A page for the answer of `events_page`."""
    found = answer.document
    face = face_of(answer)
    if found is None:
        return Events(Panel(face=face))
    rows = tuple(_row(event, words, now) for event in found["items"])
    next_ = found["next"] or ""
    note = ""
    if not rows and next_:
        note = words("None so far back; older ones may be there.")
    elif not rows and face is None:
        empty = words("No event is like that in this period.") if filtered else words("Nothing has happened yet.")
        face = Face("no data yet", empty)
    return Events(Panel(rows, face=face), next_, note)


def log(proof: Answer, consumers: Answer, words: Words, now: datetime) -> Log:
    """For the answers of `proof` and `consumers`."""
    found = consumers.document or {"consumers": [], "parked": []}
    face = face_of(consumers)
    if face is None and not found["consumers"]:
        face = Face("no data yet", words("Nobody follows the log yet: alerts and plug-ins do once they have run."))
    followers = tuple(_consumer(one, words) for one in found["consumers"])
    parked = tuple(
        ParkedRow(
            plain(one["consumer"], limit=60),
            one["seq"],
            words.clock(datetime.fromisoformat(one["time"]), now),
            " · ".join((words.number(one["attempts"], "1 attempt", "{n} attempts"), plain(one["error"], limit=300))),
        )
        for one in found["parked"]
    )
    return Log(_proof(proof, words, now), Panel(followers, face=face), Panel(parked))


def said(data: Mapping[str, Any]) -> str:
    """What an event's data says, in a line."""
    told = []
    for name in _FIRST:
        value = data.get(name)
        if isinstance(value, str) and value:
            told.append(plain(value, limit=140))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            told.append(f"{value:,} {name}" if name == "rows" else f"{name} {value:g}")
        if len(told) == 3:
            break
    return " · ".join(told)


def _tone(event: Mapping[str, Any]) -> Tone:
    """What ended says itself how."""
    status = event["data"].get("status")
    known = tone_of(status) if isinstance(status, str) and event["type"].endswith(".finished") else "neutral"
    return known if known != "neutral" else toned(event["type"])


def short(subject: str) -> str:
    """A subject as a list has it: of an id, its beginning and its end.

    >>> short("orders"), short("01a20166-bf97-763f-8f05-351fd51cb252")
    ('orders', '01a20166…b252')
    """
    return f"{subject[:8]}…{subject[-4:]}" if _ID.fullmatch(subject) else plain(subject, limit=80)


def _row(event: Mapping[str, Any], words: Words, now: datetime) -> EventRow:
    return EventRow(
        seq=event["seq"],
        time=event["time"],
        when=words.clock(datetime.fromisoformat(event["time"]), now, seconds=True),
        tone=_tone(event),
        type=plain(event["type"], limit=60),
        subject=plain(event["subject"], limit=200),
        about=short(event["subject"]),
        source=plain(event["source"], limit=40),
        words=said(event["data"]),
    )


def _proof(answer: Answer, words: Words, now: datetime) -> Proof:
    found = answer.document
    if found is None:
        return Proof("neutral", words("not known"), words("It is not known whether the log was proved."))
    state = found["state"]
    checked, total = words.count(found["checked"]), words.count(found["total"])
    if state == "going on":
        share = found["checked"] / found["total"] if found["total"] else 0.0
        text = words("{checked} of {total} events fit together so far.", checked=checked, total=total)
        return Proof("busy", words("going on"), text, share=min(1.0, round(share, 2)))
    if state == "none":
        text = words("Each event holds a hash of the one before it. Whether all fit together, a proof tells.")
        return Proof("neutral", words("not proved"), text)
    if state == "failed":
        text = words("The proof came to no end: {message}", message=plain(found["trouble"] or "", limit=400))
        return Proof("attention", words("not proved"), text, words("That says nothing about the log itself."))
    when = words.clock(datetime.fromisoformat(found["finished_at"]), now, seconds=True)
    result = found["result"]
    if result["whole"]:
        text = words("All {count} events fit together, as of {time}.", count=words.count(result["events"]), time=when)
        head = words("To find a cut tail later, keep this elsewhere: {head}", head=result["head"])
        return Proof("good", words("whole"), text, head)
    text = words("The log was changed: {fault}.", fault=plain(result["fault"], limit=400))
    whole = words("{count} events before it fit together.", count=words.count(result["events"]))
    return Proof("bad", words("not whole"), text, whole)


def _consumer(one: Mapping[str, Any], words: Words) -> ConsumerRow:
    behind, running = one["behind"], one["running"]
    if one["failed"]:
        tone, state = "bad", words("stuck")
        told = [
            words.number(
                one["attempts"],
                "at event {seq}, after 1 attempt",
                "at event {seq}, after {n} attempts",
                seq=one["failed"],
            )
        ]
    elif behind:
        late = one["behind_s"] > LATE_S
        tone = "attention" if late else "busy" if running else "neutral"
        state = words("behind") if late else words("catching up") if running else words("waits")
        told = [words.number(behind, "1 event behind", "{n} events behind")]
        if not running:
            told.append(words("runs with the next run"))
    else:
        tone, state = "good", words("up to date")
        told = [words("at work") if running else words("runs with the next run")]
    told.append(words("follows {pattern}", pattern=plain(one["pattern"], limit=60)))
    if one["parked"]:
        told.append(words("{count} parked", count=words.count(one["parked"])))
    error = plain(one["error"] or "", limit=400)
    return ConsumerRow(plain(one["name"], limit=60), tone, state, " · ".join(told), error, one["parked"])  # type: ignore[arg-type]  # literals
