"""What the page of events says, and one event whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.event import FIELDS, one_event
from dashboard.view_model.events import events, log, said
from operations.trouble import Trouble

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORDS = Words()


def _event(type_: str = "dataset.failed", subject: str = "orders", **data: Any) -> dict[str, Any]:
    return {
        "seq": 7,
        "id": "01a20166-c2e9-7000-8000-00944e3a0ea2",
        "time": "2026-11-22T11:59:58.000000Z",
        "source": "pipeline",
        "type": type_,
        "subject": subject,
        "data": data,
        "version": 3,
        "prev_hash": "a" * 64,
        "hash": "b" * 64,
    }


def _page(*items: dict[str, Any], after: str | None = None) -> Answer:
    return Answer({"items": list(items), "next": after}, None, NOW)


def _proof(state: str, **more: Any) -> Answer:
    found = {"state": state, "checked": 50, "total": 200, "finished_at": None, "result": None, "trouble": None, **more}
    return Answer(found, None, NOW)


def _consumer(**more: Any) -> dict[str, Any]:
    return {
        "name": "alerts",
        "pattern": "*",
        "seq": 5,
        "behind": 0,
        "behind_s": 0.0,
        "running": True,
        "failed": 0,
        "attempts": 0,
        "error": "",
        "parked": 0,
        **more,
    }


def test_a_row_says_what_its_data_says_first() -> None:
    """The reason before all; a run that ended badly does not look well."""
    (row,) = events(_page(_event(reason="no answer", status="failed", rows=1200)), WORDS, NOW).panel.rows
    (ended,) = events(_page(_event("run.finished", status="failed")), WORDS, NOW).panel.rows

    assert (row.when, row.tone, row.type, row.words) == (
        "11:59:58",
        "bad",
        "dataset.failed",
        "no answer · failed · 1,200 rows",
    )
    assert ended.tone == "bad"
    assert said({"rows": True, "reason": ""}) == ""


@pytest.mark.parametrize(
    ("answer", "filtered", "words"),
    [
        (_page(), False, "Nothing has happened yet."),
        (_page(), True, "No event is like that in this period."),
        (Answer(None, Trouble("no answer"), None), False, "no answer"),
    ],
    ids=["empty log", "nothing found", "broken"],
)
def test_a_list_without_rows_says_why(answer: Answer, filtered: bool, words: str) -> None:
    """Its face."""
    face = events(answer, WORDS, NOW, filtered=filtered).panel.face

    assert face is not None
    assert face.words == words


def test_a_page_that_found_nothing_so_far_leads_on() -> None:
    """A search through a long log goes on where it ended."""
    model = events(_page(after="more"), WORDS, NOW, filtered=True)

    assert (model.next, model.panel.face) == ("more", None)
    assert model.note == "None so far back; older ones may be there."


@pytest.mark.parametrize(
    ("answer", "word", "sentence"),
    [
        (_proof("none"), "not proved", "Each event holds a hash"),
        (_proof("going on"), "going on", "50 of 200 events fit together so far."),
        (_proof("failed", trouble="disk"), "not proved", "The proof came to no end: disk"),
        (
            _proof("done", finished_at=NOW.isoformat(), result={"whole": True, "events": 200, "head": "200:ab"}),
            "whole",
            "All 200 events fit together, as of 12:00:00.",
        ),
        (
            _proof(
                "done", finished_at=NOW.isoformat(), result={"whole": False, "events": 6, "fault": "event 7 is wrong"}
            ),
            "not whole",
            "The log was changed: event 7 is wrong.",
        ),
        (Answer(None, Trouble("no answer"), None), "not known", "It is not known"),
    ],
    ids=["none", "going on", "failed", "whole", "changed", "broken"],
)
def test_the_proof_is_told_in_words(answer: Answer, word: str, sentence: str) -> None:
    """And how far it is, while it is going on."""
    proof = log(answer, Answer({"consumers": [], "parked": []}, None, NOW), WORDS, NOW).proof

    assert proof.word == word
    assert proof.sentence.startswith(sentence)
    assert proof.share == (0.25 if word == "going on" else None)


@pytest.mark.parametrize(
    ("more", "tone", "state"),
    [
        ({}, "good", "up to date"),
        ({"running": False}, "good", "up to date"),
        ({"behind": 3, "behind_s": 5.0}, "busy", "catching up"),
        ({"behind": 3, "behind_s": 5.0, "running": False}, "neutral", "waits"),
        ({"behind": 3, "behind_s": 5000.0, "running": False}, "attention", "behind"),
        ({"failed": 6, "attempts": 4, "error": "boom"}, "bad", "stuck"),
    ],
    ids=["follows", "seen all", "catching up", "waits", "late", "stuck"],
)
def test_each_consumer_says_how_it_stands(more: dict[str, Any], tone: str, state: str) -> None:
    """With its own words for each state."""
    found = {"consumers": [_consumer(**more)], "parked": []}

    (row,) = log(_proof("none"), Answer(found, None, NOW), WORDS, NOW).consumers.rows

    assert (row.tone, row.state) == (tone, state)


def test_dead_letters_are_listed_with_their_error() -> None:
    """What a consumer went on without."""
    letter = {"consumer": "alerts", "seq": 9, "id": "x", "time": NOW.isoformat(), "attempts": 5, "error": "boom"}

    (row,) = log(_proof("none"), Answer({"consumers": [], "parked": [letter]}, None, NOW), WORDS, NOW).parked.rows

    assert (row.seq, row.when, row.words) == (9, "12:00", "5 attempts · boom")


def test_an_event_is_fields_with_the_way_to_each() -> None:
    """Nested members, lists of maps, truth; what is empty is left out."""
    data = {
        "run_id": "r1",
        "ok": True,
        "none": None,
        "quality": {"score": 99.5, "dimensions": {"validity": None}},
        "rules": [{"rule": "a"}, {"rule": "b"}],
        "names": ["x", "y"],
    }
    model = one_event(Answer(_event(**data), None, NOW), WORDS, NOW)

    assert {field.name: field.value for field in model.fields} == {
        "run_id": "r1",
        "ok": "yes",
        "quality › score": "99.5",
        "rules 1 › rule": "a",
        "rules 2 › rule": "b",
        "names": "x, y",
    }
    assert (model.run, model.dataset) == ("r1", "orders")
    assert json.loads(model.json)["seq"] == 7


def test_an_event_of_any_size_is_bounded() -> None:
    """A report of a thousand rules, a text of a megabyte, a nesting without end."""
    deep: Any = "end"
    for _ in range(50):
        deep = {"in": deep}
    data = {**{f"k{n}": n for n in range(500)}, "long": "x" * 1_000_000, "deep": deep}

    model = one_event(Answer(_event(**data), None, NOW), WORDS, NOW)

    assert len(model.fields) == FIELDS
    assert model.note == "302 more fields"
    assert len(model.json) <= 100_001
    assert all(len(field.value) < 500 for field in model.fields)


def test_a_position_without_an_event_is_told() -> None:
    """After the newest one."""
    model = one_event(Answer(None, Trouble("there is no event 99"), None), WORDS, NOW)

    assert model.face is not None
    assert model.face.words == "there is no event 99"
