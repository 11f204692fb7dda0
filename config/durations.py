"""Durations such as `200ms 30s 15m 2h 7d` as float seconds, sizes such as `64MB` as int bytes, and back."""

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from config.errors import Fault, shown

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_D = 36_500
"""Days: a hundred years. No calendar begins, and no clock can be waited for, much longer than that."""

_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)")
_BYTES = (
    {"b": 1}
    | {f"{p}b": 1000**n for n, p in enumerate("kmgt", 1)}
    | {f"{p}ib": 1024**n for n, p in enumerate("kmgt", 1)}
)
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([kmgt]?i?b)", re.IGNORECASE)


def parse_duration(value: object) -> float:
    """Seconds of a duration as written. Only zero needs no unit.

    >>> parse_duration("200ms"), parse_duration("15m"), parse_duration(0)
    (0.2, 900.0, 0.0)

    Raises:
        ValueError: it is not a number followed by `ms`, `s`, `m`, `h` or `d`, or is longer than a hundred years.
    """
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found:
            seconds = float(found[1]) / 1000 if found[2] == "ms" else float(found[1]) * _SECONDS[found[2]]
            if seconds > _LONGEST_D * _SECONDS["d"]:
                raise Fault(f"expected at most {_LONGEST_D}d, got {shown(value)}", hint="That is a hundred years.")
            return seconds
        if value.strip() == "0":
            return 0.0
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        if math.isfinite(value) and value > 0:
            raise Fault(
                f"expected a duration such as `15m`, got {shown(value)}", hint=f"Add a unit: `{shown(value)[1:-1]}s`?"
            )
    raise Fault(f"expected a duration such as `15m`, got {shown(value)}", hint="Units are ms, s, m, h and d.")


def format_duration(seconds: float) -> str:
    """The shortest exact way to write it.

    >>> format_duration(900.0), format_duration(0.25), format_duration(90.0)
    ('15m', '250ms', '90s')
    """
    if seconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        count = seconds / _SECONDS[unit]
        if count.is_integer():
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:.9g}ms" if seconds < 1 else f"{seconds:.9f}".rstrip("0") + "s"


def parse_size(value: object) -> int:
    """Bytes of a size as written: `64MB` is 64,000,000, `64MiB` is 67,108,864; a bare integer is bytes.

    >>> parse_size("64MB"), parse_size("1.5KiB"), parse_size(10)
    (64000000, 1536, 10)

    Raises:
        ValueError: it is not a number followed by `B KB MB GB TB` or `KiB MiB GiB TiB`.
    """
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found:
            return int(float(found[1]) * _BYTES[found[2].lower()])
        if value.strip().isascii() and value.strip().isdigit() and len(value) < 19:
            return int(value)
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise Fault(
        f"expected a size such as `64MB`, got {shown(value)}", hint="Units are B, KB, MB, GB, TB, or KiB, MiB, ..."
    )


def format_size(size: int) -> str:
    """The shortest exact way to write it.

    >>> format_size(2_000_000_000), format_size(1536), format_size(1001)
    ('2GB', '1536B', '1001B')
    """
    for unit in ("TB", "GB", "MB", "KB"):
        if size and size % _BYTES[unit.lower()] == 0:
            return f"{size // _BYTES[unit.lower()]}{unit}"
    return f"{size}B"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$", "examples": ["15m"]}),
]
"""Float seconds in Python, `15m` in files and in JSON."""


def _some_time(seconds: float) -> float:
    if seconds <= 0:
        raise Fault("expected longer than 0s")
    return seconds


SomeTime = Annotated[Duration, AfterValidator(_some_time)]
"""A duration that is not zero."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["64MB"]}),
]
"""Int bytes in Python, `64MB` in files and in JSON."""
