"""Rules of a configuration over the shipped ones, and what is said of those that cannot be."""

import re
from pathlib import Path
from typing import Any

import pytest

from config.alerts import AlertRuleSettings, AlertsSettings
from data_pipeline.dataset import DatasetRun
from data_pipeline.plugged import RESERVED
from monitoring.alerting.known_types import TYPES, known, unknown
from monitoring.alerting.quiet import EVERYDAY
from monitoring.alerting.rules import Clear, Rule, faults, names, rules_of
from monitoring.alerting.shipped import SHIPPED
from utils.event_patterns import matches

DOCS = Path(__file__).parents[3] / "docs"


def asked(**rule: Any) -> AlertRuleSettings:
    return AlertRuleSettings.model_validate(rule)


def table(page: str, first: str) -> list[list[str]]:
    """The cells of the rows of a page's table, found by the head of its first column."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def test_the_table_in_the_documentation_says_what_is_shipped():
    """Name, event, condition, severity and end of each rule."""
    told = {row[0].strip("`"): row[1:] for row in table("alerts.md", "rule")}
    assert set(told) == {rule.name for rule in SHIPPED}
    for rule in SHIPPED:
        event, when, severity, over = told[rule.name]
        assert event == f"`{rule.when}`"
        condition = rule.condition.text if rule.condition else ""
        assert when == f"`{condition}`" if condition else when.startswith("always")
        assert severity == ("joins only" if rule.joins else "daily digest" if rule.digest else f"`{rule.severity}`")
        for clear in rule.clears:
            text = clear.type if clear.condition is None else f"{clear.type} if {clear.condition.text}"
            assert f"`{text}`" in over


def test_every_type_that_the_documentation_names_may_be_called_by_a_rule():
    """All but those of incidents themselves; and no type is known that nobody appends."""
    told = {row[0].strip("`") for row in table("events.md", "type")}
    told -= {one for one in told if one.startswith(("incident.", "silence."))}
    assert {one: why for one in told if (why := unknown(one)) is not None} == {}
    assert {one for one in TYPES - told if not one.startswith(("healing.", "protector."))} == set()


def test_what_happens_every_day_calls_no_shipped_rule():
    """After a run in which nothing else happened nobody looks."""
    assert [rule.name for rule in SHIPPED if any(matches(rule.when, kind) for kind in EVERYDAY)] == []


def test_the_known_fields_of_a_dataset_run_are_those_that_it_has():
    """A condition on one of them is not refused."""
    fields = DatasetRun(dataset="a", provider="b", status="failed", origin="none").to_json()
    assert set(fields) <= set(known("dataset.failed").fields)


def test_what_begins_like_ours_is_not_a_plug_ins():
    """First words that plug-ins may not use are not taken for theirs, if any type of ours begins so."""
    ours = RESERVED & {kind.partition(".")[0] for kind in TYPES}
    assert ours >= {"dataset", "run", "host", "batch", "promise"}
    assert [first for first in ours if unknown(f"{first}.nonsense_of_ours") is None] == []


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("dataset.faild", "did you mean `dataset.failed`?"),
        ("datset.failed", "did you mean `dataset.failed`?"),
        ("failed", "types are dotted"),
        ("incident.opened", "call itself"),
        ("dataset..x", "pattern"),
        ("run.*.nothing", "no type of events fits"),
    ],
)
def test_an_event_that_nobody_appends_is_refused_with_the_nearest(kind: str, says: str):
    """A rule on it would be silent for ever."""
    assert says in (unknown(kind) or "")


@pytest.mark.parametrize("kind", ["dataset.failed", "dataset.*", "**", "orders.late", "shop.order.late", "*.failed"])
def test_types_of_ours_patterns_and_types_of_plug_ins_are_taken(kind: str):
    """Those of plug-ins begin with a word of their own."""
    assert unknown(kind) is None


@pytest.mark.parametrize(
    ("rule", "key", "says"),
    [
        ({"when": "dataset.faild"}, "when", "did you mean"),
        ({"when": "dataset.failed", "if": "rows <"}, "if", "at position"),
        ({"when": "dataset.failed", "if": "atempts > 3"}, "if", "no field `atempts`; did you mean `attempts`?"),
        ({"when": "dataset.failed", "clear": "dataset.colected"}, "clear", "did you mean `dataset.collected`?"),
        ({"when": "dataset.failed", "clear": "dataset.collected if rwos > 3"}, "clear", "did you mean `rows`?"),
        ({"when": "run.cancelled", "for": "5m"}, "for", "nothing ends `run.cancelled`"),
        ({"when": "run.crashed", "name": "dataset_held"}, "name", "the shipped rule for `batch.held`"),
    ],
    ids=["event", "expression", "field", "clear", "field of clear", "for without an end", "name of a shipped rule"],
)
def test_a_fault_of_a_rule_has_its_key_and_says_what_is_meant(rule: dict[str, Any], key: str, says: str):
    """With a hint."""
    ((position, where, fault),) = faults([asked(when="dataset.failed"), asked(**rule)])
    assert (position, where) == (1, key)
    assert says in str(fault)
    assert fault.hint


def test_fields_of_a_field_and_of_types_that_are_not_known_are_not_refused():
    """`error.type` is in `error`; what a plug-in says is its own matter."""
    rules = [asked(when="dataset.failed", **{"if": "error.type = 'X'"}), asked(when="orders.late", **{"if": "h > 3"})]
    assert list(faults(rules)) == []


def of(*rules: AlertRuleSettings) -> tuple[Rule, ...]:
    return rules_of(AlertsSettings(rules=rules), SHIPPED)


def test_a_rule_of_yours_takes_the_place_of_the_shipped_ones_for_its_event():
    """Also by a pattern; with `enabled: false` there is none."""
    mine = of(asked(when="promise.*", severity="error"), asked(when="dataset.failed", enabled=False))
    whens = [rule.when for rule in mine]
    assert whens.count("promise.*") == 1
    assert not {"promise.broken", "promise.at_risk", "dataset.failed"} & set(whens)
    assert "batch.held" in whens


def test_a_rule_without_clear_ends_with_the_counterpart():
    """And with what it says when it says so."""
    own, given = of(asked(when="batch.held"), asked(when="batch.held", clear="batch.accepted if rows > 3"))[-2:]
    assert own.clears == (Clear("batch.accepted"), Clear("batch.rejected"))
    (clear,) = given.clears
    assert (clear.type, clear.condition.text if clear.condition else "") == ("batch.accepted", "rows > 3")


def test_rules_without_a_name_are_called_as_their_event():
    """Two of them are told apart."""
    rules = [asked(when="batch.held"), asked(when="batch.held"), asked(when="batch.held", name="mine")]
    assert names(rules) == ["batch.held", "batch.held #2", "mine"]
