"""A rule on the whole batch, wide enough for the batch that broke it."""

from datetime import datetime
from typing import Any

from data_pipeline.discover.times import written
from data_pipeline.validate.arguments import seconds
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import Rule

__all__ = ["loosened"]


def loosened(rule: Rule, outcome: RuleOutcome, report: Report) -> dict[str, Any] | None:
    """The rule's parameters, with the one changed that this batch breaks; None: no figure would do it."""
    if rule.kind in {"fresh", "changed"} and outcome.observed is not None:
        age = (report.now - datetime.fromisoformat(outcome.observed)).total_seconds()
        return {**rule.params, "within": seconds(written(age), "within")} if age > rule.params["within"] else None
    if rule.kind == "row_count" and not rule.by and not rule.where:
        least, most = rule.params["min"], rule.params["max"]
        if least is not None and report.rows < least and report.rows:
            return {**rule.params, "min": report.rows}
        if most is not None and report.rows > most:
            return {**rule.params, "max": report.rows}
    return None
