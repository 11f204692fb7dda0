"""What ran, what is at work, what waits: the list of runs, and backfills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.words import Tone, plain, tone_of

__all__ = ["BackfillRow", "RunRow", "Runs", "because", "counted", "described", "died", "fine", "runs"]

NAMES = 3
"""Datasets of a run that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list. `what`: its datasets; `words`: why, how long, how it ended."""

    run_id: str
    tone: Tone
    status: str
    when: str
    what: str
    words: str
    may_cancel: bool

    def to_csv(self) -> dict[str, object]:
        return {"run": self.run_id, "status": self.status, "when": self.when, "datasets": self.what, "more": self.words}


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """A backfill in the list. `share`: of its pieces, 0 to 1; None: it is over."""

    backfill: str
    dataset: str
    tone: Tone
    status: str
    when: str
    words: str
    share: float | None
    may_cancel: bool
    may_resume: bool


@dataclass(frozen=True, slots=True)
class Runs:
    """All that is drawn. Equal ones look the same. `next`: the cursor of older runs; "": there are none."""

    sentence: str
    waiting: Panel[RunRow]
    past: Panel[RunRow]
    backfills: Panel[BackfillRow]
    next: str = ""


def runs(
    page: Answer,
    waiting: Answer,
    backfills: Answer,
    words: Words,
    now: datetime,
    *,
    since: datetime | None = None,
    filtered: bool = False,
    first: bool = True,
    past: bool = False,
) -> Runs:
    """The page for the answers of `runs_page`, `runs(status="queued")` and `backfills`.

    Args:
        since: Where the period begins; older runs are left out.
        filtered: Only runs of one status were asked for.
        first: It is the first page: what is at work now is on it.
        past: It is about the past, of which backfills are not known.
    """
    found = page.document or {"items": [], "next": None}
    items = [item for item in found["items"] if since is None or _moment(item) >= since]
    # Those that wait stand above, in their own order.
    rows = tuple(_row(item, words, now) for item in items if filtered or item["status"] != "queued")
    face = face_of(page)
    if face is None and not items:
        ran = bool(found["items"]) or filtered or not first
        empty = words("No such run in this period.") if ran else words("Nothing has run yet.")
        hint = "" if ran else words("Run now on the first page collects every dataset.")
        face = Face("no data yet", empty, hint)
    queue = tuple(_row(item, words, now) for item in waiting.document or ())
    return Runs(
        sentence=_sentence(found["items"], len(queue), words, now) if first and not filtered else "",
        waiting=Panel(queue, face=face_of(waiting)),
        past=Panel(rows, face=face),
        backfills=Panel() if past else _backfills(backfills, words, now),
        next=(found["next"] or "") if len(items) == len(found["items"]) else "",
    )


def _backfills(answer: Answer, words: Words, now: datetime) -> Panel[BackfillRow]:
    return Panel(tuple(_backfill(one, words, now) for one in answer.document or ()), face=face_of(answer))


def because(run: Mapping[str, Any], words: Words) -> str:
    """Why there is a run, and who asked."""
    why, actor = run["because"], plain(run["actor"], limit=60)
    kind, of = why["kind"], plain(why.get("schedule", ""), limit=60)
    if kind == "schedule":
        return words("its schedule")
    if kind == "after":
        return words("after {what}", what=plain(why.get("what", "") or of, limit=60))
    if kind == "on_file":
        return words("a file came")
    if kind == "backfill":
        return words("a backfill")
    return words("asked for by {name}", name=actor)


def described(names: Sequence[str], words: Words) -> str:
    """The datasets of a run in a few words."""
    some = [plain(name, limit=64) for name in names[:NAMES]]
    if not some:
        return words("no dataset")
    if len(names) <= NAMES:
        return ", ".join(some)
    return words("{names} and {count} more", names=", ".join(some), count=words.count(len(names) - NAMES))


def fine(seconds: float, words: Words) -> str:
    """How long something took; of a few seconds also the tenths, and of less the hundredths.

    >>> fine(0.0468, Words()), fine(2.25, Words()), fine(75.0, Words())
    ('0.05 s', '2.2 s', '1 min')
    """
    return words.span(seconds) if seconds >= 10.0 else f"{words.figure(round(seconds, 1 if seconds >= 1.0 else 2))} s"


def died(times: int, words: Words) -> str:
    """How often the process of a run died."""
    return words("its process died once" if times == 1 else "its process died {times} times", times=times)


def _moment(run: Mapping[str, Any]) -> datetime:
    # What is at work, or waits, is of now, however long ago it began.
    text = run["finished_at"] or run["started_at"] or run["queued_at"]
    return datetime.fromisoformat(text)


def _row(run: Mapping[str, Any], words: Words, now: datetime) -> RunRow:
    status = run["status"]
    began = datetime.fromisoformat(run["started_at"] or run["queued_at"])
    told = [because(run, words)]
    if status == "queued":
        if seconds := _coarse(now, began):
            told.append(words("waits for {span}", span=words.span(seconds)))
        if run["priority"]:
            told.append(words("priority {priority}", priority=run["priority"]))
    elif status == "running":
        if seconds := _coarse(now, began):
            told.append(words("for {span}", span=words.span(seconds)))
    elif run["duration_s"] is not None:
        told.append(words("took {span}", span=fine(run["duration_s"], words)))
    if bad := counted(run["counts"], words):
        told.append(bad)
    if run["crashes"]:
        told.append(died(run["crashes"], words))
    return RunRow(
        run_id=run["run_id"],
        tone=tone_of(status),
        status=words(status),
        when=words.clock(began, now),
        what=described(run["datasets"], words),
        words=" · ".join(told),
        may_cancel=status in {"queued", "running"},
    )


def counted(counts: Mapping[str, int], words: Words) -> str:
    """How many datasets ended otherwise than well, worst first; "": none did."""
    return ", ".join(
        f"{words.count(counts[name])} {words(name)}" for name in ("failed", "degraded", "skipped") if counts.get(name)
    )


def _coarse(now: datetime, then: datetime) -> float:
    """Seconds since then in steps, so that a page that is looked at every two seconds is seldom drawn anew."""
    seconds = max(0.0, (now - then).total_seconds())
    step = 10.0 if seconds < 60.0 else 60.0
    return seconds // step * step


def _sentence(items: Sequence[Mapping[str, Any]], queued: int, words: Words, now: datetime) -> str:
    """What is going on, and how the last one went."""
    running = [item for item in items if item["status"] == "running"]
    last = next((item for item in items if item["status"] not in {"running", "queued"}), None)
    said = []
    if running:
        said.append(words.number(len(running), "1 run is at work.", "{n} runs are at work."))
    if queued:
        said.append(words.number(queued, "1 run waits.", "{n} runs wait."))
    if last is not None:
        ended = datetime.fromisoformat(last["finished_at"] or last["started_at"] or last["queued_at"])
        when = words.clock(ended, now)
        if last["status"] == "succeeded":
            text = "The last run succeeded at {time}."
        else:
            text = "The last run ended at {time} ({status}): {counts}."
        counts = counted(last["counts"], words) or words("it did not come to its end")
        said.append(words(text, status=words(last["status"]), time=when, counts=counts))
    return " ".join(said)


def _backfill(one: Mapping[str, Any], words: Words, now: datetime) -> BackfillRow:
    total, done = one["total"], one["collected"] + one["held"] + one["failed"]
    status, is_over = one["status"], one["finished_at"] is not None
    told = [words("{done} of {total} pieces", done=words.count(done), total=words.count(total))]
    told += [f"{words.count(one[name])} {words(name)}" for name in ("held", "failed") if one[name]]
    if one["paused_until"] and not is_over:
        told.append(words("goes on at {time}", time=words.clock(datetime.fromisoformat(one["paused_until"]), now)))
    if one["reason"]:
        told.append(plain(one["reason"], limit=160))
    told.append(words("asked for by {name}", name=plain(one["actor"], limit=60)))
    return BackfillRow(
        backfill=one["backfill"] or "",
        dataset=plain(one["dataset"], limit=64),
        tone=tone_of(status),
        status=words(status),
        when=words.clock(datetime.fromisoformat(one["started_at"]), now),
        words=" · ".join(told),
        share=None if is_over else (done / total if total else 0.0),
        may_cancel=not is_over,
        may_resume=status == "interrupted",
    )
