"""How advice speaks: what to look at for each kind of rule, shares, values."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from data_pipeline.validate.report import RuleOutcome

__all__ = ["batch_text", "listed", "look_at", "percent", "rows_text", "segments_text", "shown", "tolerance"]

LOOK = {
    "not_null": "have no value in {columns}; look at what the provider sends there, and at `na_values`",
    "unique": "share their {columns} with another row; were they sent twice, or is a column of the key missing?",
    "range": "lie outside the bounds in {columns}; look for another unit or a wrong sign",
    "one_of": "hold a value of {columns} that is not in the list; if it is a new one, add it to `values`",
    "matches": "do not match the pattern in {columns}",
    "format": "do not have the format in {columns}; look for blanks, missing digits or another notation",
    "length": "have another length in {columns}; look for cut or padded text",
    "type": "do not parse as the type of {columns}; look at `na_values`, `decimal`, `thousands` and `format`",
    "not_in_future": "lie in the future in {columns}; look at `zone` and at the provider's clock",
    "compare": "contradict the expression; look at the order and the zone of {columns}",
    "monotonic": "fall behind an earlier row in {columns}; look at the order of the rows",
    "references": "name something in {columns} that is not in the other dataset; was it collected before this one?",
    "change": "changed more than allowed in {columns}; look for another unit, or for a correction of the provider's",
    "python": "are refused by the function",
}
"""Kind of rule -> what is to be said of the rows that broke it. A rule on the whole batch says it itself."""

_LONGEST = 40
_MOST_SEGMENTS = 3


def look_at(outcome: RuleOutcome) -> str:
    """What the rows have in common that broke the rule, and where to look; ends as a sentence does."""
    look = LOOK.get(outcome.kind, "break it in {columns}").format(columns=listed(outcome.columns))
    return look if look.endswith("?") else f"{look}."


def segments_text(outcome: RuleOutcome) -> str:
    """Which segments fail, the worst of them by name; what else the outcome says where there are none."""
    worst = () if outcome.segments is None else outcome.segments.worst[:_MOST_SEGMENTS]
    if outcome.segments is None or not all(one.values for one in worst) or not worst:
        return f"{outcome.detail}." if outcome.detail else ""
    named = [f"{', '.join(map(shown, one.values))} ({one.failed:,} of {one.of:,})" for one in worst]
    others = "" if outcome.segments.failed == len(worst) else ", …"
    return f"{outcome.detail}: {'; '.join(named)}{others}."


def batch_text(outcome: RuleOutcome) -> str:
    """What a rule on the whole batch says, with the worst of the groups that fail."""
    groups = [", ".join(f"{name} {value}" for name, value in group) for group in outcome.examples[:_MOST_SEGMENTS]]
    others = ", …" if outcome.failed > len(groups) else "."
    return f"{outcome.detail}: {'; '.join(groups)}{others}" if groups else outcome.detail


def listed(columns: Sequence[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def rows_text(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def shown(value: Any) -> str:
    """A value as it stands in a sentence: text in quotes, never long."""
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")
    text = "true" if value is True else "false" if value is False else format(value, "") if value is not None else "-"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def tolerance(share: float) -> float:
    """The share, rounded up to two digits, so that the same batch would pass."""
    size = 10.0 ** (math.floor(math.log10(share)) - 1)
    return min(1.0, float(f"{math.ceil(share / size) * size:.2g}"))
