"""A slow, obvious reading of every row rule in plain Python, to hold the kernels against."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from data_pipeline.validate.rules import Rule

Row = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def failing(rule: Rule, rows: Sequence[Row], now: datetime) -> tuple[set[int], int]:
    """Numbers (from 0) of the rows that fail, and how many were judged."""
    if rule.kind == "not_null":
        return {at for at, row in enumerate(rows) if is_null(row[rule.columns[0]])}, len(rows)
    if rule.kind == "unique":
        return _repeated(rule, rows)
    judged = [at for at, row in enumerate(rows) if not is_null(row[rule.columns[0]])]
    bad = {at for at in judged if not _holds(rule, rows[at][rule.columns[0]], now)}
    return bad, len(judged)


def is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _repeated(rule: Rule, rows: Sequence[Row]) -> tuple[set[int], int]:
    keys = [tuple(row[name] for name in rule.columns) for row in rows]
    whole = {at: key for at, key in enumerate(keys) if not any(is_null(part) for part in key)}
    counts = Counter(whole.values())
    return {at for at, key in whole.items() if counts[key] > 1}, len(whole)


def _holds(rule: Rule, value: Any, now: datetime) -> bool:
    params = rule.params
    if rule.kind == "range":
        return _between(value, params["min"], params["max"], exclusive=params["exclusive"])
    if rule.kind == "one_of":
        return any(_same(value, allowed) for allowed in params["values"])
    if rule.kind == "matches":
        return re.fullmatch(params["pattern"], value, re.ASCII) is not None
    if rule.kind == "length":
        least, most = params["min"], params["max"]
        return (least is None or len(value) >= least) and (most is None or len(value) <= most)
    if rule.kind == "type":
        return _is(params["is"], value)
    assert rule.kind == "not_in_future"
    return _moment(value) <= now


def _between(value: Any, low: Any, high: Any, *, exclusive: bool) -> bool:
    if isinstance(value, float):
        above = low is None or (value > low if exclusive else value >= low)
        return above and (high is None or (value < high if exclusive else value <= high))
    exact = _exact(value)
    above = low is None or (exact > _exact(low) if exclusive else exact >= _exact(low))
    return above and (high is None or (exact < _exact(high) if exclusive else exact <= _exact(high)))


def _exact(value: Any) -> Fraction:
    if isinstance(value, date):
        return Fraction((_moment(value) - EPOCH) // timedelta(microseconds=1))
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)


def _same(value: Any, allowed: Any) -> bool:
    if isinstance(value, bool) or isinstance(allowed, bool):
        return value is allowed
    if isinstance(value, str):
        return not isinstance(allowed, float) and value == str(allowed)
    if isinstance(allowed, str):
        return False
    if isinstance(value, Decimal) and isinstance(allowed, float):
        return value == Decimal(str(allowed))
    return bool(value == allowed)


def _is(wanted: str, value: Any) -> bool:
    if isinstance(value, str):
        return wanted == "string" or _reads_as(wanted, value)
    if wanted == "integer" and not isinstance(value, int):
        return math.isfinite(value) and value == math.trunc(value)
    return True  # no column is held against a type that all its values are not


def _reads_as(wanted: str, text: str) -> bool:
    """As Python reads the text, without what only Python takes: spaces, underscores, digits of other scripts, `nan`."""
    if not text.isascii() or not text.isprintable() or text != text.strip() or "_" in text:
        return False
    if wanted == "boolean":
        return text.lower() in {"true", "false"}
    if wanted in {"date", "timestamp"}:
        return _is_time(text, alone=wanted == "date")
    if wanted == "decimal" and "e" in text.lower():
        return False
    try:
        return math.isfinite(int(text) if wanted == "integer" else float(text))
    except ValueError:
        return False


def _is_time(text: str, *, alone: bool) -> bool:
    try:
        day = date.fromisoformat(text[:10])
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return text[:10] == day.isoformat() and (len(text) == 10 or not alone)
