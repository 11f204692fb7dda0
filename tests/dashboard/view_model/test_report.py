"""What became of a click, in every state of a run and a backfill."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.language import Words
from dashboard.view_model.report import of_backfill, of_run

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
WORDS = Words()


def run(status: str, *states: str | None, **other: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": status,
        "queued_at": "2026-11-20T15:59:55.000000Z",
        "duration_s": 1.37,
        "counts": {},
        "datasets": [{"dataset": f"d{n}", "status": state} for n, state in enumerate(states)],
    }
    return {**told, **other}


def backfill(status: str, **other: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"status": status, "total": 10, "collected": 0, "held": 0, "failed": 0, "waiting": 0}
    return {**told, "paused_until": None, "reason": "", **other}


@pytest.mark.parametrize(
    ("found", "words", "tone", "share"),
    [
        (None, "The run waits for its turn.", "busy", 0.0),
        (run("queued", None), "The run waits for its turn.", "busy", 0.0),
        (
            run("queued", None, queued_at="2026-11-20T15:59:00.000000Z"),
            "The run still waits. If nobody takes it up: logs/detached.log of the state directory says why.",
            "busy",
            0.0,
        ),
        (run("running", "succeeded", None), "The run has done 1 of 2 datasets.", "busy", 0.5),
        (run("succeeded", "succeeded"), "The run succeeded in 1 s.", "good", None),
        (
            run("degraded", "succeeded", "degraded", counts={"succeeded": 1, "degraded": 1, "failed": 0}),
            "The run ended degraded in 1 s: 1 succeeded, 1 degraded (d1).",
            "attention",
            None,
        ),
        (
            run("failed", *["failed"] * 8, counts={"failed": 8}),
            "The run ended failed in 1 s: 8 failed (d0, d1, d2, d3, d4, d5, …).",
            "bad",
            None,
        ),
        (run("succeeded", duration_s=0.2), "The run succeeded in < 1 s.", "good", None),
        (
            run("crashed", "succeeded", None, duration_s=None),
            "The run is crashed: it stopped after 1 of 2 datasets.",
            "bad",
            None,
        ),
        (
            run("cancelled", "succeeded", None),
            "The run is cancelled: it stopped after 1 of 2 datasets.",
            "neutral",
            None,
        ),
    ],
    ids=[
        "not known yet",
        "queued",
        "waits long",
        "running",
        "succeeded",
        "degraded",
        "failed",
        "short",
        "crashed",
        "cancelled",
    ],
)
def test_every_state_of_a_run_has_its_words(found: Any, words: str, tone: str, share: float | None) -> None:
    """And the page knows whether there is something more to wait for."""
    report = of_run(found, WORDS, NOW)

    assert (report.words, report.tone, report.share) == (words, tone, share)
    assert report.busy == (tone == "busy")


@pytest.mark.parametrize(
    ("found", "words", "tone"),
    [
        (None, "The backfill waits for its turn.", "busy"),
        (backfill("running", collected=3, failed=1, waiting=6), "The backfill has done 4 of 10 pieces.", "busy"),
        (
            backfill("running", paused_until="2026-11-20T17:00:00Z", reason="the circuit is open"),
            "The backfill has done 0 of 10 pieces. the circuit is open",
            "busy",
        ),
        (
            backfill("succeeded", collected=10),
            "The backfill collected 10 of 10 pieces (0 held, 0 failed, 0 left).",
            "good",
        ),
        (
            backfill("degraded", collected=8, held=1, failed=1),
            "The backfill collected 8 of 10 pieces (1 held, 1 failed, 0 left).",
            "attention",
        ),
        (
            backfill("cancelled", collected=1, waiting=9),
            "The backfill collected 1 of 10 pieces (0 held, 0 failed, 9 left).",
            "neutral",
        ),
        (backfill("failed", failed=10), "The backfill collected 0 of 10 pieces (0 held, 10 failed, 0 left).", "bad"),
    ],
    ids=["not known yet", "running", "paused", "succeeded", "degraded", "cancelled", "failed"],
)
def test_every_state_of_a_backfill_has_its_words(found: Any, words: str, tone: str) -> None:
    """How many pieces, and what became of them."""
    report = of_backfill(found, WORDS)

    assert (report.words, report.tone) == (words, tone)
