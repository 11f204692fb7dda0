"""Write, audit, publish: does this batch become what readers see, or does it wait as held?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.dataset import Provenance, Quality
from data_pipeline.validate.report import Report, RuleOutcome

MOST_QUARANTINED = 0.2
"""Share of a batch's rows that may be quarantined before the batch itself is doubted."""


@dataclass(frozen=True, slots=True)
class Objection:
    """What holds a batch whatever `on_fail` says: its columns, its cursor. `critical`: the dataset has failed."""

    reason: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted or held. `reason` is empty for a plain acceptance; `critical`: a critical rule was broken."""

    accepted: bool
    degraded: bool = False
    critical: bool = False
    reason: str = ""


def judge(
    report: Report,
    quality: Quality,
    provenance: Provenance,
    dataset: DatasetSettings,
    *,
    has_last_good: bool,
    objection: Objection | None = None,
    adds: bool = False,
    short: str = "",
) -> Verdict:
    """Decide about a batch.

    A partial batch with rows is delivered only when there is nothing whole to serve, or when it is added to what is
    there; it is degraded then too. `on_fail: publish` accepts what the gate would hold, as degraded, but for an
    objection.

    Args:
        adds: The batch is added to a table and takes the place of nothing.
        short: Why less was collected than was due, though what came is whole; accepted, as degraded.
    """
    critical = report.broken_critical
    if not report.rows and not dataset.allow_empty:
        # An empty answer is no answer: not even `publish` puts nothing in the place of something.
        return Verdict(accepted=False, critical=bool(critical), reason="the batch has no rows (see `allow_empty`)")
    if objection is not None:
        return Verdict(accepted=False, critical=objection.critical or bool(critical), reason=objection.reason)
    doubt = _doubt(report, quality, dataset, critical)
    if doubt and dataset.on_fail == "hold":
        return Verdict(accepted=False, critical=bool(critical), reason=doubt)
    if provenance.partial:
        reason = "only a part arrived" + "".join(f": {note}" for note in provenance.notes[-1:])
        return Verdict(accepted=adds or not has_last_good, degraded=True, critical=False, reason=reason)
    reason = "; ".join(filter(None, (doubt, short)))
    return Verdict(accepted=True, degraded=bool(reason), critical=False, reason=reason)


def decided(verdict: Verdict, report: Report, body: Mapping[str, Any]) -> Verdict:
    """The verdict on content that readers see already: what somebody accepted it over holds it no more.

    Args:
        report: Of now; a critical rule that is broken only by now holds all the same.
        body: What the log says of the version that has this content.
    """
    if verdict.accepted or "accepted_by" not in body:
        return verdict
    known = {outcome.rule for outcome in Report.from_json(body["report"]).broken_critical}
    if not {outcome.rule for outcome in report.broken_critical} <= known:
        return verdict
    return Verdict(accepted=True, degraded=True, reason=accepted_over(body["accepted_by"], body["over"]))


def accepted_over(actor: str, over: str) -> str:
    """That somebody accepted what the gate had held, in words."""
    return f"accepted by {actor} over: {over}"


def _doubt(report: Report, quality: Quality, dataset: DatasetSettings, critical: Sequence[RuleOutcome]) -> str:
    if critical:
        return "broke critical " + ", ".join(f"{o.rule} ({o.failed:,} of {o.of:,})" for o in critical)
    if quality.score is not None and quality.score < dataset.quality.minimum:
        return f"scores {quality.score}, below the minimum of {dataset.quality.minimum:g}"
    if report.rows and report.quarantined > MOST_QUARANTINED * report.rows:
        return f"{report.quarantined:,} of {report.rows:,} rows are quarantined, more than {MOST_QUARANTINED:.0%}"
    return ""
