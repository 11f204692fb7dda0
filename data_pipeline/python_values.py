"""Arrow's values as Python's, also where Python has none: parts of a microsecond, years that it does not know.

Those become text in ISO 8601, so that what was sent can be looked at as it is.
"""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["rows_of", "values_of"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400
_FIRST, _LAST = (moment.toordinal() - date(1970, 1, 1).toordinal() for moment in (date.min, date.max))


def rows_of(batch: "pa.RecordBatch") -> list[dict[str, Any]]:
    """The rows as maps from name to value."""
    if not any(_in_nanoseconds(field.type) for field in batch.schema):
        try:
            return list(batch.to_pylist())
        except (ValueError, OverflowError):
            pass
    columns = [values_of(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def values_of(column: "pa.Array | pa.ChunkedArray") -> list[Any]:
    """The values of a column; None for null."""
    from utils.arrow import pa

    kind = column.type
    if not _in_nanoseconds(kind):
        try:
            return list(column.to_pylist())
        except (ValueError, OverflowError):
            pass
    if pa.types.is_timestamp(kind):
        return [
            None if count is None else _moment(count, _PER_SECOND[kind.unit], bool(kind.tz))
            for count in column.cast(pa.int64()).to_pylist()
        ]
    if pa.types.is_date32(kind):
        return [None if day is None else _day(day) for day in column.cast(pa.int32()).to_pylist()]
    return list(column.to_pylist())


def _in_nanoseconds(kind: "pa.DataType") -> bool:
    """Of these Arrow gives pandas' own values where pandas happens to be imported, and an error elsewhere."""
    return str(kind).startswith("timestamp[ns")


def _moment(count: int, unit: int, aware: bool) -> datetime | str:
    """A moment by how many units it lies after 1970."""
    seconds, rest = divmod(count, unit)
    day, second = divmod(seconds, _DAY)
    if _FIRST <= day <= _LAST and (unit < 10**9 or rest % 1000 == 0):
        whole = datetime(1970, 1, 1, tzinfo=UTC if aware else None)
        return whole + timedelta(days=day, seconds=second, microseconds=rest * 10**6 // unit)
    fraction = f".{rest:0{len(str(unit)) - 1}}" if rest else ""
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{_calendar(day)}T{clock}{fraction}{'Z' if aware else ''}"


def _day(day: int) -> date | str:
    """A day by how many days it lies after 1970."""
    return date(1970, 1, 1) + timedelta(days=day) if _FIRST <= day <= _LAST else _calendar(day)


def _calendar(day: int) -> str:
    """The calendar goes on as it is beyond Python's years: it repeats itself every 400 of them.

    >>> _calendar(0), _calendar(2932897), _calendar(-719529)
    ('1970-01-01', '+10000-01-01', '-0001-12-31')
    """
    cycles, ordinal = divmod(day + date(1970, 1, 1).toordinal() - 1, 146_097)
    found = date.fromordinal(ordinal + 1)
    year = found.year + 400 * cycles
    sign = "+" if year > 9999 else "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{found:%m-%d}"
