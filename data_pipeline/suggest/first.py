"""Rules for a source that was looked at once: what one batch is evidence enough for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_pipeline.suggest.candidate import Candidate
from data_pipeline.suggest.completeness import never_missing
from data_pipeline.suggest.keys import of_key
from data_pipeline.suggest.ranges import by_name

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["first_rules"]

MOST_BOUNDS = 6


def first_rules(table: "pa.Table", key: Sequence[str], time: str | None) -> list[Candidate]:
    """Nothing missing in key and time, no key twice, some rows, and bounds where the name of a column suggests them."""
    found = [Candidate({"row_count": {"min": 1}}, "an empty answer is no delivery")]
    if needed := never_missing(table, dict.fromkeys((*key, *([time] if time else ())))):
        found.append(Candidate({"not_null": needed}, "no value is missing in this batch"))
    bounds = list(by_name(table, key))[:MOST_BOUNDS]
    return [*found, *of_key(key), *bounds]
