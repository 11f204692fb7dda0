"""What the rows have in common that broke a rule: counted in one pass over them, in bounded memory."""

from collections.abc import Iterable, Sequence
from typing import Any

from data_pipeline.advice.tally import Tally
from data_pipeline.python_values import values_of
from data_pipeline.validate.quarantine import FILE, ROW, RULES
from data_pipeline.validate.report import RuleOutcome
from utils.arrow import compute, pa

__all__ = ["BINS", "Base", "Breaches", "Gathering"]

BINS = 256
"""Into how many stretches of equal length the rows of a batch are divided."""

MOST_VALUES = 2_000
"""Different values of a rule's column that are counted exactly."""

MOST_HOURS = 10_000
"""A year and some days, hour by hour."""

MOST_SEGMENTS = 50
"""A column with more different values than this divides the rows into nothing that a person would call a segment."""

MOST_COLUMNS = 64
"""Columns that are looked at as segments; the first ones."""

_HOUR_US = 3_600_000_000
_BETWEEN_RULES = "\x1f"


class Base:
    """How all rows of the batch spread: what the broken ones are compared with.

    Attributes:
        segments: Column -> how many rows have each of its values; only columns with few of them.
        hours: Hours since 1970 -> rows.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.segments: dict[str, Tally] | None = None
        self.types: dict[str, pa.DataType] = {}
        self.hours = Tally(MOST_HOURS)


class Breaches:
    """The rows that broke one rule.

    Attributes:
        rows: How many were seen.
        alone: How many of them broke no other rule that sets rows aside.
        together: Other rule -> how many broke it too.
        values: Of the rule's column, when it has only one.
        values_alone: The same for the rows that broke no other rule.
        places: Stretch of the batch -> rows, first and last row number there.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.alone = 0
        self.together: dict[str, int] = {}
        self.values = Tally(MOST_VALUES)
        self.values_alone = Tally(MOST_VALUES)
        self.segments: dict[str, Tally] = {}
        self.hours = Tally(MOST_HOURS)
        self.places: dict[int, tuple[int, int, int]] = {}


class Gathering:
    """Reads the rows of one batch: first the good ones, then the bad ones.

    Args:
        outcomes: The broken rules.
        rows: Rows of the whole batch.
        time: The column of the rows' own time; "": none.
    """

    def __init__(self, outcomes: Iterable[RuleOutcome], *, rows: int, time: str = "") -> None:
        self._columns = {outcome.rule: outcome.columns for outcome in outcomes}
        self._batch_rows = max(1, rows)
        self._time = time
        self.base = Base()
        self.of = {rule: Breaches() for rule in self._columns}

    def good(self, batches: "Iterable[pa.RecordBatch]") -> None:
        """Rows that no rule has set aside."""
        for batch in batches:
            self._count_base(batch)

    def bad(self, batches: "Iterable[pa.RecordBatch]") -> None:
        """Rows that were set aside, with `_rules` and `_row`."""
        for batch in batches:
            if batch.num_rows:
                if self.base.segments is not None:
                    self._count_base(batch)
                self._count_bad(batch, set_aside=True)

    def warned(self, batches: "Iterable[pa.RecordBatch]") -> None:
        """Rows that broke a warning: with `_rules`, and among the good ones already."""
        for batch in batches:
            if batch.num_rows:
                self._count_bad(batch, set_aside=False)

    def _count_base(self, batch: "pa.RecordBatch") -> None:
        base = self.base
        if base.segments is None:
            base.types = {field.name: field.type for field in batch.schema if _divides(field)}
            base.segments = {name: Tally(MOST_SEGMENTS + 1) for name in list(base.types)[:MOST_COLUMNS]}
        base.rows += batch.num_rows
        for name in list(base.segments):
            tally, column = base.segments[name], _column(batch, name)
            if column is not None:
                tally.add(_counts(column))
            # With a cell that did not parse, the bad rows have the column as text: no values to compare.
            unlike = column is None or column.type != base.types[name]
            if unlike or not tally.exact or len(tally.counts) > MOST_SEGMENTS:
                del base.segments[name]
        base.hours.add(_hours(batch, self._time))

    def _count_bad(self, batch: "pa.RecordBatch", *, set_aside: bool) -> None:
        import numpy as np

        sets = compute.binary_join(batch.column(batch.schema.get_field_index(RULES)), _BETWEEN_RULES)
        coded = sets.dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        broken = [text.split(_BETWEEN_RULES) for text in coded.dictionary.to_pylist()]
        for rule, found in self.of.items():
            mine = [code for code, rules in enumerate(broken) if rule in rules]
            if not mine:
                continue
            alone = [code for code in mine if len(broken[code]) == 1]
            at = np.isin(codes, mine)
            count = int(at.sum())
            rows = batch if count == batch.num_rows else batch.filter(pa.array(at))
            found.rows += count
            self._count_rows(rule, found, rows)
            if not set_aside:
                continue
            for code in mine:
                size = int((codes == code).sum())
                for other in broken[code]:
                    if other != rule:
                        found.together[other] = found.together.get(other, 0) + size
            on_its_own = np.isin(codes, alone)
            found.alone += int(on_its_own.sum())
            if len(self._columns[rule]) == 1 and (column := _column(batch, self._columns[rule][0])) is not None:
                found.values_alone.add(_counts(column.filter(pa.array(on_its_own))))
            self._count_places(found, rows)

    def _count_rows(self, rule: str, found: Breaches, rows: "pa.RecordBatch") -> None:
        columns = self._columns[rule]
        if len(columns) == 1 and (column := _column(rows, columns[0])) is not None:
            found.values.add(_counts(column))
        names = [*(self.base.segments or ()), *([FILE] if FILE in rows.schema.names else [])]
        for name in names:
            if name not in columns and (column := _column(rows, name)) is not None:
                found.segments.setdefault(name, Tally(MOST_SEGMENTS + 1)).add(_counts(column))
        if self._time not in columns:
            found.hours.add(_hours(rows, self._time))

    def _count_places(self, found: Breaches, rows: "pa.RecordBatch") -> None:
        if (column := _column(rows, ROW)) is None:
            return
        numbers = column.drop_null().to_numpy(zero_copy_only=False)
        for stretch in sorted({int(one) for one in (numbers - 1) * BINS // self._batch_rows}):
            mine = numbers[(numbers - 1) * BINS // self._batch_rows == stretch]
            count, first, last = found.places.get(stretch, (0, int(mine[0]), int(mine[0])))
            found.places[stretch] = (count + len(mine), min(first, int(mine.min())), max(last, int(mine.max())))


def _has_times(batch: "pa.RecordBatch", name: str) -> bool:
    """Whether a column holds times, or days."""
    at = batch.schema.get_field_index(name)
    return at >= 0 and bool(pa.types.is_timestamp(batch.schema.field(at).type) or _is_day(batch.schema.field(at).type))


def _divides(field: "pa.Field") -> bool:
    types, kind = pa.types, field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    text = types.is_string(kind) or types.is_large_string(kind)
    return not field.name.startswith("_") and bool(text or types.is_integer(kind) or types.is_boolean(kind))


def _is_day(kind: "pa.DataType") -> bool:
    return bool(pa.types.is_date(kind))


def _column(batch: "pa.RecordBatch", name: str) -> "pa.Array | None":
    at = batch.schema.get_field_index(name)
    return batch.column(at) if at >= 0 else None


def _counts(column: "pa.Array") -> Sequence[tuple[Any, int]]:
    """The values of a column and how often each came; null is no value."""
    column = column.drop_null()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return _counted([str(value) for value in column.to_pylist()])
    found = column.value_counts()
    return list(zip(values_of(found.field(0)), found.field(1).to_pylist(), strict=True))


def _counted(values: Iterable[Any]) -> Sequence[tuple[Any, int]]:
    from collections import Counter

    return list(Counter(values).items())


def _hours(batch: "pa.RecordBatch", name: str) -> Sequence[tuple[Any, int]]:
    """Hours since 1970 UTC, and how many rows lie in each; a day counts as its first hour."""
    if not name or not _has_times(batch, name):
        return ()
    column = batch.column(batch.schema.get_field_index(name)).drop_null()
    if _is_day(column.type):
        column = column.cast(pa.timestamp("s"))
    counts = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    hours = pa.array(counts.to_numpy(zero_copy_only=False) // _HOUR_US).value_counts()
    return list(zip(hours.field(0).to_pylist(), hours.field(1).to_pylist(), strict=True))
