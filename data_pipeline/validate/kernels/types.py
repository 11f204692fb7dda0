"""The `type` rule: the column's own type, the cells that did not parse, and text that could be more than text."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.days import DAY, no_day
from data_pipeline.validate.kernels.values import matches_text
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["type_"]

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_TEXT = {
    "integer": r"[+-]?[0-9]{1,19}",
    "float": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?",
    "decimal": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)",
    "boolean": r"(?i:true|false)",
    "date": DAY,
    "timestamp": rf"{DAY}(?:[T ]{_CLOCK}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?",
}
"""What text must look like to be read as the type."""


def type_(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the value is not of the type, or did not parse as it. A narrower type passes as a wider one."""
    wanted = rule.params["is"]
    name = rule.columns[0]
    of_value = _of_value(wanted, at, type_)

    def check(chunk: Chunk) -> tuple[int, Any]:
        unparsed = chunk.unparsed.get(name)
        if of_value is None:
            judged, mask = chunk.rows - chunk.arrays[at].null_count, None
        else:
            judged, mask = of_value(chunk)
        if unparsed is None:
            return judged, mask
        judged += unparsed.true_count  # null in the column, yet there is something to judge
        return judged, unparsed if mask is None else compute.or_(compute.fill_null(mask, False), unparsed)

    return check


def _of_value(wanted: str, at: int, type_: "pa.DataType") -> Check | None:
    """What judges the values of a column; None when its type says it all."""
    types = pa.types
    text = types.is_string(type_) or types.is_large_string(type_)
    whole = types.is_integer(type_)
    fits = {
        "string": text,
        "integer": whole,
        "float": whole or types.is_floating(type_) or types.is_decimal(type_),
        "decimal": whole or types.is_decimal(type_),
        "boolean": types.is_boolean(type_),
        "date": types.is_date(type_),
        "timestamp": types.is_timestamp(type_),
    }
    if fits[wanted]:
        return None
    if wanted == "integer" and (types.is_floating(type_) or types.is_decimal(type_)):
        return _judged_by(at, lambda array: compute.not_equal(compute.trunc(array), array), also=_infinite(type_))
    if text:
        shape = matches_text(at, _TEXT[wanted])
        return _and_calendar(at, shape) if wanted in {"date", "timestamp"} else shape
    raise CannotJudge(f"not {wanted}")


def _infinite(type_: "pa.DataType") -> "Callable[[Any], Any] | None":
    return compute.is_inf if pa.types.is_floating(type_) else None


def _judged_by(at: int, fails: Callable[[Any], Any], *, also: "Callable[[Any], Any] | None" = None) -> Check:
    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        mask = fails(array)
        if also is not None:
            mask = compute.or_(mask, also(array))
        return chunk.rows - array.null_count, mask

    return check


def _and_calendar(at: int, shape: Check) -> Check:
    """The shape of a date, and a day that exists."""

    def check(chunk: Chunk) -> tuple[int, Any]:
        judged, mask = shape(chunk)
        wrong = no_day(compute.utf8_slice_codeunits(chunk.arrays[at], 0, 10))
        if wrong is None:
            return judged, mask
        return judged, wrong if mask is None else compute.or_(mask, wrong)

    return check
