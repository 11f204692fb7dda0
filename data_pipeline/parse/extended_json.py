"""Values that MongoDB wraps in an object of one key: `{"$numberLong": "12"}` is the integer 12.

https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 400
"""Digits of a number that are looked at."""


def unwrapped(values: list[Any]) -> list[Any]:
    """The values, wrapped ones as integer, float, decimal, text or moment; what is wrapped wrongly stays an object."""
    return [_plain(value) if type(value) is dict and len(value) == 1 else value for value in values]


def _plain(value: dict[str, Any]) -> Any:
    [(key, inner)] = value.items()
    read = _READERS.get(key)
    if read is None:
        return value
    try:
        return read(inner)
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        return value


def _integer(inner: Any) -> int:
    if isinstance(inner, int) and not isinstance(inner, bool):
        return inner
    return int(_digits(inner))


def _float(inner: Any) -> float:
    return float(inner if isinstance(inner, int | float) else _digits(inner))


def _decimal(inner: Any) -> Decimal | None:
    number = Decimal(_digits(inner))
    if number.is_nan():
        return None
    if number.is_infinite() or abs(number.adjusted()) > 38:
        raise ValueError(inner)
    return number


def _moment(inner: Any) -> datetime:
    if isinstance(inner, dict):
        inner = _plain(inner)
    if isinstance(inner, int | float) and not isinstance(inner, bool):
        return _EPOCH + timedelta(milliseconds=inner)
    moment = datetime.fromisoformat(_digits(inner))
    if moment.tzinfo is None:
        raise ValueError(inner)
    return moment.astimezone(UTC)


def _text(inner: Any) -> str:
    if not isinstance(inner, str):
        raise TypeError(inner)
    return inner


def _digits(inner: Any) -> str:
    if not isinstance(inner, str) or "_" in inner or len(inner) > _LONGEST:
        raise TypeError(inner)
    return inner


_READERS: dict[str, Callable[[Any], Any]] = {
    "$numberLong": _integer,
    "$numberInt": _integer,
    "$numberDouble": _float,
    "$numberDecimal": _decimal,
    "$date": _moment,
    "$oid": _text,
    "$uuid": _text,
    "$symbol": _text,
}
