"""Which columns always have a value, or nearly always."""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from data_pipeline.suggest.candidate import Candidate, tolerance_of, wilson_lower

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["completeness", "never_missing"]

FEWEST_ROWS = 20
NEARLY_COMPLETE = 0.9
"""A column that is emptier than this may be empty."""


def never_missing(table: "pa.Table", names: Iterable[str]) -> list[str]:
    """Those of the columns that have a value in every row."""
    return [name for name in names if table.num_rows and not table.column(name).null_count]


def completeness(table: "pa.Table") -> Iterator[Candidate]:
    """`not_null` for each column that is complete; where nearly all rows have a value, a warning with a tolerance.

    The tolerance is what Wilson's lower bound leaves open, so that chance alone does not break it.
    """
    from utils.arrow import pa

    rows = table.num_rows
    if rows < FEWEST_ROWS:
        return
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_null(field.type):
            continue
        there = rows - column.null_count
        least = wilson_lower(there, rows)
        if there == rows:
            likely = f"likely complete in at least {math.floor(10_000 * least) / 100} % of all rows"
            yield Candidate({"not_null": field.name}, likely)
        elif there / rows >= NEARLY_COMPLETE:
            why = f"{100 * there / rows:.3g} % have a value, likely at least {100 * least:.3g} %"
            loose = {"severity": "warning", "tolerance": tolerance_of(rows - there, rows)}
            yield Candidate({"not_null": field.name, **loose}, why)
