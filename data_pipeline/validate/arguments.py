"""The argument of each kind of rule: which keys it takes, checked and turned into values."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from data_pipeline.validate.aggregates import AGGREGATES, parse_aggregate
from data_pipeline.validate.pattern import check_pattern
from utils.expression.grammar import ExpressionError, columns_of, moment_of, parse_expression

__all__ = ["FORMATS", "KEYS", "SHORT_FORM", "TYPES", "names", "number", "parse", "seconds"]

TYPES = ("string", "integer", "float", "decimal", "boolean", "date", "timestamp")

FORMATS = ("email", "url", "uuid", "iban", "ipv4", "ipv6", "country", "currency", "phone", "date")

_COLUMN = ("column", "columns")
KEYS: dict[str, tuple[str, ...]] = {
    "not_null": _COLUMN,
    "unique": _COLUMN,
    "range": (*_COLUMN, "min", "max", "exclusive"),
    "one_of": (*_COLUMN, "values"),
    "matches": (*_COLUMN, "pattern"),
    "length": (*_COLUMN, "min", "max"),
    "type": (*_COLUMN, "is"),
    "not_in_future": _COLUMN,
    "fresh": (*_COLUMN, "within", "calendar"),
    "changed": ("within", "calendar"),
    "row_count": ("min", "max"),
    "compare": ("expr",),
    "format": (*_COLUMN, "is"),
    "monotonic": (*_COLUMN, "strict"),
    "references": (*_COLUMN, "dataset", "key"),
    "change": (*_COLUMN, "by", "max_percent"),
    "python": ("function", *_COLUMN),
    "aggregate": ("expr", "by", "equals", "min", "max", "tolerance"),
    "drift": (*_COLUMN, "psi", "ks"),
}
"""Kind -> the keys of its mapping form."""

SHORT_FORM = {"compare": "expr", "aggregate": "expr", "python": "function", "row_count": "min", "changed": "within"} | {
    kind: "columns" for kind, keys in KEYS.items() if keys[:2] == _COLUMN
}
"""Kind -> the key that a bare argument (`not_null: [a]`) stands for."""

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

Params = dict[str, Any]


def parse(kind: str, settings: Mapping[str, Any]) -> tuple[tuple[str, ...], Params]:
    """Columns and checked parameters of one rule.

    Raises:
        ValueError: which key is missing or wrong, and what it should be.
    """
    if kind == "python":
        return _python(settings)
    if kind == "aggregate":
        return _aggregate(settings)
    columns = _columns(settings) if "columns" in KEYS[kind] else ()
    if kind == "compare":
        return _compare(settings)
    reader = _PARAMS.get(kind)
    return columns, reader(settings) if reader else {}


def number(value: Any, key: str) -> int | float:
    """A finite number.

    Raises:
        ValueError: it is something else (`true` and quoted numbers included).
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        given = "one that no float holds" if isinstance(value, int) and value.bit_length() > 1 else repr(value)
        raise ValueError(f"`{key}` must be a number, not {given}")
    return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def seconds(value: Any, key: str) -> float:
    """A duration: seconds as a number, or text such as `200ms`, `30s`, `15m`, `2h`, `7d`."""
    found: float = -1
    if isinstance(value, str) and (read := _DURATION.fullmatch(value)):
        found = float(read[1]) * _SECONDS[read[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool) and _finite(value):
        found = float(value)
    if 0 <= found <= timedelta.max.total_seconds():
        return found
    raise ValueError(f"`{key}` must be a duration such as 200ms, 30s, 15m, 2h or 7d, not {value!r}")


def _columns(settings: Mapping[str, Any]) -> tuple[str, ...]:
    if "column" in settings and "columns" in settings:
        raise ValueError("give `column` or `columns`, not both")
    found = settings.get("columns", settings.get("column"))
    if found is None:
        raise ValueError("needs a column or a list of columns (`column` or `columns`)")
    return names(found)


def names(found: Any, key: str = "") -> tuple[str, ...]:
    """Names of columns: one, or a list of different ones."""
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(name, str) and name for name in listed):
        raise ValueError(f"{f'`{key}` ' if key else ''}needs a column or a list of columns, not {found!r}")
    if len(set(listed)) != len(listed):
        raise ValueError(f"{f'`{key}` ' if key else ''}names a column twice: {', '.join(listed)}")
    return tuple(listed)


def _range(settings: Mapping[str, Any]) -> Params:
    low, high = _bound(settings, "min"), _bound(settings, "max")
    if low is None and high is None:
        raise ValueError("needs `min`, `max` or both")
    if low is not None and high is not None:
        if isinstance(low, datetime) != isinstance(high, datetime):
            raise ValueError("`min` and `max` must both be numbers or both be times")
        if low > high:
            raise ValueError(f"`min` ({settings['min']}) is above `max` ({settings['max']})")
    return {"min": low, "max": high, "exclusive": _flag(settings, "exclusive")}


def _bound(settings: Mapping[str, Any], key: str) -> Any:
    """None, a number, or an aware UTC moment."""
    value = settings.get(key)
    if value is None or (isinstance(value, Decimal) and value.is_finite()):
        return value
    if isinstance(value, datetime):
        return _utc(value, key)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str) and (found := moment_of(value)):
        return found
    if isinstance(value, str):
        raise ValueError(f"`{key}` must be a number, a date or a time, not {value!r}")
    return number(value, key)


def _utc(value: datetime, key: str) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # a zone takes the first or the last hours out of the calendar
        raise ValueError(f"`{key}` is out of the years 1 to 9999 in UTC: {value.isoformat()}") from None


def _one_of(settings: Mapping[str, Any]) -> Params:
    values = settings.get("values")
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"needs `values`, a list of what is allowed, not {values!r}")
    for value in values:
        if not isinstance(value, str | int | float | Decimal | date):
            raise ValueError(f"`values` may hold text, numbers, true, false and dates, not {value!r}")
    return {"values": tuple(values)}


def _matches(settings: Mapping[str, Any]) -> Params:
    pattern = settings.get("pattern")
    if not isinstance(pattern, str):
        raise ValueError(f"needs `pattern`, a regular expression (RE2), not {pattern!r}")
    check_pattern(pattern)
    return {"pattern": pattern}


def _counts(settings: Mapping[str, Any]) -> Params:
    found: Params = {}
    for key in ("min", "max"):
        value = settings.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"`{key}` must be a whole number, 0 or more, not {value!r}")
        found[key] = value
    if found["min"] is None and found["max"] is None:
        raise ValueError("needs `min`, `max` or both")
    if found["min"] is not None and found["max"] is not None and found["min"] > found["max"]:
        raise ValueError(f"`min` ({found['min']}) is above `max` ({found['max']})")
    return found


def _type(settings: Mapping[str, Any]) -> Params:
    wanted = settings.get("is")
    if wanted not in TYPES:
        raise ValueError(f"`is` must be one of {', '.join(TYPES)}, not {wanted!r}")
    return {"is": wanted}


def _fresh(settings: Mapping[str, Any]) -> Params:
    if "within" not in settings:
        raise ValueError("needs `within`, how old the newest value may be, such as 3h")
    return _elapsed(settings)


def _changed(settings: Mapping[str, Any]) -> Params:
    if "within" not in settings:
        raise ValueError("needs `within`, how long the content may stay the same, such as 1d")
    return _elapsed(settings)


def _elapsed(settings: Mapping[str, Any]) -> Params:
    """A time that may go by; that of days off is left out when there is a `calendar`."""
    found: Params = {"within": seconds(settings["within"], "within")}
    if (name := settings.get("calendar")) is not None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"`calendar` must be the name of a calendar, not {name!r}")
        found["calendar"] = name
    return found


def _compare(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], Params]:
    text = settings.get("expr")
    if not isinstance(text, str):
        raise ValueError(f'needs an expression such as "created <= updated", not {text!r}')
    return columns_of(parse_expression(text)), {"expr": text}


def _format(settings: Mapping[str, Any]) -> Params:
    wanted = settings.get("is")
    if wanted in FORMATS:
        return {"is": wanted}
    near = get_close_matches(str(wanted), FORMATS, n=1)
    raise ValueError(
        f"`is` must be one of {', '.join(FORMATS)}, not {wanted!r}" + (f"; did you mean `{near[0]}`?" if near else "")
    )


def _monotonic(settings: Mapping[str, Any]) -> Params:
    return {"strict": _flag(settings, "strict")}


def _references(settings: Mapping[str, Any]) -> Params:
    wanted = {"dataset": "the dataset in whose table the value must stand", "key": "its column there"}
    for key, meaning in wanted.items():
        if not isinstance(settings.get(key), str) or not settings[key]:
            given = f", not {settings[key]!r}" if key in settings else ""
            raise ValueError(f"needs `{key}`, {meaning}{given}")
    return {key: settings[key] for key in wanted}


def _change(settings: Mapping[str, Any]) -> Params:
    if "by" not in settings:
        raise ValueError("needs `by`, the column or columns that make a row the same as one of the version before")
    if "max_percent" not in settings:
        raise ValueError("needs `max_percent`, by how much of itself a value may change, such as 20")
    percent = number(settings["max_percent"], "max_percent")
    if percent < 0:
        raise ValueError(f"`max_percent` must be 0 or more, not {percent}")
    return {"by": names(settings["by"], "by"), "max_percent": percent}


def _python(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], Params]:
    from data_pipeline.user_function import check_function

    target = settings.get("function")
    if not isinstance(target, str):
        raise ValueError(f"needs a function of yours, `module:name`, not {target!r}")
    try:
        check_function(target)
    except ValueError as error:
        hint = getattr(error, "hint", "")
        raise ValueError(f"{error}. {hint}" if hint else str(error)) from error
    listed = "column" in settings or "columns" in settings
    return _columns(settings) if listed else (), {"function": target}


def _aggregate(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], Params]:
    text = settings.get("expr")
    if not isinstance(text, str):
        raise ValueError(f'needs an expression such as "sum(amount)", not {text!r}')
    found = parse_aggregate(text)
    if not found.adds_up:
        raise ValueError(f"`{text}` looks at no more than one row: use {', '.join(AGGREGATES)}")
    against = {key: _held_against(settings, key) for key in ("equals", "min", "max")}
    if not any(against.values()) or (against["equals"] and (against["min"] or against["max"])):
        raise ValueError("needs `equals`, or `min`, `max` or both")
    tolerance = settings.get("tolerance")
    if tolerance is not None and (not against["equals"] or number(tolerance, "tolerance") < 0):
        raise ValueError("`tolerance` is how far the figure may be from `equals`, 0 or more; it goes with nothing else")
    by = names(settings["by"], "by") if "by" in settings else ()
    parts = (found, *(parse_aggregate(other) for other in against.values() if other))
    columns = dict.fromkeys(name for listed in (by, *(part.columns for part in parts)) for name in listed)
    return tuple(columns), {"expr": text, "by": by, **against, "tolerance": tolerance}


def _held_against(settings: Mapping[str, Any], key: str) -> str:
    """An expression as text; empty: there is none."""
    value = settings.get(key)
    if value is None:
        return ""
    if isinstance(value, date):
        value = value.isoformat()
    elif not isinstance(value, str):
        given = number(value, key)
        value = str(given) if isinstance(given, int) else format(Decimal(repr(given)).normalize(), "f")
    try:
        parse_aggregate(value)
    except ExpressionError as error:
        raise ValueError(f"`{key}`: {error}") from error
    return str(value)


def _drift(settings: Mapping[str, Any]) -> Params:
    given = [key for key in ("psi", "ks") if settings.get(key) is not None]
    if len(given) != 1:
        raise ValueError("needs `psi` or `ks`, how far the values may have drifted, such as `psi: 0.2`")
    measure = given[0]
    most = number(settings[measure], measure)
    if most <= 0 or (measure == "ks" and most >= 1):
        raise ValueError(f"`{measure}` must be above 0{' and below 1' if measure == 'ks' else ''}, not {most}")
    return {"measure": measure, "most": float(most)}


def _flag(settings: Mapping[str, Any], key: str) -> bool:
    value = settings.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"`{key}` must be true or false, not {value!r}")
    return value


_PARAMS: dict[str, Callable[[Mapping[str, Any]], Params]] = {
    "range": _range,
    "one_of": _one_of,
    "matches": _matches,
    "length": _counts,
    "type": _type,
    "fresh": _fresh,
    "changed": _changed,
    "row_count": _counts,
    "format": _format,
    "monotonic": _monotonic,
    "references": _references,
    "change": _change,
    "drift": _drift,
}
