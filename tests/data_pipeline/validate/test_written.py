"""A rule as it is written: the way back from the parser."""

import pytest
import yaml

from data_pipeline.validate.rules import KINDS, parse_rule
from data_pipeline.validate.written import entry_of, line_of

ENTRIES = {
    "a column": {"not_null": "id"},
    "severity and weight": {"not_null": {"column": "id"}, "severity": "critical", "weight": 2},
    "two columns": {"unique": ["a", "b"], "tolerance": 0.05},
    "its own name": {"unique": "a", "id": "no twice", "scope": "dataset"},
    "a bound of zero": {"range": {"column": "x", "min": 0}},
    "moments": {"range": {"column": "t", "min": "2026-01-31", "max": "2026-01-31T12:00:00Z", "exclusive": True}},
    "values": {"one_of": {"column": "s", "values": ["no", "1", 1, 2.5, True]}},
    "a pattern": {"matches": {"column": "s", "pattern": "[A-Z]{2}: '#\\d'"}},
    "a form": {"format": {"column": "s", "is": "iban"}},
    "a length": {"length": {"column": "s", "max": 3}, "dimension": "consistency"},
    "a type": {"type": {"column": "s", "is": "string"}},
    "time": {"not_in_future": "t", "severity": "warning"},
    "freshness": {"fresh": {"column": "t", "within": "3h"}},
    "change of content": {"changed": {"within": "1d"}},
    "rows": {"row_count": {"min": 1, "max": 5}},
    "at least one row": {"row_count": 1},
    "an expression": {"compare": "a <= b or `c d` == 'x'", "where": "a > 0", "by": ["shop"]},
    "order of rows": {"monotonic": {"column": "t", "strict": True}},
    "another dataset": {"references": {"column": "c", "dataset": "customers", "key": "id"}},
    "a step": {"change": {"column": "x", "by": "id", "max_percent": 20}},
    "a step by segments": {"change": {"column": "x", "by": "id", "max_percent": 20}, "by": ["shop"]},
    "a function": {"python": "operator:truth"},
    "segments": {"not_null": "id", "by": ["country", "shop"], "tolerance": 0.1},
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_is_written_declares_the_same_rule(entry):
    """Through the mapping, and through one line of YAML."""
    (rule,) = parse_rule(entry)

    made = entry_of(rule)

    assert made is not None
    assert parse_rule(made) == [rule]
    assert parse_rule(yaml.safe_load(line_of(made))) == [rule]


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_one_thing_is_changed_and_nothing_else(entry):
    """A tolerance is added; all else stands as it was declared."""
    (rule,) = parse_rule(entry)

    made = entry_of(rule, tolerance=0.25)

    (changed,) = parse_rule(yaml.safe_load(line_of(made)))
    assert changed.tolerance == 0.25
    assert (changed.id, changed.kind, changed.columns, changed.params) == (
        rule.id,
        rule.kind,
        rule.columns,
        rule.params,
    )
    assert (changed.severity, changed.weight, changed.where, changed.by) == (
        *(rule.severity, rule.weight, rule.where, rule.by),
    )


def test_no_kind_is_forgotten():
    """Each kind of rule that rows can break is among the entries above."""
    assert {next(iter(entry)) for entry in ENTRIES.values()} >= KINDS.keys() - {"aggregate", "drift"}
