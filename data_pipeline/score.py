"""From a report to 0..100 points that cannot lie.

A rule's score is the share of the rows it judged that passed (a rule on the whole batch: 0 or 1). A dimension is the
weighted mean of its rules, the whole the mean of the dimensions that have evidence, each weighing what its rules weigh.
No evidence is `None`, never 100. A rule that fails beyond its tolerance caps the whole, so that no crowd of passing
rules hides it. Rows without a value leave the denominators of rules on values; `not_null` is what counts them.

Sums are correctly rounded (`math.fsum`): they depend on what was counted, not on the order in which.
"""

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from data_pipeline.dataset import Cap, Coverage, Evidence, Quality
from data_pipeline.validate.rules import DIMENSIONS

if TYPE_CHECKING:
    from data_pipeline.validate.report import Report

__all__ = ["CAPS", "coverage", "score"]

CAPS = {"error": 85, "critical": 60}
"""Severity of a broken rule -> the most points that are left."""


def score(report: "Report", covered: Coverage | None = None) -> Quality:
    """The quality of a batch. `accuracy` is always None: nothing was compared with a reference.

    Scores have one decimal; one that is not perfect is never shown as 100.

    Args:
        covered: Of how many columns the rules speak (see `coverage`); it changes no points.
    """
    gained: dict[str, list[float]] = {}
    weights: dict[str, list[float]] = {}
    flawed: set[str] = set()
    cap: Cap | None = None
    for outcome in report.outcomes:
        dimension = outcome.dimension
        if outcome.of:
            share = (outcome.of - outcome.failed) / outcome.of
            gained.setdefault(dimension, []).append(outcome.weight * share)
            weights.setdefault(dimension, []).append(outcome.weight)
        if outcome.failed:
            flawed.add(dimension)
            if not outcome.passed and (at := CAPS.get(outcome.severity)) and (cap is None or at < cap.at):
                cap = Cap(at, outcome.rule)
    parts = {name: Evidence(math.fsum(mine), math.fsum(weights[name]), len(mine)) for name, mine in gained.items()}
    dimensions: dict[str, float | None] = dict.fromkeys(DIMENSIONS)
    for name, part in parts.items():
        dimensions[name] = _points(part, flawless=name not in flawed)
    whole = Evidence(
        math.fsum([one for mine in gained.values() for one in mine]),
        math.fsum([one for mine in weights.values() for one in mine]),
        sum([part.rules for part in parts.values()]),
    )
    uncapped = _points(whole, flawless=not flawed)
    capped = min(uncapped, float(cap.at)) if cap is not None and uncapped is not None else uncapped
    return Quality(capped, uncapped, cap, dimensions, whole, parts, len(report.outcomes), covered)


def coverage(report: "Report", columns: Collection[str]) -> Coverage:
    """Of how many of a batch's columns at least one of the rules speaks."""
    named = {name for outcome in report.outcomes for name in outcome.columns}
    return Coverage(len(named.intersection(columns)), len(columns))


def _points(evidence: Evidence, *, flawless: bool) -> float | None:
    """0..100 with one decimal; None when nothing was weighed."""
    if evidence.denominator <= 0:
        return None
    if flawless:
        return 100.0  # not left to the sums of floats
    return min(round(100.0 * evidence.numerator / evidence.denominator, 1), 99.9)
