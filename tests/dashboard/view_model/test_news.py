"""What is new since the last visit, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.news import AWAY, last_visit, news_of
from operations.news import TURNS
from operations.trouble import Trouble

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


def _ago(minutes: float) -> int:
    return int((NOW - timedelta(minutes=minutes)).timestamp() * 1000)


def _turn(kind: str = "breaker.opened", **other: Any) -> dict[str, Any]:
    told = {"seq": 1, "time": "2026-11-20T12:00:00Z", "type": kind, "subject": "ECB", "actor": "", "reason": ""}
    return {**told, **other}


def _news(*turns: dict[str, Any], runs: dict[str, int] | None = None, more: int = 0) -> Any:
    found = {"since": "2026-11-19T18:02:00Z", "runs": runs or {}, "turns": list(turns), "more": more}
    return news_of(Answer(found, None, NOW), Words(), NOW)


@pytest.mark.parametrize(
    ("cookie", "minutes"),
    [
        (f"0.{_ago(600)}", 600),
        (f"{_ago(600)}.{_ago(1)}", 600),
        (f"0.{_ago(1)}", None),
        (None, None),
        ("", None),
        ("1", None),
        (f"0.{_ago(-60)}", None),
    ],
    ids=["away since", "loaded again", "first visit goes on", "no cookie", "empty", "cut", "a clock that was ahead"],
)
def test_the_last_visit_is_that_before_this_one(cookie: str | None, minutes: int | None) -> None:
    """Who loads the page again was not away."""
    expected = None if minutes is None else (NOW - timedelta(minutes=minutes)).isoformat()

    assert last_visit(cookie, NOW) == expected


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_a_cookie_may_hold_anything(cookie: str) -> None:
    """Browsers' owners can write what they like into it."""
    found = last_visit(cookie, NOW)

    assert found is None or datetime.fromisoformat(found) <= NOW


def test_who_never_left_sees_a_moment_that_lies_back_far_enough() -> None:
    """Half an hour ago is a visit of its own, a minute less is not."""
    minutes = AWAY.total_seconds() / 60

    assert last_visit(f"0.{_ago(minutes + 1)}", NOW) is not None
    assert last_visit(f"0.{_ago(minutes - 1)}", NOW) is None


def test_when_nothing_happened_nothing_is_said() -> None:
    """A calm page."""
    assert _news() is None


@pytest.mark.parametrize(
    ("runs", "summary"),
    [
        (
            {"succeeded": 1200, "failed": 3},
            "Since your last visit, yesterday 18:02: 1,203 runs (1,200 succeeded, 3 failed); nothing else happened.",
        ),
        (
            {"succeeded": 1},
            "Since your last visit, yesterday 18:02: 1 run (1 succeeded); nothing else happened.",
        ),
    ],
    ids=["many runs", "one run"],
)
def test_runs_are_told_in_one_line(runs: dict[str, int], summary: str) -> None:
    """However many there were."""
    assert _news(runs=runs).summary == summary


def test_a_turn_is_told_with_who_did_it_and_why() -> None:
    """Without the dataset's name twice."""
    (row,) = _news(_turn("batch.accepted", subject="fx", actor="local:ann", reason="fx: right after all")).rows

    assert (row.tone, row.state, row.title, row.when) == ("good", "accepted", "fx", "12:00")
    assert row.words == "by local:ann: fx: right after all"


def test_who_did_it_is_told_once() -> None:
    """Some reasons begin with the name."""
    (row,) = _news(_turn("incident.resolved", actor="local:ann", reason="local:ann declared it over")).rows

    assert row.words == "local:ann declared it over"


def test_only_the_newest_turns_are_shown_and_the_others_counted() -> None:
    """The log has them all."""
    shown = _news(*(_turn(subject=f"p{n}") for n in range(30)), more=5)

    assert (len(shown.rows), shown.more) == (6, 29)


@pytest.mark.parametrize("kind", TURNS)
def test_every_turn_has_words_of_its_own(kind: str) -> None:
    """Nobody has to know the names of events."""
    (row,) = _news(_turn(kind)).rows

    assert "." not in row.state


def test_news_that_cannot_be_read_say_why() -> None:
    """The rest of the page goes on."""
    shown = news_of(Answer(None, Trouble("the disk is gone"), None), Words(), NOW)

    assert shown is not None
    assert shown.face is not None
    assert (shown.face.kind, shown.face.words) == ("broken", "the disk is gone")
