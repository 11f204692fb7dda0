"""Reading `rules:` from the configuration: defaults, short forms, and errors that say what to do."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from data_pipeline.validate.rules import Rule, implied_type_rules, parse_rule, parse_rules

FAR_WEST = timezone(timedelta(hours=-5))


def test_a_list_of_columns_means_one_rule_a_column_but_for_unique():
    """`not_null: [a, b]` are two rules, `unique: [a, b]` is one compound key."""
    assert [rule.id for rule in parse_rule({"not_null": ["a", "b"]})] == ["not_null(a)", "not_null(b)"]
    assert [(rule.id, rule.columns) for rule in parse_rule({"unique": ["a", "b"]})] == [("unique(a, b)", ("a", "b"))]


@pytest.mark.parametrize(
    ("raw", "name", "dimension"),
    [
        ({"not_null": "a"}, "not_null(a)", "completeness"),
        ({"unique": "a"}, "unique(a)", "uniqueness"),
        ({"range": {"column": "a", "min": 0}}, "range(a)", "validity"),
        ({"one_of": {"column": "a", "values": ["x"]}}, "one_of(a)", "validity"),
        ({"matches": {"column": "a", "pattern": "x+"}}, "matches(a)", "validity"),
        ({"length": {"column": "a", "max": 2}}, "length(a)", "validity"),
        ({"type": {"column": "a", "is": "float"}}, "type(a)", "validity"),
        ({"not_in_future": "a"}, "not_in_future(a)", "timeliness"),
        ({"fresh": {"column": "a", "within": "3h"}}, "fresh(a)", "timeliness"),
        ({"row_count": {"min": 1}}, "row_count", "volume"),
        ({"compare": "a  <= b"}, "compare(a <= b)", "consistency"),
    ],
)
def test_every_kind_has_its_default_name_and_dimension(raw, name, dimension):
    """The id is `kind(columns)`; what a rule is evidence for follows from its kind."""
    (rule,) = parse_rule(raw)

    assert (rule.id, rule.dimension, rule.severity, rule.tolerance, rule.weight) == (name, dimension, "error", 0.0, 3.0)


def test_common_settings_stand_beside_or_inside_the_kind():
    """Both places mean the same; giving one twice is refused."""
    beside = parse_rule({"not_null": "a", "severity": "critical", "tolerance": 0.1, "id": "x", "weight": 2})
    inside = parse_rule(
        {"not_null": {"columns": ["a"], "severity": "critical", "tolerance": 0.1, "id": "x", "weight": 2}}
    )

    assert beside == inside
    with pytest.raises(ValueError, match="`severity` is given twice"):
        parse_rule({"not_null": {"column": "a", "severity": "error"}, "severity": "error"})


def test_weights_follow_the_severity():
    """5 for critical, 3 for error, 1 for a warning; only the first two quarantine rows."""
    rules = [parse_rule({"not_null": "a", "severity": name})[0] for name in ("critical", "error", "warning")]

    assert [(rule.weight, rule.quarantines) for rule in rules] == [(5.0, True), (3.0, True), (1.0, False)]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("not_null", "a rule is a mapping"),
        ({}, "no kind"),
        ({"not_nul": "a"}, "unknown rule `not_nul`; did you mean `not_null`?"),
        ({"not_null": "a", "tolerence": 0.1}, "unknown key `tolerence` in the rule; did you mean `tolerance`?"),
        ({"range": {"colum": "a", "min": 1}}, "unknown key `colum` in rule `range`; did you mean `column`?"),
        ({"not_null": "a", "unique": "a"}, "`not_null` and `unique`"),
        ({"not_null": "a", "severity": ["error"]}, "unknown severity `['error']`"),
        ({"not_null": "a", "weight": 10**400}, "`weight` must be a number, not one that no float holds"),
        ({"range": {"column": "a", "max": 10**400}}, "`max` must be a number, not one that no float holds"),
        ({"range": {"column": "a", "min": datetime.max.replace(tzinfo=FAR_WEST)}}, "out of the years 1 to 9999"),
        ({"range": {"column": "a", "min": "0001-01-01T00:00:00+05:00"}}, "must be a number, a date or a time"),
        ({"compare": "a > 0001-01-01T00:00:00+05:00"}, "is no date, at position 5"),
        ({"fresh": {"column": "a", "within": 1e300}}, "`within` must be a duration"),
        ({"changed": 10**400}, "`within` must be a duration"),
        ({"changed": "9" * 400 + "d"}, "`within` must be a duration"),
        ({"not_null": "a", "where": "b >"}, "rule `not_null`: `where`: unexpected end"),
        ({"not_null": "a", "where": "b > 1 1"}, "at position 7 of `b > 1 1`"),
        ({"not_null": "a", "where": ""}, "`where` must be an expression"),
        ({"changed": "1d", "where": "a > 1"}, "rule `changed`: takes no `where`"),
        ({"changed": "1d", "by": "a"}, "rule `changed`: takes no `by`"),
        ({"aggregate": {"expr": "sum(a)", "min": 1}, "by": "a"}, "takes no `by`: write it inside of `aggregate:`"),
        ({"not_null": {"column": "a", "by": []}}, "`by` needs a column or a list of columns, not []"),
        ({"not_null": "a", "by": ["b", "b"]}, "`by` names a column twice: b, b"),
        ({"not_null": "a", "wher": "b"}, "did you mean `where`?"),
        ({"not_null": "a", "scope": "table"}, "unknown scope `table`"),
        ({"format": {"column": "a", "is": "e-mail"}}, "did you mean `email`?"),
        ({"format": "a"}, "`is` must be one of email, url, uuid"),
        ({"monotonic": {"column": "a", "strict": 1}}, "`strict` must be true or false"),
        ({"references": {"column": "a"}}, "rule `references`: needs `dataset`"),
        ({"references": {"column": "a", "dataset": "b"}}, "rule `references`: needs `key`, its column there"),
        ({"references": {"column": "a", "dataset": "b", "key": 1}}, "not 1"),
        ({"change": {"column": "a", "max_percent": 5}}, "rule `change`: needs `by`"),
        ({"change": {"column": "a", "by": "id"}}, "rule `change`: needs `max_percent`"),
        ({"change": {"column": "a", "by": "id", "max_percent": -1}}, "`max_percent` must be 0 or more, not -1"),
        ({"python": "m:f"}, "rule `python`: there is no module `m`. Is its folder listed under `code`?"),
        ({"python": "json:loadz"}, "module `json` has no `loadz`; did you mean `load"),
        ({"python": "json"}, "expected `module:name`"),
        ({"python": {"columns": ["a"]}}, "needs a function of yours, `module:name`"),
        ({"not_null": []}, "needs a column or a list of columns"),
        ({"not_null": ["a", "a"]}, "names a column twice"),
        ({"not_null": "a", "severity": "fatal"}, "unknown severity `fatal`"),
        ({"not_null": "a", "tolerance": 5}, "5 % is 0.05"),
        ({"not_null": "a", "tolerance": True}, "`tolerance` must be a number, not True"),
        ({"not_null": "a", "weight": -1}, "`weight` must be 0 or more"),
        ({"not_null": "a", "dimension": "accuracy"}, "accuracy is not measured without a reference"),
        ({"not_null": "a", "dimension": "validty"}, "did you mean `validity`?"),
        ({"not_null": "a", "id": 7}, "`id` must be text"),
        ({"range": {"column": "a"}}, "needs `min`, `max` or both"),
        ({"range": {"column": "a", "min": "low"}}, "`min` must be a number, a date or a time, not 'low'"),
        ({"range": {"column": "a", "min": float("nan")}}, "`min` must be a number"),
        ({"range": {"column": "a", "min": 2, "max": 1}}, "`min` (2) is above `max` (1)"),
        ({"range": {"column": "a", "min": 2, "max": "2026-01-01"}}, "both be numbers or both be times"),
        ({"range": {"column": "a", "min": 2, "exclusive": "yes"}}, "`exclusive` must be true or false"),
        ({"one_of": {"column": "a", "values": "x"}}, "needs `values`, a list"),
        ({"one_of": {"column": "a", "values": [None]}}, "not None"),
        ({"matches": {"column": "a"}}, "needs `pattern`"),
        ({"length": {"column": "a", "min": 1.5}}, "`min` must be a whole number"),
        ({"type": {"column": "a", "is": "int"}}, "`is` must be one of string, integer"),
        ({"fresh": "a"}, "needs `within`"),
        ({"fresh": {"column": "a", "within": "3 weeks"}}, "such as 200ms, 30s, 15m, 2h or 7d"),
        ({"row_count": {"min": 5, "max": 1}}, "is above `max`"),
        ({"compare": "a <"}, "position 4"),
        ({"compare": {"columns": ["a"]}}, "unknown key `columns`"),
    ],
)
def test_what_is_wrong_is_refused_when_the_configuration_is_read(raw, says):
    """The message names the rule, the key and what it should be."""
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_rule(raw)


def test_bounds_may_be_dates_in_any_spelling():
    """YAML dates, times and ISO text all become aware UTC moments."""
    for low in ("2026-01-01", date(2026, 1, 1), datetime(2026, 1, 1), "2026-01-01T01:00:00+01:00"):
        (rule,) = parse_rule({"range": {"column": "t", "min": low}})

        assert rule.params["min"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_rules_of_a_dataset_are_numbered_and_have_different_names():
    """A fault says which entry it is in; two rules of one name are refused, an `id` helps."""
    with pytest.raises(ValueError, match="rules, entry 2: unknown rule"):
        parse_rules([{"not_null": "a"}, {"nope": "a"}])
    with pytest.raises(ValueError, match=r"entry 2: there is a rule `not_null\(a\)` already; give this one an `id`"):
        parse_rules([{"not_null": "a"}, {"not_null": "a", "severity": "warning"}])

    assert [rule.id for rule in parse_rules([{"not_null": "a"}, {"not_null": ["a", "b"], "id": "x"}])] == [
        "not_null(a)",
        "x(a)",
        "x(b)",
    ]


def test_equal_means_equal_as_declared():
    """`1`, `1.0` and `true` are different lists of values, though Python calls them equal."""
    rules = [parse_rule({"one_of": {"column": "a", "values": [value]}})[0] for value in (1, 1.0, True, 1)]

    assert len(set(rules)) == 3
    assert rules[0] == rules[3]
    assert rules[0] != "one_of(a)"


def test_declared_columns_imply_type_rules():
    """Names, mappings and objects with a type give a rule; a column without a type gives none."""

    @dataclass
    class Declared:
        type: str | None = None

    rules = implied_type_rules(
        {"a": "integer", "b": {"type": "date"}, "c": Declared("float"), "d": Declared(), "e": {"from": "E"}}
    )

    assert [(rule.id, rule.params["is"]) for rule in rules] == [
        ("type(a)", "integer"),
        ("type(b)", "date"),
        ("type(c)", "float"),
    ]
    assert all(isinstance(rule, Rule) for rule in rules)


def test_by_of_a_change_is_its_key_and_beside_it_the_segments():
    """Both may stand there; what a rule needs of a batch is all of it, each column once."""
    (rule,) = parse_rule(
        {"change": {"column": "p", "by": ["id", "day"], "max_percent": 5}, "by": "shop", "where": "p > 0 and day > 1"}
    )

    assert (rule.params["by"], rule.by, rule.reads) == (("id", "day"), ("shop",), ("p", "id", "day", "shop"))
