"""`alerts`: every name that is none, and every rule that cannot be, is told when the configuration is read."""

from pathlib import Path

import pytest

from config.alerts import AlertRuleSettings, AlertsSettings
from config.errors import ConfigError
from config.loading import load

HEAD = """
alerts:
  channels: {team: "slack://a/b/c", ops: "json://localhost"}
  hours: {office: {from: "09:00", to: "17:00"}}
"""


def faults(tmp_path: Path, rest: str, head: str = HEAD) -> str:
    path = tmp_path / "orchestrator.yaml"
    path.write_text(head + rest)
    with pytest.raises(ConfigError) as caught:
        _ = load(path, environ={}, cwd=tmp_path).settings
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{when: dataset.failed, to: [taem]}", "to[0]: `taem` is no channel; did you mean `team`?"),
        ("{when: dataset.failed, escalate: {after: 5m, to: [boss]}}", "escalate.to[0]: `boss` is no channel"),
        ("{when: dataset.failed, escalate: {after: 5m, to: []}}", "escalate.to: nobody is named"),
        ("{when: dataset.failed, hours: offce}", "hours: `offce` are no hours; did you mean `office`?"),
        ("{when: dataset.faild}", "when: `dataset.faild` is no type of events; did you mean `dataset.failed`?"),
        ("{when: dataset.failed, if: 'rows <'}", "if: unexpected end"),
        ("{when: dataset.failed, if: 'rwos < 3'}", "no field `rwos`; did you mean `rows`?"),
        ("{when: dataset.failed, clear: dataset.colected}", "did you mean `dataset.collected`?"),
        ("{when: dataset.failed, repeat: 5s}", "at least `1m`"),
        ("{when: dataset.failed, severity: fatal}", "severity"),
        ("{when: dataset.failed, consecutive: 0}", "consecutive"),
    ],
)
def test_a_rule_that_cannot_be_is_told_with_its_place(tmp_path: Path, rule: str, says: str):
    """File, line, key, what is wrong, and the nearest that is."""
    told = faults(tmp_path, f"  rules:\n    - {rule}\n")
    assert says in told
    assert "orchestrator.yaml:6: alerts.rules[0]" in told


def test_all_faults_are_told_at_once(tmp_path: Path):
    """Also two rules of one name."""
    rules = "  rules:\n    - {name: x, when: dataset.faild, to: [a]}\n    - {name: x, when: run.cancelled, hours: b}\n"
    told = faults(tmp_path, rules)
    for says in ("is no type", "`a` is no channel", "the name of two rules", "`b` are no hours"):
        assert says in told


def test_hours_of_a_calendar_that_is_none_are_told(tmp_path: Path):
    """With what is declared."""
    told = faults(tmp_path, "", HEAD.replace("{from:", "{calendar: bank, from:"))
    assert "alerts.hours.office.calendar: `bank` is no calendar" in told


def test_a_rule_has_the_defaults_of_the_contract():
    """At once, by provider, told once, ended by the counterpart, every channel."""
    rule = AlertRuleSettings.model_validate({"when": "dataset.failed"})
    assert (rule.for_, rule.group_by, rule.repeat, rule.clear, rule.to) == (0.0, "provider", "off", None, ())
    assert AlertsSettings().rules == ()
