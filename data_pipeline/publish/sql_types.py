"""Which column type of a database holds which Arrow type, and values as its driver takes them."""

from typing import TYPE_CHECKING, Any

from data_pipeline.parse.native import as_text
from utils.arrow import pa

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["TAKES", "column_type", "family", "family_of_column", "for_copy", "for_driver"]

TAKES: dict[str, frozenset[str]] = {
    "integer": frozenset({"integer", "decimal", "float", "text", "other"}),
    "decimal": frozenset({"decimal", "text", "other"}),
    "float": frozenset({"float", "text", "other"}),
    "boolean": frozenset({"boolean", "text", "other"}),
    "text": frozenset({"text", "other"}),
    "date": frozenset({"date", "moment", "text", "other"}),
    "moment": frozenset({"moment", "text", "other"}),
    "time": frozenset({"time", "text", "other"}),
    "binary": frozenset({"binary"}),
}
"""Family of the rows -> families of columns that hold them without loss; `other`: the database decides."""

_SQLITE_DIGITS = 15
"""Decimals up to here survive SQLite's 64-bit floats digit for digit; longer ones are kept as text."""


def family(kind: "pa.DataType") -> str:
    """What rows of an Arrow type are to a database; "": they are all null, and fit everywhere."""
    if pa.types.is_null(kind):
        return ""
    if pa.types.is_uint64(kind):
        return "decimal"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "float"
    if pa.types.is_decimal(kind):
        return "decimal"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "moment"
    if pa.types.is_time(kind):
        return "time"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "binary"
    return "text"


def column_type(kind: "pa.DataType", dialect: str) -> "TypeEngine[Any]":
    """The type of a column that is made for an Arrow type."""
    import sqlalchemy as sa

    found = family(kind)
    if found == "decimal":
        if pa.types.is_integer(kind):
            return sa.Numeric(20, 0) if dialect != "sqlite" else sa.Text()
        if dialect == "sqlite" and kind.precision > _SQLITE_DIGITS:
            return sa.Text()
        # PostgreSQL's own has no bounds: a later version may need more digits than the first.
        return sa.Numeric() if dialect == "postgresql" else sa.Numeric(kind.precision, kind.scale)
    made: dict[str, TypeEngine[Any]] = {
        "integer": sa.BigInteger(),
        "float": sa.Double(),
        "boolean": sa.Boolean(),
        "date": sa.Date(),
        "moment": sa.TIMESTAMP(timezone=kind.tz is not None) if found == "moment" else sa.TIMESTAMP(),
        "time": sa.Time(),
        "binary": sa.LargeBinary(),
    }
    return made.get(found) or sa.Text()


def family_of_column(kind: "TypeEngine[Any]") -> str:
    """What a column of a table that is there holds."""
    import sqlalchemy as sa

    families: list[tuple[type[Any], str]] = [
        (sa.Integer, "integer"),
        (sa.Float, "float"),
        (sa.Numeric, "decimal"),
        (sa.Boolean, "boolean"),
        (sa.Enum, "other"),
        (sa.String, "text"),
        (sa.DateTime, "moment"),
        (sa.Date, "date"),
        (sa.Time, "time"),
        (sa.LargeBinary, "binary"),
        (sa.BINARY, "binary"),
    ]
    return next((name for made, name in families if isinstance(kind, made)), "other")


def for_copy(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """A batch whose CSV is what PostgreSQL's COPY reads: JSON for nested values, `\\x…` for bytes, microseconds."""
    arrays = [_copied(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)


def for_driver(array: "pa.Array", dialect: str) -> list[Any]:
    """A column's values as a driver binds them. Moments are UTC; SQLite keeps them as its own functions write them."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        moments = array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us")).to_pylist()
        return [value and value.isoformat(" ") for value in moments] if dialect == "sqlite" else list(moments)
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        values = array.to_pylist()
        return [value if value is None else value.isoformat() for value in values] if dialect == "sqlite" else values
    if pa.types.is_decimal(kind):
        values = array.to_pylist()
        return [value if value is None else format(value, "f") for value in values] if dialect == "sqlite" else values
    if pa.types.is_uint64(kind):
        return [value if value is None else str(value) for value in array.to_pylist()]
    if pa.types.is_nested(kind):
        return list(as_text(array).to_pylist())
    return list(array.to_pylist())


def _copied(array: "pa.Array") -> "pa.Array":
    kind = array.type
    if pa.types.is_nested(kind):
        return as_text(array)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    return array
