"""One rule on one small table: what came of it, and which rows it set aside."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data_pipeline.batch import Batch
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import RuleOutcome
from data_pipeline.validate.rules import Rule, parse_rule
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa


class Judged(NamedTuple):
    """`rows`: numbers, from 0, of the rows that were set aside."""

    outcome: RuleOutcome
    rows: list[int]

    @property
    def counts(self) -> tuple[int, int]:
        return self.outcome.failed, self.outcome.of


def judged(
    raw: "Mapping[str, Any] | Rule",
    columns: "Mapping[str, Any] | pa.Table",
    cuts: Sequence[int] = (),
    around: Surroundings = NOTHING_AROUND,
) -> Judged:
    """The first rule of an entry, on columns cut before these rows."""
    rule = raw if isinstance(raw, Rule) else parse_rule(raw)[0]
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    return judged_batch(rule, tables.batch(table, list(cuts)), around)


def judged_batch(rule: Rule, batch: Batch, around: Surroundings = NOTHING_AROUND) -> Judged:
    found = validate(batch, (rule,), now=NOW, surroundings=around)
    bad = [bad for _, bad in found.split(batch) if bad is not None]
    return Judged(found.report.outcomes[0], [row - 1 for part in bad for row in part.column("_row").to_pylist()])
