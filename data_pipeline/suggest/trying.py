"""Hold candidates against rows: the engine judges them as it will judge them once they are declared."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.suggest.candidate import Candidate
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import RuleOutcome
from data_pipeline.validate.rules import Rule, parse_rule
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["batch_of", "outcomes", "rule_of"]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def rule_of(candidate: Candidate) -> Rule:
    """The rule that a candidate declares.

    Raises:
        ValueError: the configuration would not accept it, or takes it for several.
    """
    (rule,) = parse_rule(candidate.rule)
    return rule


def outcomes(
    candidates: Iterable[Candidate],
    rows: "pa.Table | Batch",
    *,
    now: datetime = _LONG_AGO,
    around: Surroundings = NOTHING_AROUND,
) -> list[RuleOutcome]:
    """How each candidate fares on these rows.

    Args:
        now: The moment that rules about time are judged at; others do not look at it.
    """
    # A warning sets no row aside, so no masks are kept.
    rules = tuple(replace(rule_of(candidate), severity="warning") for candidate in candidates)
    if not rules:
        return []
    batch = rows if isinstance(rows, Batch) else batch_of(rows)
    return list(validate(batch, rules, now=now, surroundings=around).report.outcomes)


def batch_of(table: "pa.Table") -> Batch:
    """A table as the batch that rules judge."""
    parts: Sequence[pa.RecordBatch] = table.to_batches()

    def again() -> "Iterator[pa.RecordBatch]":
        return iter(parts)

    provenance = Provenance("", _LONG_AGO)
    return Batch(table.schema, again, rows=table.num_rows, nbytes=table.nbytes, provenance=provenance)
