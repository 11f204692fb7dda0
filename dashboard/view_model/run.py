"""One run: what came of it, and what each of its datasets did when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.runs import because, counted, died, fine
from dashboard.words import Tone, plain, prose, tone_of

__all__ = ["LANES", "Lane", "LogRow", "Logs", "Part", "Piece", "Whole", "logs", "whole"]

Kind = Literal["turn", "work", "rate_limit", "bulkhead", "failed", "pause", "open"]
"""What a dataset does at a time: it waits for its turn, works, waits for the provider's rate or for a place there, has
an attempt that fails, pauses before the next one. `open`: it is not over, and only then the log has what it did."""

LANES = 40
"""Datasets on the timeline: those that were not well, and those that took the longest."""

ROWS = 100
"""Datasets that are named below it."""

STEP_S = 2.0
"""What is not over grows by so much: a page looks every two seconds, and is drawn again when it looks different."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a dataset's time, in seconds since the run began."""

    kind: Kind
    begin: float
    end: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A line of the timeline. `end`: how it ended, with the tone and the words of that."""

    dataset: str
    pieces: tuple[Piece, ...]
    tone: Tone
    end: str
    words: str

    @property
    def over_at(self) -> float:
        return max((piece.end for piece in self.pieces), default=0.0)


@dataclass(frozen=True, slots=True)
class Part:
    """A dataset of the run in words. `course`: attempts and waits; `reason`: why it was no plain success."""

    dataset: str
    tone: Tone
    status: str
    course: str
    reason: str
    hint: str

    def to_csv(self) -> dict[str, object]:
        return {"dataset": self.dataset, "status": self.status, "course": self.course, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Whole:
    """All that is drawn of a run. Equal ones look the same."""

    run_id: str
    tone: Tone
    status: str
    sentence: str
    facts: tuple[str, ...] = ()
    error: str = ""
    lanes: tuple[Lane, ...] = ()
    lanes_note: str = ""
    alt: str = ""
    parts: tuple[Part, ...] = ()
    parts_note: str = ""
    datasets: tuple[str, ...] = ()
    share: float | None = None
    may_cancel: bool = False
    may_resume: bool = False
    may_repeat: bool = False
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of a log file."""

    time: str
    tone: Tone
    level: str
    what: str
    words: str

    def to_csv(self) -> dict[str, object]:
        return {"time": self.time, "level": self.level, "what": self.what, "more": self.words}


@dataclass(frozen=True, slots=True)
class Logs:
    """What was logged for a run."""

    rows: tuple[LogRow, ...] = ()
    note: str = ""
    face: Face | None = None


def whole(answer: Answer, words: Words, now: datetime) -> Whole:
    """The page of a run for the answer of `run`."""
    face = face_of(answer)
    run = answer.document
    if run is None:
        return Whole("", "neutral", "", "", face=face or Face("no data yet", words("There is no such run.")))
    status, parts = run["status"], run["datasets"]
    over = sum(part["status"] is not None for part in parts)
    lanes, left = _lanes(run, words, now)
    ordered = sorted(parts, key=_worst_first)
    shown = tuple(_part(part, words, is_over=status not in {"queued", "running"}) for part in ordered[:ROWS])
    return Whole(
        run_id=run["run_id"],
        tone=tone_of(status),
        status=words(status),
        sentence=_sentence(run, over, words),
        facts=_facts(run, words, now),
        error=plain(run["error"] or "", limit=600, lines=True),
        lanes=lanes,
        lanes_note=words(
            "{shown} of {total} datasets: those that were not well, and those that took the longest",
            shown=len(lanes),
            total=words.count(len(lanes) + left),
        )
        if left
        else "",
        alt=_alt(lanes, words),
        parts=shown,
        parts_note=words("{count} more", count=words.count(len(parts) - ROWS)) if len(parts) > ROWS else "",
        datasets=tuple(part["dataset"] for part in parts),
        share=over / len(parts) if status == "running" and parts else None,
        may_cancel=status in {"queued", "running", "crashed", "interrupted"},
        may_resume=status in {"crashed", "interrupted"},
        may_repeat=status not in {"queued", "running"} and bool(parts),
        face=face,
    )


def logs(answer: Answer, words: Words) -> Logs:
    """What was logged, for the answer of `logs`."""
    found = answer.document
    if found is None or answer.trouble is not None:
        return Logs(face=face_of(answer))
    if not found["lines"]:
        kept = found["kept"]
        empty = words("Nothing was logged for this run.") if kept else words("No log lines are kept as JSON.")
        hint = words("Only warnings, errors and the end of a run are logged.") if kept else "logging.files: json"
        return Logs(face=Face("no data yet", empty, hint))
    rows = tuple(_log_row(line, words) for line in found["lines"])
    return Logs(rows, words("the newest {count} lines", count=len(rows)) if found["more"] else "")


_LEVELS: dict[str, Tone] = {"DEBUG": "neutral", "INFO": "good", "WARNING": "attention"}


def _log_row(line: Mapping[str, Any], words: Words) -> LogRow:
    fields = {name: value for name, value in line["fields"].items() if name != "traceback"}
    told = " ".join(f"{name}={value if isinstance(value, str) else _brief(value)}" for name, value in fields.items())
    if trace := line["fields"].get("traceback"):
        told = f"{told}\n{trace}"
    level = line["level"]
    when = words.clock(datetime.fromisoformat(line["time"]), seconds=True) if line["time"] else ""
    what = plain(f"{line['component']} · {line['event']}", limit=120)
    return LogRow(when, _LEVELS.get(level, "bad"), plain(level, limit=12), what, plain(told, limit=3000, lines=True))


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_brief(one) for one in value)
    return "" if value is None else str(value)


def _sentence(run: Mapping[str, Any], over: int, words: Words) -> str:
    status, total = run["status"], len(run["datasets"])
    if status == "queued":
        return words("The run waits for its turn.")
    if status == "running":
        return words("The run has done {done} of {total} datasets.", done=over, total=total)
    took = fine(run["duration_s"] or 0.0, words)
    if status == "succeeded":
        text = (
            "The one dataset was delivered in {span}."
            if total == 1
            else "All {total} datasets were delivered in {span}."
        )
        return words(text, total=words.count(total), span=took)
    if status in {"degraded", "failed"}:
        counts = counted(run["counts"], words) or words("it did not come to its end")
        text = "The run ended {status} after {span}: {counts}, of {total} datasets."
        return words(text, status=words(status), span=took, counts=counts, total=words.count(total))
    text = "The run is {status}: it stopped after {done} of {total} datasets."
    return words(text, status=words(status), done=over, total=total)


def _facts(run: Mapping[str, Any], words: Words, now: datetime) -> tuple[str, ...]:
    def at(name: str) -> datetime | None:
        return datetime.fromisoformat(run[name]) if run[name] else None

    queued, started, finished = at("queued_at"), at("started_at"), at("finished_at")
    told = [because(run, words)]
    if run["because"]["kind"] != "asked":
        told.append(words("asked for by {name}", name=plain(run["actor"], limit=60)))
    if started is not None:
        told.append(words("began at {time}", time=words.clock(started, now, seconds=True)))
    if queued is not None and started is not None and started > queued:
        told.append(words("waited {span} in the queue", span=fine((started - queued).total_seconds(), words)))
    if queued is not None and started is None:
        told.append(words("queued at {time}", time=words.clock(queued, now, seconds=True)))
    if finished is not None:
        told.append(words("ended at {time}", time=words.clock(finished, now, seconds=True)))
    if run["priority"]:
        told.append(words("priority {priority}", priority=run["priority"]))
    if run["crashes"]:
        told.append(died(run["crashes"], words))
    if run["cancelled_by"]:
        told.append(words("cancelled by {name}", name=plain(run["cancelled_by"], limit=60)))
    if run["cancelled_because"]:
        told.append(plain(run["cancelled_because"], limit=200))
    if run["partitions"]:
        told.append(words.number(len(run["partitions"]), "1 piece", "{n} pieces"))
    return tuple(told)


_RANKS = {"failed": 0, "degraded": 1, None: 2, "skipped": 3, "succeeded": 4}


def _worst_first(part: Mapping[str, Any]) -> tuple[int, float]:
    return _RANKS.get(part["status"], 2), -(part["duration_s"] or 0.0)


def _lanes(run: Mapping[str, Any], words: Words, now: datetime) -> tuple[tuple[Lane, ...], int]:
    """The timeline, in the order in which the datasets began; and how many there are besides."""
    if run["started_at"] is None:
        return (), 0
    zero = datetime.fromisoformat(run["started_at"])
    begun = [part for part in run["datasets"] if part["began_at"] is not None]
    # The log has a turn when it is over: until then nobody knows when it began.
    not_over = [part for part in run["datasets"] if part["status"] is None and run["status"] == "running"]
    chosen = sorted([*begun, *not_over], key=_worst_first)[:LANES]
    ordered = sorted(chosen, key=lambda part: (part["began_at"] is None, str(part["began_at"])))
    so_far = max(0.0, (now - zero).total_seconds()) // STEP_S * STEP_S
    lanes = (_lane(part, zero, words) if part["began_at"] else _going_on(part, so_far, words) for part in ordered)
    return tuple(lanes), len(begun) + len(not_over) - len(chosen)


def _going_on(part: Mapping[str, Any], so_far: float, words: Words) -> Lane:
    """A dataset that is at work, or waits for its turn."""
    pieces = (Piece("open", 0.0, so_far),)
    return Lane(plain(part["dataset"], limit=64), pieces, "busy", words("not over"), "")


def _lane(part: Mapping[str, Any], zero: datetime, words: Words) -> Lane:
    # Of a run that was broken off and went on, what was done before lies before its last beginning.
    begin = max(0.0, (datetime.fromisoformat(part["began_at"]) - zero).total_seconds())
    end = begin + (part["duration_s"] or 0.0)
    steps = [Piece(s["kind"], begin + s["at_s"], begin + s["at_s"] + s["seconds"], s["words"]) for s in part["steps"]]
    pieces = [Piece("turn", 0.0, begin)] if begin > 0.0 else []
    pieces += _with_work(steps, begin, max(end, begin))
    status = words(part["status"])
    served = ended_as(part, words)
    return Lane(
        dataset=plain(part["dataset"], limit=64),
        pieces=tuple(pieces),
        tone=tone_of(part["status"]),
        end=f"{status}, {served}" if served else status,
        words=_course(part, words),
    )


def _with_work(steps: Sequence[Piece], begin: float, end: float) -> list[Piece]:
    """The steps, and work where there is none of them."""
    found, reached = [], begin
    for step in sorted(steps, key=lambda step: step.begin):
        if step.begin > reached:
            found.append(Piece("work", reached, step.begin))
        found.append(step)
        reached = max(reached, step.end)
    if end > reached or not found:
        found.append(Piece("work", reached, max(end, reached)))
    return found


def ended_as(part: Mapping[str, Any], words: Words) -> str:
    """Where its rows came from, if not from the provider."""
    texts = {
        "cache": "served from the cache",
        "last_good": "the last good version is served",
        "snapshot": "the shipped snapshot is served",
    }
    text = texts.get(part["origin"])
    return words(text) if text else ""


def _course(part: Mapping[str, Any], words: Words) -> str:
    """What a dataset went through, in words: what the colours of the timeline say."""
    told = []
    if part["duration_s"] is not None:
        told.append(words("took {span}", span=fine(part["duration_s"], words)))
    if part["attempts"] > 1:
        told.append(words.number(part["attempts"], "1 attempt", "{n} attempts"))
    sums: dict[str, float] = {}
    for step in part["steps"]:
        sums[step["kind"]] = sums.get(step["kind"], 0.0) + step["seconds"]
    for kind, text in (
        ("rate_limit", "waited {span} for the provider's rate"),
        ("bulkhead", "waited {span} for a place"),
        ("pause", "paused {span} between attempts"),
    ):
        if kind in sums:
            told.append(words(text, span=fine(sums[kind], words)))
    if part["left_out"]:
        told.append(words.number(part["left_out"], "1 more wait", "{n} more waits"))
    if served := ended_as(part, words):
        told.append(served)
    return " · ".join(told)


def _part(part: Mapping[str, Any], words: Words, *, is_over: bool) -> Part:
    status = part["status"]
    not_begun = words("not done") if is_over else words("not over")
    return Part(
        dataset=plain(part["dataset"], limit=64),
        tone=tone_of(status) if status else ("neutral" if is_over else "busy"),
        status=words(status) if status else not_begun,
        course=_course(part, words),
        reason=prose(part["reason"] or "", limit=400),
        hint=prose(part["hint"] or "", limit=300),
    )


def _alt(lanes: Sequence[Lane], words: Words) -> str:
    """The timeline for who does not see it."""
    if not lanes:
        return ""
    some = "; ".join(", ".join(filter(None, (f"{lane.dataset}: {lane.end}", lane.words))) for lane in lanes[:10])
    return words.number(len(lanes), "Timeline of 1 dataset. {some}", "Timeline of {n} datasets. {some}", some=some)
