"""What the page of one run says, and what its timeline shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.charts.timeline import timeline
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.run import LANES, logs, whole
from integrated_system import IntegratedSystem
from operations.runs import show
from operations.trouble import Trouble
from tests.dashboard.configuration import HARM

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORDS = Words()
NAMES: Any = {kind: kind for kind in ("turn", "work", "rate_limit", "bulkhead", "failed", "pause", "open")}
ENDS: Any = {tone: tone for tone in ("good", "attention", "bad", "busy", "neutral")}


def _part(dataset: str = "orders", status: str | None = "succeeded", at: float = 1.0, **more: Any) -> dict[str, Any]:
    began = (NOW + timedelta(seconds=at)).isoformat()
    return {
        "dataset": dataset,
        "status": status,
        "rows": 5,
        "origin": "provider",
        "reason": None,
        "hint": None,
        "provider": dataset,
        "attempts": 1,
        "began_at": began if status else None,
        "ended_at": began if status else None,
        "duration_s": 2.0 if status else None,
        "steps": [],
        "left_out": 0,
        **more,
    }


def _answer(*parts: dict[str, Any], status: str = "succeeded", **more: Any) -> Answer:
    run = {
        "run_id": "r1",
        "status": status,
        "actor": "ann",
        "priority": 0,
        "because": {"kind": "asked"},
        "queued_at": None,
        "started_at": NOW.isoformat(),
        "finished_at": NOW.isoformat() if status not in {"running", "queued"} else None,
        "duration_s": 4.0,
        "counts": {},
        "crashes": 0,
        "error": None,
        "datasets": list(parts),
        "partitions": [],
        "cancelled_by": None,
        "cancelled_because": None,
        **more,
    }
    return Answer(run, None, NOW)


def test_a_real_run_is_told_with_its_attempts_and_its_fallback(ran: IntegratedSystem) -> None:
    """One dataset delivers, one is served from its snapshot after two attempts, one has nothing."""
    answer = Answer(show(ran, ran.views.runs(limit=1)[0].run_id).to_json(), None, NOW)

    model = whole(answer, WORDS, NOW)

    assert model.sentence.startswith("The run ended failed after ")
    assert [part.dataset for part in model.parts] == ["nothing", "partner", "orders"]
    lanes = {lane.dataset: lane for lane in model.lanes}
    assert lanes["partner"].end == "degraded, the shipped snapshot is served"
    assert "2 attempts" in lanes["partner"].words
    assert [piece.kind for piece in lanes["partner"].pieces if piece.kind != "work"][-3:] == [
        "failed",
        "pause",
        "failed",
    ]
    assert {piece.kind for piece in lanes["orders"].pieces} <= {"turn", "work"}
    assert not model.may_resume
    assert model.may_repeat


def test_what_is_not_over_has_a_bar_up_to_now() -> None:
    """It grows by whole steps, so that the page is not drawn again at each look; a run that is over has none."""
    parts = (_part("orders"), _part("later", None))
    at_work = _answer(*parts, status="running")
    first, same, grown = (whole(at_work, WORDS, NOW + timedelta(seconds=s)) for s in (6.1, 7.9, 8.0))
    over = whole(_answer(*parts, status="crashed"), WORDS, NOW + timedelta(seconds=9))

    assert [lane.dataset for lane in first.lanes] == ["orders", "later"]
    assert [(p.kind, p.begin, p.end) for p in first.lanes[1].pieces] == [("open", 0.0, 6.0)]
    assert (first.lanes[1].tone, first.lanes[1].end) == ("busy", "not over")
    assert first == same
    assert first != grown
    assert [lane.dataset for lane in over.lanes] == ["orders"]


def test_waits_are_cut_out_of_the_work() -> None:
    """Before the first, between, after the last; what was waited for is said in words too."""
    steps = [
        {"kind": "rate_limit", "at_s": 0.5, "seconds": 0.5, "words": ""},
        {"kind": "bulkhead", "at_s": 1.0, "seconds": 0.25, "words": ""},
    ]
    model = whole(_answer(_part(steps=steps, left_out=3)), WORDS, NOW)

    (lane,) = model.lanes
    assert [(p.kind, p.begin, p.end) for p in lane.pieces] == [
        ("turn", 0.0, 1.0),
        ("work", 1.0, 1.5),
        ("rate_limit", 1.5, 2.0),
        ("bulkhead", 2.0, 2.25),
        ("work", 2.25, 3.0),
    ]
    assert lane.words == "took 2 s · waited 0.5 s for the provider's rate · waited 0.25 s for a place · 3 more waits"
    assert model.alt == f"Timeline of 1 dataset. orders: succeeded, {lane.words}"


@pytest.mark.parametrize(
    ("status", "sentence", "deeds"),
    [
        ("queued", "The run waits for its turn.", (True, False, False)),
        ("running", "The run has done 1 of 2 datasets.", (True, False, False)),
        ("crashed", "The run is crashed: it stopped after 1 of 2 datasets.", (True, True, True)),
        ("interrupted", "The run is interrupted: it stopped after 1 of 2 datasets.", (True, True, True)),
        ("cancelled", "The run is cancelled: it stopped after 1 of 2 datasets.", (False, False, True)),
        ("failed", "The run ended failed after 4 s: it did not come to its end, of 2 datasets.", (False, False, True)),
        ("succeeded", "All 2 datasets were delivered in 4 s.", (False, False, True)),
    ],
)
def test_each_status_has_its_sentence_and_what_can_be_done(
    status: str, sentence: str, deeds: tuple[bool, bool, bool]
) -> None:
    """Cancel, resume, run again."""
    model = whole(_answer(_part(), _part("later", None), status=status), WORDS, NOW)

    assert model.sentence == sentence
    assert (model.may_cancel, model.may_resume, model.may_repeat) == deeds
    assert model.parts[0].status == ("not over" if status in {"queued", "running"} else "not done")


def test_of_very_many_datasets_those_are_shown_that_were_not_well() -> None:
    """The timeline and the list stay readable; the rest is counted."""
    parts = [_part(f"d{n}") for n in range(300)] + [_part("bad", "failed")]
    model = whole(_answer(*parts, status="failed", counts={"failed": 1}), WORDS, NOW)

    assert len(model.lanes) == LANES
    assert "bad" in {lane.dataset for lane in model.lanes}
    assert model.lanes_note == "40 of 301 datasets: those that were not well, and those that took the longest"
    assert (model.parts[0].dataset, model.parts_note) == ("bad", "201 more")


def test_what_cannot_be_read_has_a_face() -> None:
    """A run that is not there, or an API that does not answer."""
    model = whole(Answer(None, Trouble("there is no run x", "see the list"), None), WORDS, NOW)

    assert model.face is not None
    assert (model.face.kind, model.face.hint) == ("broken", "see the list")


def test_a_timeline_tells_kinds_apart_without_colour_and_shows_no_foreign_html() -> None:
    """Each kind has a pattern of its own; what a provider says is text."""
    steps = [{"kind": kind, "at_s": n * 0.3, "seconds": 0.2, "words": HARM} for n, kind in enumerate(
        ("rate_limit", "bulkhead", "failed", "pause"))]  # fmt: skip
    model = whole(_answer(_part(steps=steps), _part("b", "failed", reason=HARM)), WORDS, NOW)
    lanes = tuple(replace(lane, end=HARM) for lane in model.lanes)

    figure = timeline(lanes, NAMES, ENDS, revision="r1")

    bars = [trace for trace in figure.data if trace.type == "bar"]
    shapes = [bar.marker.pattern.shape for bar in bars]
    assert len(shapes) == len(set(shapes)) == 6
    assert figure.layout.uirevision == "r1"
    assert "<script" not in str(figure.to_json())
    assert "<img" not in str(figure.to_json())


def test_a_run_that_has_not_begun_has_no_timeline() -> None:
    """Nor one of which nothing has ended."""
    assert whole(_answer(_part(status=None), status="queued", started_at=None), WORDS, NOW).lanes == ()
    assert timeline((), NAMES, ENDS, revision="r").data == ()


def test_log_lines_are_fields_in_words() -> None:
    """A traceback stays in its lines; without a line it is said why."""
    line = {
        "time": "2026-11-22T11:00:00.123Z",
        "level": "ERROR",
        "component": "pipeline",
        "event": "dataset.unexpected",
        "fields": {"dataset": "orders", "rules": ["a", "b"], "traceback": "Traceback\n  boom"},
    }
    model = logs(Answer({"lines": [line], "kept": True, "more": True}, None, NOW), WORDS)

    (row,) = model.rows
    assert (row.time, row.tone, row.what) == ("11:00:00", "bad", "pipeline · dataset.unexpected")
    assert row.words == "dataset=orders rules=a, b\nTraceback\nboom"
    empty = logs(Answer({"lines": [], "kept": False, "more": False}, None, NOW), WORDS)
    assert empty.face is not None
    assert empty.face.hint == "logging.files: json"
