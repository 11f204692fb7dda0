"""What the page of a dataset says, computed without a page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.dataset import chosen, head
from dashboard.view_model.dataset_acts import MOST_ROWS, captures, decided, export, planned
from dashboard.view_model.dataset_lineage import around
from dashboard.view_model.dataset_past import band, metric, metric_names, runs
from dashboard.view_model.dataset_quality import quality
from dashboard.view_model.dataset_sentence import sentence, whole_age
from dashboard.view_model.dataset_table import PAGE, ColumnLine, as_rows, columns, paged, rows, shown
from dashboard.view_model.dataset_versions import differing, versions
from operations.trouble import Trouble
from tests.dashboard.configuration import HARM

WORDS = Words()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WRONG = Answer(None, Trouble("the database is away", "start it"), None)
STALE = Trouble("nobody answers", "")


def _answer(document: Any) -> Answer:
    return Answer(document, None, NOW)


def _at(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def _status(**more: Any) -> dict[str, Any]:
    return {
        "dataset": "orders",
        "provider": "partner",
        "status": "succeeded",
        "origin": "provider",
        "rows": 1200,
        "quarantined": 0,
        "age_s": 3.0,
        "data_age_s": None,
        "score": 97.4,
        "reason": None,
        "promise": None,
        **more,
    }


def _why(**more: Any) -> Answer:
    return _answer(
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
    one = _head(_answer({"datasets": [_status()]}), _why())
    later = _head(_answer({"datasets": [_status(age_s=9.0)]}), _why())
    older = _head(_answer({"datasets": [_status(age_s=190.0)]}), _why())

    assert one == later
    assert older.sentence == "orders is well: 1,200 rows, collected 3 min ago, score 97.4."
    assert one != older


def test_the_head_tells_what_waits_and_what_to_do() -> None:
    """Text from elsewhere on one line, of bounded length."""
    told = _head(
        _answer({"datasets": [_status(status="failed", quarantined=2, promise={"state": "at_risk"})]}),
        _why(
            held={"version": "v2", "objections": f"{HARM}\n{'x' * 5000}"},
            advice=[{"text": "mend it"}] * 5,
            changes=[{"about": "rule", "words": "`a` broke", "since": _at(1)}],
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
    stale = _head(Answer({"datasets": [_status()]}, STALE, NOW), _why())

    assert (broken.face.kind, broken.face.words) == ("broken", "the database is away")
    assert (stale.face.kind, stale.rows) == ("stale", 1200)


def _said(why: dict[str, Any] | None = None, words: Words = WORDS, **more: Any) -> str:
    return sentence(_status(**more), why or {}, words, NOW)


def test_the_sentence_says_why_of_every_state() -> None:
    """Composed of facts; what a provider said stays as it came, without the name that stands there already."""
    promise = {"state": "at_risk", "until": _at(-3)}
    broken = {
        "status": "degraded",
        "reason": "promise broken: the copy is 65 s old",
        "promise": {**promise, "until": _at(2)},
    }
    blocked = {"blocked": [{"dataset": "raw", "reason": "raw has failed"}], "last_good": {"accepted_at": _at(30)}}

    assert _said(rows=1, origin="cache", age_s=5.0, data_age_s=7200.0, score=None) == (
        "orders is well: 1 row, from our copy, within its time to live, collected under 2 min ago, its data 2 h old."
    )
    assert _said(promise=promise).endswith("score 97.4. Its promise breaks at 15:00.")
    assert _said({"since": {"time": _at(20)}}, status="failed", reason="orders: 503.") == (
        "orders has failed since yesterday 16:00: 503."
    )
    assert _said({"since": {"time": _at(1)}}, **broken) == (
        "orders is degraded since 11:00: its promise is broken since 10:00."
    )
    assert _said(blocked) == "orders is blocked: raw has failed; readers keep what came yesterday 06:00."
    assert _said({**blocked, "last_good": None}).endswith("nothing was delivered of it yet.")
    assert _said(status="degraded") == "orders is degraded: nobody knows why."


def test_the_sentence_is_said_in_portuguese() -> None:
    """With its numbers and dates; the reason stays as it came."""
    told = _said({"since": {"time": _at(24 * 40)}}, Words.of("pt"), status="failed", reason="503 Service Unavailable")

    assert told == "orders falha desde 13 out. 12:00: 503 Service Unavailable."
    assert _said(words=Words.of("pt"), age_s=300.0) == (
        "orders está bem: 1.200 linhas, recolhido há 5 min, pontuação 97,4."
    )


def test_of_the_past_the_last_run_says_how_it_was() -> None:
    """Nobody looks why then."""
    reason = "orders: 503 Service Unavailable."
    told = _head(_answer({"datasets": [_status(status="degraded", reason=reason)]}), None)
    never = _head(_answer({"datasets": [_status(status="never ran")]}), None)

    assert told.sentence == "orders is degraded: 503 Service Unavailable."
    assert never.sentence == "orders never ran: nothing is known of it yet."


def test_without_a_name_the_worst_is_shown() -> None:
    """Failed before degraded before all that is well."""
    found = [_status(), _status(dataset="b", status="degraded"), _status(dataset="a", status="failed")]

    assert chosen(None, _answer({"datasets": found})) == ("a", ("a", "b", "orders"))
    assert chosen("b", _answer({"datasets": found}))[0] == "b"
    assert chosen(None, WRONG) == ("", ())


@pytest.mark.parametrize(("seconds", "words"), [(0.0, "under 2 min"), (119.9, "under 2 min"), (120.0, "2 min")])
def test_an_age_counts_no_seconds(seconds: float, words: str) -> None:
    """It would be another one at each look."""
    assert whole_age(seconds, WORDS) == words


@given(st.integers(0, 10**9), st.integers())
def test_a_page_is_always_one_that_there_is(count: int, asked: int) -> None:
    """Whatever stands in the address."""
    number, pages = paged(count, asked)

    assert 1 <= number <= pages
    assert (pages - 1) * PAGE <= max(count - 1, 0) < pages * PAGE


def test_types_of_columns_are_named_in_the_readers_language() -> None:
    """What there is no word for stays as Arrow calls it."""
    lines = (ColumnLine("id", "whole number", ()), ColumnLine("parts", "list<item: double>", ()))

    assert [row["Tipo"] for row in as_rows(lines, Words.of("pt"))] == ["número inteiro", "list<item: double>"]


def test_cells_are_made_fit_for_a_browser() -> None:
    """Long texts cut, control characters gone, what a browser's numbers cannot hold as text; all else as it is."""
    moment = datetime(2026, 11, 20, 8, tzinfo=UTC)
    table = pa.table(
        {
            HARM: ["x" * 1_000_000, "\x1b[31ma\u202eb"],
            "wide": [2**53 + 1, 1],
            "small": [1, None],
            "decimal": [Decimal("0.10"), None],
            "list": [[1, {"a": 2}["a"]], None],
            "half": [float("nan"), 0.5],
            "time": [moment, None],
            "yes": [True, None],
        }
    )

    told = shown(table)

    texts = told[0].to_pylist()
    assert len(texts[0]) < 400
    assert texts[1] == "[31ma b"
    assert told["wide"].to_pylist() == ["9007199254740993", "1"]
    assert told["small"].type == pa.int64()
    assert told["decimal"].to_pylist() == ["0.10", None]
    assert told["list"].to_pylist() == ["[1,2]", None]
    assert told["half"].type == pa.float64()
    assert told["time"].to_pylist() == [moment, None]
    assert told["yes"].to_pylist() == [True, None]
    assert len(told.column_names[0]) < 100


def test_columns_whose_names_look_alike_stay_apart() -> None:
    """A table of the page needs a name for each."""
    assert len(set(shown(pa.table([[1], [2], [3]], names=["a\n", "a ", ""])).column_names)) == 3


def test_a_table_says_why_it_has_no_rows() -> None:
    """Empty, or not to be read."""
    empty, face = rows(_answer(pa.table({"a": pa.array([], pa.int64())})), WORDS)
    nothing, broken = rows(WRONG, WORDS)

    assert empty is not None
    assert face is not None
    assert (face.kind, nothing, broken and broken.kind) == ("no data yet", None, "broken")


def test_a_column_tells_what_moved_since_the_batch_before() -> None:
    """And nothing of what stayed the same."""
    profile = [{"column": "id", "figures": {"nulls": 0.25, "mean": 5.0}, "before": {"nulls": 0.0, "mean": 5.0}}]

    panel = columns(pa.table({"id": [1], "new": ["a"]}), _answer({"profile": profile}), WORDS)

    assert [(one.column, one.type) for one in panel.rows] == [("id", "whole number"), ("new", "text")]
    assert dict(panel.rows[0].figures) == {"Empty": "25 % (was 0 %)", "Mean": "5"}


def _version(name: str, hours: float, state: str = "accepted", **more: Any) -> dict[str, Any]:
    return {
        "version": name,
        "state": state,
        "current": False,
        "time": _at(hours),
        "rows": 5,
        "size": 1500,
        "score": 90.0,
        "reason": "",
        "actor": None,
        "decided_at": None,
        "why": "",
        "restores": None,
        **more,
    }


def test_a_version_says_what_may_be_decided_about_it() -> None:
    """Accept what is held, go back to what was accepted; nothing about what readers get or what was rejected."""
    held = _version("v4", 1, "held", reason="broke a rule")
    current = _version("v3", 2, current=True, actor="ana", decided_at=_at(1), why="looked")
    found = {"versions": [held, current, _version("v2", 3, "rejected"), _version("v1", 4)]}

    panel = versions(_answer(found), NOW, WORDS)

    assert [one.decide for one in panel.rows] == ["accept", "", "", "roll back"]
    assert [one.before for one in panel.rows] == ["v3", "v1", "v1", ""]
    assert "broke a rule" in panel.rows[0].words
    assert "decided by ana, 11:00: looked" in panel.rows[1].words
    assert panel.note == "4 kept"


def test_a_difference_that_was_not_counted_says_why() -> None:
    """Its numbers are dashes."""
    counts: dict[str, Any] = {
        "key": [],
        "added": None,
        "removed": None,
        "changed": None,
        "same": None,
        "samples": {},
        "note": "too many",
    }
    one = {"version": "v1", "time": _at(1)}
    found = {"before": one, "after": one, "changes": [], "columns": [], "figures": [], "rows": counts}

    told = differing(_answer(found), NOW, WORDS)

    assert {figure.value for figure in told.counts} == {"–"}
    assert told.note == "too many"
    assert differing(WRONG, NOW, WORDS).face is not None


def test_quality_over_time_has_a_line_for_each_part_that_is_measured() -> None:
    """A batch that readers did not get is marked; a part that nothing measures has no line."""
    points = [
        {"time": _at(2), "score": 90.0, "dimensions": {"validity": 90.0, "accuracy": None}, "accepted": True},
        {"time": _at(1), "score": 60.0, "dimensions": {"validity": 99.0, "accuracy": None}, "accepted": False},
    ]
    rule = {"rule": HARM, "severity": "critical", "failed": 1, "of": 2, "passed": False, "detail": ""}
    report = {
        "run": {"time": _at(1)},
        "quality": {"score": 60.0, "uncapped": 99.0, "cap": {"at": 60, "by": "a"}, "dimensions": {"validity": 99.0}},
        "rules": [rule, {**rule, "rule": "b", "failed": 0}],
        "samples": {
            "columns": ["a"],
            "columns_left_out": 3,
            "of": 9,
            "rows": [{"row": 1, "rules": ["b"], "cells": [None]}],
        },
        "advice": [{"rule": HARM, "text": "mend it", "paste": "- range:\n  a: 1"}],
    }

    told = quality(_answer({"points": points, "cut": False}), _answer(report), None, NOW, WORDS)

    assert [line.name for line in told.lines] == ["Score", "validity"]
    assert [mark.value for mark in told.marks] == [60.0]
    assert (told.rules.rows[0].advice, told.rules.rows[0].paste, told.kept) == ("mend it", "- range:\na: 1", 1)
    low = {**report, "quality": {"score": 40.0, "uncapped": 40.0, "cap": {"at": 60, "by": "a"}, "dimensions": {}}}
    assert quality(_answer({"points": points}), _answer(low), None, NOW, WORDS).cap == ""
    assert told.cap.startswith("It would be 99; a broken rule holds it at 60")
    assert (told.rows.rows, told.rows.note) == (
        ((("row", "1"), ("broke", "b"), ("a", "")),),
        "1 of 9 rows that were set aside · 3 columns are not shown",
    )


def test_quality_of_what_was_never_scored_says_so() -> None:
    """No data yet, broken, and of the past the rules of the last run."""
    nothing = quality(_answer({"points": []}), _answer({}), None, NOW, WORDS)
    past = quality(
        _answer({"points": []}),
        None,
        _answer(
            [
                {
                    "time": _at(1),
                    "quality": {"score": 1.0},
                    "failed_rules": [{"rule": "a", "severity": "error", "failed": 1, "of": 2}],
                }
            ]
        ),
        NOW,
        WORDS,
    )

    assert nothing.face is not None
    assert nothing.face.kind == "no data yet"
    assert [one.words for one in past.rules.rows] == ["1 of 2 break it"]
    assert quality(WRONG, WRONG, None, NOW, WORDS).face is not None


def test_a_run_says_in_a_line_what_came() -> None:
    """Where from, how much, how good, how often it was tried, and what was wrong."""
    one = {
        **_status(status="degraded", origin="last_good", quarantined=1, reason="orders: 503"),
        "run_id": "r1",
        "time": _at(1),
        "attempts": 3,
        "duration_s": 1.5,
        "quality": {"score": 90.0},
        "unchanged": False,
        "partial": True,
        "anomalies": 0,
        "error": None,
    }

    (line,) = runs(_answer([one]), NOW, WORDS).rows

    assert line.tone == "attention"
    parts = "last good · 1,200 rows · score 90 · 3 tries · 1 s · only a part came · 1 in quarantine · 503"
    assert line.words == parts
    assert runs(_answer([]), NOW, WORDS).face is not None


def test_a_figure_tells_what_stuck_out_of_it() -> None:
    """Only this figure's, within the period."""
    point = {"time": _at(1), "mean": 5.0, "low": 1.0, "high": 9.0, "last": 5.0, "count": 3}
    curve = {"series": "orders.rows", "since": _at(2), "points": [point]}
    found = {"metric": "rows", "time": (NOW - timedelta(hours=1)).timestamp(), "value": 9.0, "severity": "critical"}
    early = {**found, "time": (NOW - timedelta(days=3)).timestamp()}
    events = [{"data": {**one, "reason": HARM}} for one in (found, {**found, "metric": "nulls"}, early)]

    told = metric("rows", _answer([curve]), _answer(events), NOW, WORDS)

    assert told.line is not None
    assert (told.line.low, told.line.high) == ((1.0,), (9.0,))
    assert [(when, tone) for when, tone, _, _ in told.found] == [("11:00", "bad")]
    assert [mark.value for mark in told.marks] == [9.0]
    assert metric("rows", _answer([]), _answer([]), NOW, WORDS).face is not None


def test_a_band_is_drawn_where_something_was_expected() -> None:
    """None while a figure is still learned."""
    points = [{"time": _at(1), "low": 1.0, "high": 2.0}]

    (drawn,) = band(_answer([{"series": "a", "points": points}]), WORDS)

    assert (drawn.low, drawn.high) == ((1.0,), (2.0,))
    assert band(_answer([{"series": "a", "points": []}]), WORDS) == band(WRONG, WORDS) == ()


def test_the_figures_that_all_have_come_first() -> None:
    """Then those of columns by name; not those of others."""
    series = [
        {"metric": name, "series": f"{of}.{name}", "labels": {"dataset": of}}
        for of, name in (("orders", "mean(b)"), ("orders", "mean(a)"), ("orders", "rows"), ("other", "rows2"))
    ]

    assert metric_names(_answer(series), "orders") == ("rows", "mean(a)", "mean(b)")


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

    told = around("d", _answer({"nodes": nodes, "edges": edges}), NOW, WORDS)

    assert [(one.title, one.steps) for one in told.above] == [("b", 1), ("c", 1), ("a", 2)]
    assert "an older version of it was used" in told.above[0].words
    assert [(one.title, one.dataset, one.state) for one in told.below] == [
        ("e", "e", "never ran"),
        ("out.csv", "", "sink"),
    ]


def test_a_table_that_is_too_large_is_not_held_in_memory() -> None:
    """The command that writes it is told in its place; of nothing there is nothing."""
    model = _head(_answer({"datasets": [_status()]}), _why())

    def told(**more: Any) -> Any:
        return export(model, _answer({"versions": [_version("v1", 1, current=True, **more)]}), WORDS)

    assert (told().version, told().command) == ("v1", "")
    assert told(rows=MOST_ROWS + 1).version is None
    assert "show orders --format parquet" in told(size=10**9).command
    assert export(model, _answer({"versions": []}), WORDS).version is None


def test_what_a_decision_led_to_is_told_in_words() -> None:
    """With what waits for a sink."""
    document = {"decision": "accepted", "rows": 1200, "publications": [{"state": "waiting"}]}

    assert decided(document, WORDS) == "The batch was accepted: readers get 1,200 rows. A sink gets it later."
    assert decided({**document, "decision": "rejected", "publications": []}, WORDS).endswith("readers keep 1,200 rows.")


def test_a_plan_says_what_it_costs_or_that_there_is_nothing_to_do() -> None:
    """About how many requests and how long."""
    found = {"partitions": ["a", "b"], "requests": 2, "duration_s": 120.0, "notes": ["slowly"]}

    told = planned(_answer(found), WORDS)

    assert (told.pieces, told.words) == (2, "2 pieces, a to b, with about 2 requests. It takes about 2 min.\nSlowly.")
    assert planned(_answer({**found, "partitions": []}), WORDS).pieces == 0
    assert planned(WRONG, WORDS).face is not None


def test_captures_are_told_by_when_they_came() -> None:
    """And what to do where nothing is kept."""
    found = {"runs": [{"run_id": "r1", "collected_at": _at(1), "size": 1500}]}

    assert captures(_answer(found), NOW, WORDS).runs == (("r1", "11:00:00, 1.5 kB"),)
    nothing = captures(_answer({"runs": []}), NOW, WORDS).face
    assert nothing is not None
    assert "keep_raw" in nothing.hint
