"""What would make broken values good: no blanks, another case, sign or unit. Tried with the rule itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from data_pipeline.advice.gathering import Breaches
from data_pipeline.advice.patterns import Finding
from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import Rule
from utils.arrow import pa

__all__ = ["mended", "no_value", "placeholders"]

MOST_VALUES = 1000
"""Different values that are tried; the most frequent ones."""

NEARLY_ALL = 0.9

_TEXT: Mapping[str, Callable[[str], str]] = {
    "without the blanks around them": str.strip,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "in capitals and without the blanks around them": lambda text: text.strip().upper(),
    "without blanks": lambda text: "".join(text.split()),
}
_TEXT_KINDS = frozenset({"one_of", "matches", "format", "references"})
_UNITS = (100, 1000, 10**6)

_WORDS = frozenset(
    ("n/a", "na", "n.a.", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", ".", "unknown", "missing", "tba", "tbd")
)
_NUMBERS = frozenset({-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999})


def mended(rule: Rule, found: Breaches) -> Finding | None:
    """The change after which nearly all values would be good."""
    tried = found.values.top(MOST_VALUES)
    if len(rule.columns) != 1 or not tried or sum(count for _, count in tried) < NEARLY_ALL * found.rows:
        return None
    if rule.kind in _TEXT_KINDS and rule.kind != "references" and all(isinstance(one, str) for one, _ in tried):
        for words, change in _TEXT.items():
            changed = [change(one) for one, _ in tried]
            count = _good(rule, changed, [count for _, count in tried])
            if count >= NEARLY_ALL * found.rows:
                return Finding("mended", f"{_share(count, found.rows)} would be good {words}.", count)
    if rule.kind == "range" and all(_is_number(one) for one, _ in tried):
        return _number(rule, tried, found.rows)
    return None


def placeholders(kind: str, found: Breaches) -> list[str]:
    """The texts among the broken values that stand for "no value": what `na_values` could take, most frequent first."""
    few = found.values.top(3)
    if kind == "type":
        return [one for one, _ in few if isinstance(one, str) and no_value(one)]
    if kind == "range" and few and few[0][1] >= max(2, found.rows / 2) and few[0][0] in _NUMBERS:
        return [str(few[0][0])]
    return []


def no_value(text: str) -> bool:
    """Whether a text is a word for nothing."""
    return text.strip().lower() in _WORDS


def _number(rule: Rule, tried: Sequence[tuple[Any, int]], rows: int) -> Finding | None:
    counts = [count for _, count in tried]
    low, high = rule.params["min"], rule.params["max"]
    if low is not None and low >= 0 and all(one < 0 for one, _ in tried):
        count = _good(rule, [-one for one, _ in tried], counts)
        if count >= NEARLY_ALL * rows:
            return Finding("mended", f"{_share(count, rows)} would be good with the sign turned around.", count)
    if high is None or not all(one > 10 * high for one, _ in tried):
        return None
    for factor in _UNITS:
        count = _good(rule, [float(one) / factor for one, _ in tried], counts)
        if count >= NEARLY_ALL * rows:
            words = f"would be good divided by {factor:,}: was another unit sent?"
            return Finding("mended", f"{_share(count, rows)} {words}", count)
    return None


def _good(rule: Rule, values: Sequence[Any], counts: Sequence[int]) -> int:
    """How many rows the rule would pass if they had these values."""
    table = pa.table({rule.columns[0]: pa.array(values)})
    part = table.to_batches()[0]
    provenance = Provenance("", datetime(1970, 1, 1, tzinfo=UTC))
    batch = Batch(table.schema, lambda: iter([part]), rows=table.num_rows, nbytes=0, provenance=provenance)
    alone = replace(rule, severity="error", scope="batch", where="", by=())
    (mark,) = validate(batch, (alone,), now=datetime.now(UTC)).marks
    bad = [False] * len(values) if mark.bad is None else mark.bad.to_pylist()
    return sum(count for count, fails in zip(counts, bad, strict=True) if not fails)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _share(count: int, of: int) -> str:
    return ("It" if of == 1 else f"All {of:,}") if count == of else f"{count:,} of the {of:,}"
