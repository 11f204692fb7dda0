"""What the page of a dataset says, computed without a page."""

from typing import Any

import pytest

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.dataset import chosen, head
from dashboard.view_model.dataset_lineage import around
from dashboard.view_model.dataset_sentence import sentence, whole_age
from operations.trouble import Trouble
from tests.dashboard.configuration import HARM
from tests.dashboard.view_model.dataset_answers import NOW, WORDS, WRONG, a_status, answered, hours_ago

STALE = Trouble("nobody answers", "")


def _why(**more: Any) -> Answer:
    return answered(
        {
            "changes": [],
            "advice": [],
            "commands": [],
            "next_try": {"words": "at 13:00"},
            "held": None,
            "last_good": {"version": "v1"},
            **more,
        }
    )


def _head(status: Answer, why: Answer | None) -> Any:
    return head("orders", ("orders",), status, why, NOW, WORDS)


def test_the_head_stays_the_same_while_only_seconds_went_by() -> None:
    """So the page is not drawn again every two seconds."""
    one = _head(answered({"datasets": [a_status()]}), _why())
    later = _head(answered({"datasets": [a_status(age_s=9.0)]}), _why())
    older = _head(answered({"datasets": [a_status(age_s=190.0)]}), _why())

    assert one == later
    assert older.sentence == "orders is well: 1,200 rows, collected 3 min ago, score 97.4."
    assert one != older


def test_the_head_tells_what_waits_and_what_to_do() -> None:
    """Text from elsewhere on one line, of bounded length."""
    told = _head(
        answered({"datasets": [a_status(status="failed", quarantined=2, promise={"state": "at_risk"})]}),
        _why(
            held={"version": "v2", "objections": f"{HARM}\n{'x' * 5000}"},
            advice=[{"text": "mend it"}] * 5,
            changes=[{"about": "rule", "words": "`a` broke", "since": hours_ago(1)}],
            commands=[{"command": "accept orders", "does": "let readers see it"}],
        ),
    )

    assert (told.tone, told.held.version, len(told.todo)) == ("bad", "v2", 2)
    assert len(told.held.words) < 700
    assert "\n" not in told.held.words
    assert dict(told.figures) | {"In quarantine": "2", "Promise": "at risk"} == dict(told.figures)
    assert (told.changes[0].when, told.changes[0].words) == ("11:00", "“a” broke")
    assert told.commands == (("accept orders", "let readers see it"),)


def test_a_head_without_an_answer_says_why_or_keeps_what_it_knew() -> None:
    """Broken without anything, stale with something older."""
    broken = _head(WRONG, None)
    stale = _head(Answer({"datasets": [a_status()]}, STALE, NOW), _why())

    assert (broken.face.kind, broken.face.words) == ("broken", "the database is away")
    assert (stale.face.kind, stale.rows) == ("stale", 1200)


def _said(why: dict[str, Any] | None = None, words: Words = WORDS, **more: Any) -> str:
    return sentence(a_status(**more), why or {}, words, NOW)


def test_the_sentence_says_why_of_every_state() -> None:
    """Composed of facts; what a provider said stays as it came, without the name that stands there already."""
    promise = {"state": "at_risk", "until": hours_ago(-3)}
    broken = {
        "status": "degraded",
        "reason": "promise broken: the copy is 65 s old",
        "promise": {**promise, "until": hours_ago(2)},
    }
    blocked = {"blocked": [{"dataset": "raw", "reason": "raw has failed"}], "last_good": {"accepted_at": hours_ago(30)}}

    assert _said(rows=1, origin="cache", age_s=5.0, data_age_s=7200.0, score=None) == (
        "orders is well: 1 row, from our copy, within its time to live, collected under 2 min ago, its data 2 h old."
    )
    assert _said(promise=promise).endswith("score 97.4. Its promise breaks at 15:00.")
    assert _said({"since": {"time": hours_ago(20)}}, status="failed", reason="orders: 503.") == (
        "orders has failed since yesterday 16:00: 503."
    )
    assert _said({"since": {"time": hours_ago(1)}}, **broken) == (
        "orders is degraded since 11:00: its promise is broken since 10:00."
    )
    assert _said(blocked) == "orders is blocked: raw has failed; readers keep what came yesterday 06:00."
    assert _said({**blocked, "last_good": None}).endswith("nothing was delivered of it yet.")
    assert _said(status="degraded") == "orders is degraded: nobody knows why."


def test_the_sentence_is_said_in_portuguese() -> None:
    """With its numbers and dates; the reason stays as it came."""
    told = _said(
        {"since": {"time": hours_ago(24 * 40)}}, Words.of("pt"), status="failed", reason="503 Service Unavailable"
    )

    assert told == "orders falha desde 13 out. 12:00: 503 Service Unavailable."
    assert _said(words=Words.of("pt"), age_s=300.0) == (
        "orders está bem: 1.200 linhas, recolhido há 5 min, pontuação 97,4."
    )


def test_of_the_past_the_last_run_says_how_it_was() -> None:
    """Nobody looks why then."""
    reason = "orders: 503 Service Unavailable."
    told = _head(answered({"datasets": [a_status(status="degraded", reason=reason)]}), None)
    never = _head(answered({"datasets": [a_status(status="never ran")]}), None)

    assert told.sentence == "orders is degraded: 503 Service Unavailable."
    assert never.sentence == "orders never ran: nothing is known of it yet."


def test_without_a_name_the_worst_is_shown() -> None:
    """Failed before degraded before all that is well."""
    found = [a_status(), a_status(dataset="b", status="degraded"), a_status(dataset="a", status="failed")]

    assert chosen(None, answered({"datasets": found})) == ("a", ("a", "b", "orders"))
    assert chosen("b", answered({"datasets": found}))[0] == "b"
    assert chosen(None, WRONG) == ("", ())


@pytest.mark.parametrize(("seconds", "words"), [(0.0, "under 2 min"), (119.9, "under 2 min"), (120.0, "2 min")])
def test_an_age_counts_no_seconds(seconds: float, words: str) -> None:
    """It would be another one at each look."""
    assert whole_age(seconds, WORDS) == words


def test_neighbours_are_told_near_ones_first() -> None:
    """Each once, with the fewest steps, also in a diamond; a sink has no page."""

    def node(name: str, kind: str = "derived", **more: Any) -> dict[str, Any]:
        base = {"id": name, "kind": kind, "provider": "p", "status": "succeeded", "accepted_at": None}
        return {**base, "made_from": [], "looked_at": [], **more}

    old = {"dataset": "b", "version": "v", "newest": False}
    nodes = [
        *(node(name) for name in "abc"),
        node("d", made_from=[old]),
        node("e", status=None),
        node("d -> out.csv", "sink", provider="file", status=None),
    ]
    pairs = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e"), ("d", "d -> out.csv")]
    edges = [{"source": one, "target": other, "kind": "depends_on"} for one, other in pairs]

    told = around("d", answered({"nodes": nodes, "edges": edges}), NOW, WORDS)

    assert [(one.title, one.steps) for one in told.above] == [("b", 1), ("c", 1), ("a", 2)]
    assert "an older version of it was used" in told.above[0].words
    assert [(one.title, one.dataset, one.state) for one in told.below] == [
        ("e", "e", "never ran"),
        ("out.csv", "", "sink"),
    ]
