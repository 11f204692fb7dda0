"""What a validation found: one outcome a rule, in words and figures that survive JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from data_pipeline.dataset import FailedRule
from utils.ages import duration

__all__ = [
    "Example",
    "FailingSegment",
    "Report",
    "RuleOutcome",
    "Segments",
    "changed_verdict",
    "fresh_verdict",
    "utc_text",
]


Example = tuple[tuple[str, str], ...]
"""What is shown of a failing group: names and values."""


class FailingSegment(NamedTuple):
    """A segment in which more rows failed than the tolerance allows.

    Attributes:
        values: Of the columns of `by`; None is null. These are values of rows, so no event holds them: they stand in
            the file of the version (`names`), and are () where they are not known.
    """

    values: tuple[str | None, ...]
    failed: int
    of: int


class Segments(NamedTuple):
    """How many segments failed, of those that were judged; the worst of them, bounded."""

    failed: int
    of: int
    worst: tuple[FailingSegment, ...] = ()

    def to_json(self) -> dict[str, Any]:
        worst = [{"failed": segment.failed, "of": segment.of} for segment in self.worst]
        return {"failed": self.failed, "of": self.of, "worst": worst}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Segments":
        worst = [FailingSegment((), one["failed"], one["of"]) for one in found["worst"]]
        return cls(found["failed"], found["of"], tuple(worst))


class RuleOutcome(NamedTuple):
    """How one rule fared.

    Attributes:
        failed: Rows that broke it; a rule on the whole batch: 0 or 1.
        of: Rows that it judged, without nulls; a rule on the whole batch: 1; 0 means that there was nothing to judge.
        passed: Whether `failed` stays within the tolerance.
        detail: Why, in words, where the figures do not say it.
        observed: `fresh`: the newest time seen; `changed`: since when the content is the same; RFC 3339.
        limit_s: How old that may be, in seconds.
        segments: Of a rule with `by`; it passes when each segment does.
        examples: `aggregate`: the groups that are off the most. These are values of rows, as those of segments are.
    """

    rule: str
    kind: str
    columns: tuple[str, ...]
    severity: str
    dimension: str
    weight: float
    tolerance: float
    failed: int
    of: int
    passed: bool
    detail: str = ""
    observed: str | None = None
    limit_s: float | None = None
    segments: Segments | None = None
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # Written out: there are several in every batch, and `_asdict` takes three times as long.
        found = {
            "rule": self.rule,
            "kind": self.kind,
            "columns": list(self.columns),
            "severity": self.severity,
            "dimension": self.dimension,
            "weight": self.weight,
            "tolerance": self.tolerance,
            "failed": self.failed,
            "of": self.of,
            "passed": self.passed,
            "detail": self.detail,
            "observed": self.observed,
            "limit_s": self.limit_s,
        }
        if self.segments is not None:
            found["segments"] = self.segments.to_json()
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "RuleOutcome":
        """The outcome that `to_json` wrote, maybe in an earlier release."""
        told = {**found, "columns": tuple(found["columns"])}
        if "segments" in told:
            told["segments"] = Segments.from_json(told["segments"])
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of all rules on one batch.

    Attributes:
        rows: Rows of the batch, quarantined ones included.
        quarantined: Rows that broke at least one `error` or `critical` row rule, each counted once.
        now: The moment that time rules were judged against, aware UTC.
        notes: What a reader should know besides.
        samples: Some of the quarantined rows of each rule, by their numbers in the batch from 1 (see `samples.py`).
    """

    rows: int
    quarantined: int
    now: datetime
    outcomes: tuple[RuleOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    samples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def failed_rules(self) -> tuple[FailedRule, ...]:
        """Every rule that something broke, also within its tolerance."""
        return tuple(FailedRule(o.rule, o.severity, o.failed, o.of) for o in self.outcomes if o.failed)

    def names(self) -> dict[str, list[Any]]:
        """Rule -> the values of its failing segments, or failing groups, in their order; what `to_json` leaves out."""
        segments = {o.rule: [list(one.values) for one in o.segments.worst] for o in self.outcomes if o.segments}
        groups = {o.rule: [list(map(list, one)) for one in o.examples] for o in self.outcomes if o.examples}
        return {rule: found for rule, found in (segments | groups).items() if found}

    def named(self, names: Mapping[str, list[Any]]) -> "Report":
        """The same report with what `names` gave."""
        return replace(
            self, outcomes=tuple([_named(outcome, names.get(outcome.rule, ())) for outcome in self.outcomes])
        )

    @property
    def broken_critical(self) -> tuple[RuleOutcome, ...]:
        """The critical rules that failed beyond their tolerance: such a batch is not accepted."""
        return tuple(o for o in self.outcomes if not o.passed and o.severity == "critical")

    def rejudged(self, now: datetime) -> "Report":
        """The same rows at a later moment: what was fresh may be stale, though the provider sent nothing new."""
        return replace(self, now=now, outcomes=tuple(_rejudged(outcome, now) for outcome in self.outcomes))

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "rows": self.rows,
            "quarantined": self.quarantined,
            "now": utc_text(self.now),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
            "notes": list(self.notes),
        }
        if self.samples:
            found["samples"] = {rule: list(numbers) for rule, numbers in self.samples.items()}
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Report":
        """The report that `to_json` wrote."""
        return cls(
            rows=found["rows"],
            quarantined=found["quarantined"],
            now=datetime.fromisoformat(found["now"]),
            outcomes=tuple(RuleOutcome.from_json(outcome) for outcome in found["outcomes"]),
            notes=tuple(found["notes"]),
            samples={rule: tuple(numbers) for rule, numbers in found.get("samples", {}).items()},
        )


def _named(outcome: RuleOutcome, names: Sequence[Any]) -> RuleOutcome:
    if outcome.kind == "aggregate":
        return outcome._replace(examples=tuple(tuple((name, value) for name, value in group) for group in names))
    if outcome.segments is None or len(names) != len(outcome.segments.worst):
        return outcome
    worst = [one._replace(values=tuple(values)) for one, values in zip(outcome.segments.worst, names, strict=True)]
    return outcome._replace(segments=outcome.segments._replace(worst=tuple(worst)))


def utc_text(moment: datetime) -> str:
    """A moment in UTC, no longer than it needs to be; what the log sorts by is `utils.events.rfc3339`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def fresh_verdict(column: str, newest: datetime | None, limit_s: float, now: datetime) -> tuple[int, str]:
    """Whether a newest time is too old (1) or not (0), and why. No time at all is not fresh."""
    if newest is None:
        return 1, f"no value of `{column}` says how old the data is"
    age = now - newest
    if age <= timedelta(seconds=limit_s):
        return 0, ""
    old, allowed = duration(age.total_seconds(), decimals=1), duration(limit_s, decimals=1)
    return 1, f"the newest `{column}` is {utc_text(newest)}, {old} old; {allowed} allowed"


def changed_verdict(since: datetime, limit_s: float, now: datetime) -> tuple[int, str]:
    """Whether content has been the same for too long (1) or not (0), and why."""
    age = now - since
    if age <= timedelta(seconds=limit_s):
        return 0, ""
    same, allowed = duration(age.total_seconds(), decimals=1), duration(limit_s, decimals=1)
    return 1, f"the content is the same since {utc_text(since)}, for {same}; {allowed} allowed"


def _rejudged(outcome: RuleOutcome, now: datetime) -> RuleOutcome:
    if outcome.observed is None or outcome.limit_s is None:
        return outcome
    observed = datetime.fromisoformat(outcome.observed)
    if outcome.kind == "changed":
        failed, detail = changed_verdict(observed, outcome.limit_s, now)
    else:
        failed, detail = fresh_verdict(outcome.columns[0], observed, outcome.limit_s, now)
    if outcome.segments is not None:  # the oldest of them was observed; that others grew old too is not known
        failed, detail = max(failed, outcome.failed), outcome.detail or detail
    return outcome._replace(failed=failed, passed=failed <= outcome.tolerance * outcome.of, detail=detail)
