"""A report survives JSON and can be judged again later."""

import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.dataset import FailedRule
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import parse_rules
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa


@given(tables.rows(), st.lists(tables.rules(), max_size=4))
@settings(max_examples=few(50), deadline=None)
def test_a_report_comes_back_equal_from_json(rows, rules):
    """Written and read, a report says the same."""
    rules = [*rules, *parse_rules([{"fresh": {"column": "time", "within": 60}}, {"not_null": "none"}])]
    report = validate(tables.batch(tables.table(rows)), rules, now=NOW).report

    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_the_same_rows_grow_stale():
    """Judged again after a 304, what was fresh is not; row rules keep their verdict."""
    times = pa.array([NOW - timedelta(hours=1)], pa.timestamp("s", "UTC"))
    rules = parse_rules([{"fresh": {"column": "t", "within": "3h"}, "severity": "critical"}, {"not_null": "t"}])
    report = validate(batch_of({"t": times}), rules, now=NOW).report

    later = report.rejudged(NOW + timedelta(hours=4))

    assert report.broken_critical == ()
    assert [outcome.rule for outcome in later.broken_critical] == ["fresh(t)"]
    assert later.now == NOW + timedelta(hours=4)
    assert later.outcomes[0].detail == "the newest `t` is 2025-12-31T23:00:00Z, 5 h old; 3 h allowed"
    assert later.rejudged(NOW) == report


def test_failed_rules_tell_also_what_stayed_within_tolerance():
    """Every broken rule is listed with its counts; a passing one is not."""
    rules = parse_rules([{"not_null": "a", "tolerance": 0.9}, {"unique": "a"}])

    report = validate(batch_of({"a": [1, None, 2]}), rules, now=NOW).report

    assert report.failed_rules() == (FailedRule("not_null(a)", "error", 1, 3),)
    assert report.outcomes[0].passed
