"""Which columns never repeat a value, alone or together."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from data_pipeline.suggest.candidate import Candidate, is_text

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["of_key", "unique"]

FEWEST_ROWS = 100
_NAMED = re.compile(r"(?i)(?:.*[._ -])?(?:id|uuid|guid|isin|iban|sku|slug|code|key|nr|no|number)|.*(?:Id|Key)")


def of_key(key: Sequence[str]) -> Iterator[Candidate]:
    """The key of the dataset, as it was declared or found."""
    if key:
        yield Candidate({"unique": key[0] if len(key) == 1 else list(key)}, "the key")


def unique(table: "pa.Table", key: Sequence[str]) -> Iterator[Candidate]:
    """Columns of texts and whole numbers beside the key that never repeat: whether by nature, their name tells."""
    from utils.arrow import compute, pa

    rows = table.num_rows
    if rows < FEWEST_ROWS:
        return
    for field in table.schema:
        if tuple(key) == (field.name,) or not (is_text(field.type) or pa.types.is_integer(field.type)):
            continue
        named = _NAMED.fullmatch(field.name) is not None
        if not named and not is_text(field.type):
            continue  # measured whole numbers differ by chance
        column = table.column(field.name)
        if column.null_count or compute.count_distinct(column).as_py() != rows:
            continue
        if named:
            yield Candidate({"unique": field.name}, "no value repeats, and its name says so")
        else:
            yield Candidate({"unique": field.name, "severity": "warning"}, "no value repeats")
