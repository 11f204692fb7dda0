"""What the page of runs says, computed from real documents and from those of rare states."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.runs import described, runs
from operations.trouble import Trouble

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORDS = Words()
NONE = Answer([], None, NOW)


def _run(status: str = "succeeded", minutes: float = 5.0, **more: Any) -> dict[str, Any]:
    began = (NOW - timedelta(minutes=minutes)).isoformat()
    is_over = status not in {"queued", "running"}
    return {
        "run_id": f"run-{minutes:g}",
        "status": status,
        "actor": "local:ann",
        "priority": 0,
        "because": {"kind": "asked"},
        "queued_at": began if status == "queued" else None,
        "started_at": None if status == "queued" else began,
        "finished_at": began if is_over else None,
        "duration_s": 2.25 if is_over else None,
        "datasets": ["orders"],
        "counts": {},
        "crashes": 0,
        "error": None,
        **more,
    }


def _page(*items: dict[str, Any], after: str | None = None) -> Answer:
    return Answer({"items": list(items), "next": after}, None, NOW)


def test_the_sentence_says_what_goes_on_and_how_the_last_one_went() -> None:
    """What is at work, what waits, what was not well."""
    failed = _run("failed", 9, counts={"failed": 1, "degraded": 2, "succeeded": 4})
    model = runs(_page(_run("running", 1), failed), Answer([_run("queued", 0.5)], None, NOW), NONE, WORDS, NOW)

    assert model.sentence == (
        "1 run is at work. 1 run waits. The last run ended at 11:51 (failed): 1 failed, 2 degraded."
    )
    assert [row.may_cancel for row in model.past.rows] == [True, False]
    assert model.past.rows[1].words == "asked for by local:ann · took 2.2 s · 1 failed, 2 degraded"


def test_what_is_older_than_the_period_is_left_out_and_ends_the_pages() -> None:
    """So there is no button to what would not be shown."""
    page = _page(_run(minutes=5), _run(minutes=500), after="older")

    model = runs(page, NONE, NONE, WORDS, NOW, since=NOW - timedelta(hours=1))

    assert [row.run_id for row in model.past.rows] == ["run-5"]
    assert model.next == ""
    assert runs(page, NONE, NONE, WORDS, NOW).next == "older"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (_page(), "no data yet", "Nothing has run yet."),
        (_page(_run(minutes=5000)), "no data yet", "No such run in this period."),
        (Answer(None, Trouble("no answer", "look"), None), "broken", "no answer"),
        (Answer({"items": [_run()], "next": None}, Trouble("no answer"), NOW), "stale", "no answer"),
    ],
    ids=["nothing yet", "nothing in the period", "broken", "stale"],
)
def test_each_panel_has_its_face(answer: Answer, kind: str, words: str) -> None:
    """Nothing, not now, not all."""
    model = runs(answer, NONE, NONE, WORDS, NOW, since=NOW - timedelta(days=1))

    assert model.past.face is not None
    assert (model.past.face.kind, model.past.face.words) == (kind, words)


def test_two_looks_within_seconds_are_equal() -> None:
    """Or the page would be drawn anew every two seconds while a run is at work."""
    page = _page(_run("running", 3))

    first, second = (runs(page, NONE, NONE, WORDS, NOW + timedelta(seconds=s)) for s in (1, 3))

    assert first == second


def test_backfills_say_how_far_they_are() -> None:
    """One that was broken off can go on, one that is over has no bar."""
    common = {"dataset": "orders", "actor": "ann", "reason": "", "paused_until": None, "started_at": NOW.isoformat()}
    counts = {"total": 10, "collected": 4, "held": 1, "failed": 0}
    broken = {"backfill": "b1", "status": "interrupted", "finished_at": None, **common, **counts}
    over = {"backfill": "b2", "status": "succeeded", "finished_at": NOW.isoformat(), **common, **counts}

    first, second = runs(_page(), NONE, Answer([broken, over], None, NOW), WORDS, NOW).backfills.rows

    assert (first.share, first.may_resume, first.may_cancel) == (0.5, True, True)
    assert first.words == "5 of 10 pieces · 1 held · asked for by ann"
    assert (second.share, second.may_resume, second.may_cancel) == (None, False, False)
    assert runs(_page(), NONE, Answer([broken], None, NOW), WORDS, NOW, past=True).backfills.rows == ()


def test_many_datasets_are_counted() -> None:
    """A run of a thousand is one line."""
    assert described([f"d{n}" for n in range(1000)], WORDS) == "d0, d1, d2 and 997 more"
    assert described([], WORDS) == "no dataset"
