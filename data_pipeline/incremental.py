"""Only what is new: the newest value of a column that was stored, what to ask with next time, and whether it moved.

The cursor is part of the accepted version, so it moves with the rows or not at all. It never goes backwards.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from config.datasets import IncrementalSettings
from data_pipeline.errors import PipelineError
from data_pipeline.store.gate import Objection

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Cursor", "initial", "moved", "reached", "start"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_FAMILY = {
    "int": "numbers",
    "float": "numbers",
    "decimal": "numbers",
    "date": "times",
    "timestamp": "times",
    "text": "text",
}
_EPOCH_UNITS = {"epoch_s": 1, "epoch_ms": 1000}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A stored value of a cursor column.

    Attributes:
        kind: `int`, `float`, `decimal`, `date`, `timestamp`, `text`.
        value: As Python has it; of a `timestamp` the nanoseconds since 1970, which no datetime holds.
    """

    column: str
    kind: str
    value: Any

    @property
    def family(self) -> str:
        return _FAMILY[self.kind]

    @property
    def rank(self) -> Any:
        """What cursors of one family are compared by."""
        if self.kind == "date":
            return (self.value - date(1970, 1, 1)).days * 86_400 * 10**9
        return self.value

    def to_json(self) -> dict[str, Any]:
        """For the version's event; exact."""
        return {"column": self.column, "type": self.kind, "value": _written(self.kind, self.value)}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Cursor":
        return cls(found["column"], found["type"], _read(found["type"], found["value"]))

    def scalar(self, kind: "pa.DataType") -> "pa.Scalar":
        """The value in a column's own type, to compare the column with."""
        from utils.arrow import pa

        if self.kind != "timestamp":
            return pa.scalar(self.value).cast(kind)
        unit = kind.unit if pa.types.is_timestamp(kind) else "s"
        return pa.scalar(self.value // _PER_UNIT[unit], pa.timestamp(unit, getattr(kind, "tz", None))).cast(kind)


def initial(settings: IncrementalSettings, kind: str | None, zone: str) -> Any:
    """What the first collection is asked with: a moment or a day where the column (or the format) says that it is one.

    Args:
        kind: The declared type of the column, if it has one.
        zone: Of a moment that names none.

    Raises:
        PipelineError: the column is declared as a time, and `initial` cannot be read as one.
    """
    value = settings.initial
    if not isinstance(value, str) or not (kind in {"timestamp", "date"} or settings.format != "iso"):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        if kind is None:
            return value
        raise PipelineError(
            f"`incremental.initial` is {value!r}, and `{settings.cursor}` is a {kind}",
            hint='write it like "2024-01-01" or "2024-01-01T00:00:00Z"',
        ) from error
    if kind == "date":
        return moment.date()
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def start(cursor: Cursor, settings: IncrementalSettings) -> Any:
    """What to ask with next: the stored value less the lag; never above the stored value.

    Raises:
        PipelineError: there is a lag, and the value is no time.
    """
    value, lag = cursor.value, settings.lag
    if cursor.kind == "timestamp":
        return _moment(value - int(lag * 10**9))
    if not lag:
        return value
    if cursor.kind == "date":
        return value - timedelta(days=math.ceil(lag / 86_400))
    if cursor.kind == "text":
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - timedelta(seconds=lag)
        except ValueError:
            pass
    elif settings.format in _EPOCH_UNITS:
        return value - math.ceil(lag * _EPOCH_UNITS[settings.format])
    raise PipelineError(
        f"`incremental.lag` needs a time, and `{cursor.column}` holds {cursor.kind} such as {value!r}",
        hint="declare the column as a timestamp in `columns`, or say `format: epoch_s` (or epoch_ms), or remove `lag`",
    )


def moved(
    before: Cursor | None, settings: IncrementalSettings, good: "Iterable[pa.RecordBatch]", schema: "pa.Schema"
) -> tuple[Cursor | None, Objection | None]:
    """The cursor after the good rows of a batch, and what stands against accepting them."""
    from utils.arrow import compute, pa

    name = settings.cursor
    if name not in schema.names:
        known = ", ".join(f"`{column}`" for column in schema.names[:20])
        return before, Objection(f"the batch has no column `{name}` for the cursor; it has {known}")
    declared = schema.field(name).type
    kind = _kind(declared)
    if kind is None and not pa.types.is_null(declared):
        return before, Objection(f"column `{name}` is {declared}: its values have no order for a cursor")
    newest, empty = before, 0
    for batch in good:
        column = batch.column(name)
        if kind == "float":
            column = column.filter(compute.fill_null(compute.is_finite(column), True))
        empty += column.null_count
        found = compute.max(column)
        if kind is None or not found.is_valid:
            continue
        mine = Cursor(name, kind, found.value * _PER_UNIT[declared.unit] if kind == "timestamp" else found.as_py())
        if newest is not None and newest.family != mine.family:
            return before, Objection(
                f"the cursor `{name}` held {newest.family} until now, and the batch has {declared}"
            )
        if newest is None or mine.rank > newest.rank:
            newest = mine
    if empty and settings.nulls == "hold":
        words = "row has" if empty == 1 else "rows have"
        return before, Objection(f"{empty:,} {words} no `{name}` (incremental.nulls: hold)")
    return newest, None


def reached(
    cursor: Cursor | None, known: Cursor | None, before: Cursor | None, *, partial: bool
) -> tuple[Cursor | None, Cursor | None]:
    """Where the next collection begins, and the newest value that a row has, when that lies beyond it.

    Args:
        cursor: With the batch in it; `before`: without.
        known: The newest value that a row had until now.
        partial: The batch is a part of what it should be.
    """
    ahead = known is not None and cursor is not None and known.family == cursor.family and known.rank > cursor.rank
    reach = known if cursor is None or ahead else None
    if partial and cursor is not None:
        # What came is kept, but nobody knows what is missing: the next collection begins where this one did.
        return before, reach or cursor
    return cursor, reach


def _kind(found: "pa.DataType") -> str | None:
    from utils.arrow import pa

    checks = {
        "int": pa.types.is_integer,
        "float": pa.types.is_floating,
        "decimal": pa.types.is_decimal,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
        "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    }
    return next((kind for kind, holds in checks.items() if holds(found)), None)


def _moment(nanoseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if nanoseconds < 0 else datetime.max.replace(tzinfo=UTC)


def _written(kind: str, value: Any) -> Any:
    """Digits stay digits: nanoseconds and decimals as text, for JSON readers take numbers for floats."""
    if kind == "timestamp":
        seconds, rest = divmod(value, 10**9)
        try:
            text = (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
        except OverflowError:
            return f"{value} ns"
        return f"{text}.{rest:09d}Z" if rest % 1000 else f"{text}.{rest // 1000:06d}Z"
    return value.isoformat() if kind == "date" else str(value) if kind == "decimal" else value


def _read(kind: str, found: Any) -> Any:
    if kind == "timestamp":
        if found.endswith(" ns"):
            return int(found.removesuffix(" ns"))
        whole, _, fraction = found.removesuffix("Z").partition(".")
        seconds = (datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
        return seconds * 10**9 + int(fraction.ljust(9, "0"))
    return date.fromisoformat(found) if kind == "date" else Decimal(found) if kind == "decimal" else found
