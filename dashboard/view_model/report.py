"""What became of a click, in words: of a run and a backfill, whose end is waited for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.words import Tone, plain

__all__ = ["Report", "of_backfill", "of_run"]

LOST_AFTER_S = 30.0
"""A process that was started for a run takes it up within seconds; after this time it is said where to look."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a click is getting on. `share`: how far it is, 0 to 1; None: nobody knows, or it has ended."""

    tone: Tone
    word: str
    words: str
    share: float | None = None

    @property
    def busy(self) -> bool:
        return self.tone == "busy"


def of_run(run: dict[str, Any] | None, words: Words, now: datetime) -> Report:
    """A run as the API tells it; None: it is not known yet."""
    if run is None or run["status"] == "queued":
        since = run and run["queued_at"]
        if since and (now - datetime.fromisoformat(since)).total_seconds() > LOST_AFTER_S:
            text = "The run still waits. If nobody takes it up: logs/detached.log of the state directory says why."
            return Report("busy", words("going on"), words(text), 0.0)
        return Report("busy", words("going on"), words("The run waits for its turn."), 0.0)
    parts = run["datasets"]
    done = sum(part["status"] is not None for part in parts)
    if run["status"] == "running":
        told = words("The run has done {done} of {total} datasets.", done=done, total=len(parts))
        return Report("busy", words("going on"), told, done / len(parts) if parts else None)
    span = words.span(run["duration_s"]) if (run["duration_s"] or 0.0) >= 1.0 else "< 1 s"
    if run["status"] == "succeeded":
        return Report("good", words("done"), words("The run succeeded in {span}.", span=span))
    if run["status"] in {"degraded", "failed"}:
        counts = ", ".join(f"{count} {words(name)}" for name, count in run["counts"].items() if count)
        bad = [plain(part["dataset"], limit=60) for part in parts if part["status"] in {"degraded", "failed"}]
        names = ", ".join(bad[:6]) + (", …" if len(bad) > 6 else "")
        text = "The run ended {status} in {span}: {counts} ({names})."
        told = words(text, status=words(run["status"]), span=span, counts=counts, names=names)
        return Report("attention" if run["status"] == "degraded" else "bad", words(run["status"]), told)
    text = "The run is {status}: it stopped after {done} of {total} datasets."
    told = words(text, status=words(run["status"]), done=done, total=len(parts))
    return Report("neutral" if run["status"] == "cancelled" else "bad", words(run["status"]), told)


def of_backfill(backfill: dict[str, Any] | None, words: Words) -> Report:
    """A backfill as the API tells it; None: it is not known yet."""
    if backfill is None:
        return Report("busy", words("going on"), words("The backfill waits for its turn."), 0.0)
    total = backfill["total"]
    done = backfill["collected"] + backfill["held"] + backfill["failed"]
    if backfill["status"] == "running":
        told = words("The backfill has done {done} of {total} pieces.", done=done, total=total)
        if backfill["paused_until"]:
            told = f"{told} {plain(backfill['reason'], limit=300)}"
        return Report("busy", words("going on"), told, done / total if total else None)
    text = "The backfill collected {collected} of {total} pieces ({held} held, {failed} failed, {waiting} left)."
    told = words(text, **{name: backfill[name] for name in ("collected", "total", "held", "failed", "waiting")})
    tones: dict[str, Tone] = {"succeeded": "good", "failed": "bad", "cancelled": "neutral"}
    return Report(tones.get(backfill["status"], "attention"), words("done"), told)
