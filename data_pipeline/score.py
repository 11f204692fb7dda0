"""From a report to 0..100 points that cannot lie, and to advice that can be pasted.

A rule's score is the share of rows that passed (a rule on the whole batch: 0 or 1). A dimension is the weighted mean of
its rules, the whole the mean of the dimensions that have evidence, each weighing what its rules weigh. No evidence is
`None`, never 100. A rule that fails beyond its tolerance caps the whole, so that no crowd of passing rules hides it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_pipeline.dataset import Cap, Quality
from data_pipeline.validate.rules import DIMENSIONS

if TYPE_CHECKING:
    from data_pipeline.validate.report import Report, RuleOutcome

__all__ = ["CAPS", "advice", "score"]

CAPS = {"error": 85, "critical": 60}
"""Severity of a broken rule -> the most points that are left."""


def score(report: "Report") -> Quality:
    """The quality of a batch. `accuracy` is always None: nothing was compared with a reference.

    Scores have one decimal; one that is not perfect is never shown as 100.
    """
    sums: dict[str, list[float]] = {}
    cap: Cap | None = None
    whole = weight = 0.0
    flawless = True
    for outcome in report.outcomes:
        if outcome.of:
            parts = sums.setdefault(outcome.dimension, [0.0, 0.0, 0.0])
            gained = outcome.weight * ((outcome.of - outcome.failed) / outcome.of)
            parts[0] += gained
            parts[1] += outcome.weight
            parts[2] += outcome.failed
            whole += gained
            weight += outcome.weight
        if outcome.failed:
            flawless = False
            if not outcome.passed and (at := CAPS.get(outcome.severity)) and (cap is None or at < cap.at):
                cap = Cap(at, outcome.rule)
    dimensions: dict[str, float | None] = dict.fromkeys(DIMENSIONS)
    for name, (gained, of, failed) in sums.items():
        dimensions[name] = _points(gained, of, flawless=not failed)
    uncapped = _points(whole, weight, flawless=flawless)
    capped = min(uncapped, float(cap.at)) if cap is not None and uncapped is not None else uncapped
    return Quality(score=capped, uncapped=uncapped, cap=cap, dimensions=dimensions)


def _points(gained: float, of: float, *, flawless: bool) -> float | None:
    """0..100 with one decimal; None when nothing was weighed."""
    if of <= 0:
        return None
    if flawless:
        return 100.0  # not left to the sums of floats
    return min(round(100.0 * gained / of, 1), 99.9)


def advice(report: "Report") -> list[str]:
    """One recommendation for each rule that something broke, worst first: what to look at, the line to paste."""
    broken = [outcome for outcome in report.outcomes if outcome.failed]
    order = ("critical", "error", "warning")
    broken.sort(key=lambda o: (o.passed, order.index(o.severity), -o.failed / o.of, o.rule))
    return [_advice(outcome) for outcome in broken]


_LOOK = {
    "not_null": "have no value in {columns}; look at what the provider sends there, and at `na_values`",
    "unique": "share their {columns} with another row; were they sent twice, or is a column of the key missing?",
    "range": "lie outside the bounds in {columns}; look for another unit or a wrong sign",
    "one_of": "hold a value of {columns} that is not in the list; if it is a new one, add it to `values`",
    "matches": "do not match the pattern in {columns}",
    "length": "have another length in {columns}; look for cut or padded text",
    "type": "do not parse as the type of {columns}; look at `na_values`, `decimal`, `thousands` and `format`",
    "not_in_future": "lie in the future in {columns}; look at `zone` and at the provider's clock",
    "compare": "contradict the expression; look at the order and the zone of {columns}",
}


def _advice(outcome: "RuleOutcome") -> str:
    if outcome.detail:
        return f"{outcome.rule}: {outcome.detail}"
    columns = _listed(outcome.columns)
    look = _LOOK[outcome.kind].format(columns=columns)
    share = outcome.failed / outcome.of
    text = f"{outcome.rule}: {outcome.failed} of {outcome.of} rows ({_percent(share)}) {look}" + "." * (
        not look.endswith("?")
    )
    if outcome.passed:
        return f"{text} This is within its tolerance."
    return f"{text} If that is normal here, add to the rule: `tolerance: {_tolerance(share)}`"


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _tolerance(share: float) -> float:
    """The share, rounded up to two digits, so that the same batch would pass."""
    size = 10.0 ** (math.floor(math.log10(share)) - 1)
    return min(1.0, float(f"{math.ceil(share / size) * size:.2g}"))
