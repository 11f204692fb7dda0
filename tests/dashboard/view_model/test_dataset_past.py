"""How a dataset did over time: its quality, its runs, its figures."""

from datetime import timedelta

from dashboard.view_model.dataset_past import band, metric, metric_names, runs
from dashboard.view_model.dataset_quality import quality
from tests.dashboard.configuration import HARM
from tests.dashboard.view_model.dataset_answers import NOW, WORDS, WRONG, a_status, answered, hours_ago


def test_quality_over_time_has_a_line_for_each_part_that_is_measured() -> None:
    """A batch that readers did not get is marked; a part that nothing measures has no line."""
    points = [
        {"time": hours_ago(2), "score": 90.0, "dimensions": {"validity": 90.0, "accuracy": None}, "accepted": True},
        {"time": hours_ago(1), "score": 60.0, "dimensions": {"validity": 99.0, "accuracy": None}, "accepted": False},
    ]
    rule = {"rule": HARM, "severity": "critical", "failed": 1, "of": 2, "passed": False, "detail": ""}
    report = {
        "run": {"time": hours_ago(1)},
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

    told = quality(answered({"points": points, "cut": False}), answered(report), None, NOW, WORDS)

    assert [line.name for line in told.lines] == ["Score", "validity"]
    assert [mark.value for mark in told.marks] == [60.0]
    assert (told.rules.rows[0].advice, told.rules.rows[0].paste, told.kept) == ("mend it", "- range:\na: 1", 1)
    low = {**report, "quality": {"score": 40.0, "uncapped": 40.0, "cap": {"at": 60, "by": "a"}, "dimensions": {}}}
    assert quality(answered({"points": points}), answered(low), None, NOW, WORDS).cap == ""
    assert told.cap.startswith("It would be 99; a broken rule holds it at 60")
    assert (told.rows.rows, told.rows.note) == (
        ((("row", "1"), ("broke", "b"), ("a", "")),),
        "1 of 9 rows that were set aside · 3 columns are not shown",
    )


def test_quality_of_what_was_never_scored_says_so() -> None:
    """No data yet, broken, and of the past the rules of the last run."""
    nothing = quality(answered({"points": []}), answered({}), None, NOW, WORDS)
    past = quality(
        answered({"points": []}),
        None,
        answered(
            [
                {
                    "time": hours_ago(1),
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
        **a_status(status="degraded", origin="last_good", quarantined=1, reason="orders: 503"),
        "run_id": "r1",
        "time": hours_ago(1),
        "attempts": 3,
        "duration_s": 1.5,
        "quality": {"score": 90.0},
        "unchanged": False,
        "partial": True,
        "anomalies": 0,
        "error": None,
    }

    (line,) = runs(answered([one]), NOW, WORDS).rows

    assert line.tone == "attention"
    parts = "last good · 1,200 rows · score 90 · 3 tries · 1 s · only a part came · 1 in quarantine · 503"
    assert line.words == parts
    assert runs(answered([]), NOW, WORDS).face is not None


def test_a_figure_tells_what_stuck_out_of_it() -> None:
    """Only this figure's, within the period."""
    point = {"time": hours_ago(1), "mean": 5.0, "low": 1.0, "high": 9.0, "last": 5.0, "count": 3}
    curve = {"series": "orders.rows", "since": hours_ago(2), "points": [point]}
    found = {"metric": "rows", "time": (NOW - timedelta(hours=1)).timestamp(), "value": 9.0, "severity": "critical"}
    early = {**found, "time": (NOW - timedelta(days=3)).timestamp()}
    events = [{"data": {**one, "reason": HARM}} for one in (found, {**found, "metric": "nulls"}, early)]

    told = metric("rows", answered([curve]), answered(events), NOW, WORDS)

    assert told.line is not None
    assert (told.line.low, told.line.high) == ((1.0,), (9.0,))
    assert [(when, tone) for when, tone, _, _ in told.found] == [("11:00", "bad")]
    assert [mark.value for mark in told.marks] == [9.0]
    assert metric("rows", answered([]), answered([]), NOW, WORDS).face is not None


def test_a_band_is_drawn_where_something_was_expected() -> None:
    """None while a figure is still learned."""
    points = [{"time": hours_ago(1), "low": 1.0, "high": 2.0}]

    (drawn,) = band(answered([{"series": "a", "points": points}]), WORDS)

    assert (drawn.low, drawn.high) == ((1.0,), (2.0,))
    assert band(answered([{"series": "a", "points": []}]), WORDS) == band(WRONG, WORDS) == ()


def test_the_figures_that_all_have_come_first() -> None:
    """Then those of columns by name; not those of others."""
    series = [
        {"metric": name, "series": f"{of}.{name}", "labels": {"dataset": of}}
        for of, name in (("orders", "mean(b)"), ("orders", "mean(a)"), ("orders", "rows"), ("other", "rows2"))
    ]

    assert metric_names(answered(series), "orders") == ("rows", "mean(a)", "mean(b)")
