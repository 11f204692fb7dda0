"""Times that never lie ahead, and how fresh the newest one always was."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from data_pipeline.suggest.candidate import Candidate, Facts, is_time
from data_pipeline.suggest.trying import outcomes

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["fresh", "not_in_future"]

FEWEST_ROWS = 20
_AHEAD = re.compile(r"(?i).*(?:expir|due|valid|until|end|forecast|plan|sched|deliver|next|target|deadline|birth).*")


def not_in_future(table: "pa.Table", now: datetime) -> Iterator[Candidate]:
    """For columns of times that speak of the past, all of which lay in it when the rows were collected."""
    for field in table.schema:
        column = table.column(field.name)
        if not is_time(field.type) or column.length() - column.null_count < FEWEST_ROWS:
            continue
        if _AHEAD.fullmatch(field.name):
            continue  # what is planned may lie ahead tomorrow
        candidate = Candidate({"not_in_future": field.name}, "when the rows were collected, all of it was past")
        (outcome,) = outcomes([candidate], table.select([field.name]), now=now)
        if not outcome.failed:
            yield candidate


def fresh(facts: Facts) -> Iterator[Candidate]:
    """The newest row as young as the cadence seen lets one expect."""
    if facts.time is not None and facts.fresh_within is not None:
        within, why = facts.fresh_within
        yield Candidate({"fresh": {"column": facts.time, "within": within}, "severity": "warning"}, why)
