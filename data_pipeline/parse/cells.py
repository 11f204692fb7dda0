"""Cells of a sheet, which have types one by one, to one column."""

from datetime import date, datetime, time, timedelta
from typing import Any

from data_pipeline.parse.grid import is_empty
from data_pipeline.parse.numbers import EXACT
from data_pipeline.parse.options import DAY_COUNTS, EPOCHS, ParseOptions
from utils.arrow import pa

_DAY = timedelta(days=1)
_EXCEL_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone


def column_of(cells: list[Any], options: ParseOptions, time_format: str | None = None) -> "pa.Array":
    """date32, timestamp[us] without a zone, int64, float64 or bool when all cells agree, else text as people write it.

    Texts are trimmed; empty ones and `na_values` are null. `time_format`: how the column's times are written as text.
    """
    values = [_value(cell, options.na_values) for cell in cells]
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values), pa.string())
    if kinds == {date}:
        return pa.array(values, pa.date32())
    if kinds <= {date, datetime}:
        return pa.array([_moment(value) for value in values], pa.timestamp("us"))
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    # Numbers are told apart from texts below; with another decimal sign they must look like their neighbours.
    if kinds <= {int, float} and options.decimal == "." and options.thousands is None:
        if all(value is None or (float(value).is_integer() and abs(value) <= EXACT) for value in values):
            return pa.array([None if value is None else int(value) for value in values], pa.int64())
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    whole = kinds <= {int, float} and all(value is None or float(value).is_integer() for value in values)
    mixed = bool(kinds - {int, float})
    return pa.array([_text(value, options, time_format, short=whole or mixed) for value in values], pa.string())


def _value(cell: Any, na_values: tuple[str, ...]) -> Any:
    if not isinstance(cell, str):
        return cell
    if is_empty(cell):
        return None
    text = cell.strip()
    return None if text in na_values else text


def _text(value: Any, options: ParseOptions, time_format: str | None, *, short: bool) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = float(value)
        text = str(int(number)) if short and number.is_integer() and abs(number) <= EXACT else repr(number)
        return text.replace(".", options.decimal)
    if isinstance(value, datetime | date):
        return _written(value, time_format, options.decimal)
    if isinstance(value, timedelta):
        return _duration(value)
    return value.isoformat() if isinstance(value, time) else str(value)


def _written(value: date, time_format: str | None, decimal: str) -> str:
    """A date among texts, in the form that the column is declared to have."""
    if time_format in DAY_COUNTS or time_format in EPOCHS:
        days = (_moment(value) - _EXCEL_DAY_0) / _DAY
        return repr(days).replace(".", decimal) if time_format == "excel" else value.isoformat()
    return value.strftime(time_format) if time_format else value.isoformat()


def _moment(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - cells have no zone


def _duration(value: timedelta) -> str:
    """`30:01:00`, as a sheet shows hours beyond a day."""
    seconds = value.total_seconds()
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:09.6f}".rstrip("0").rstrip(".") if rest % 1 else f"{int(rest):02d}"
    return f"{sign}{int(hours):02d}:{int(minutes):02d}:{tail}"
