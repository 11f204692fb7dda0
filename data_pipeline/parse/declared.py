"""Columns whose type the user declared: what does not fit becomes null here and keeps its text elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from data_pipeline.parse.native import as_text, plain
from data_pipeline.parse.numbers import WIDE, NumberStyle, no_nan, to_decimals, to_floats, to_integers
from data_pipeline.parse.options import DAY_COUNTS, EPOCHS, ColumnOptions
from data_pipeline.parse.times import (
    UTC_NS,
    UTC_US,
    Result,
    Zone,
    dates_from_days,
    dates_from_text,
    from_dates,
    from_days,
    from_epoch,
    from_format,
    from_iso,
)
from utils.arrow import compute, pa

_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "decimal": pa.decimal128(38, 0),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": UTC_US,
}
_TRUE = (
    *("true", "t", "yes", "y", "1", "1.0", "on"),
    *("j", "ja", "wahr", "oui", "vrai", "si", "sí", "evet", "doğru"),
)
_FALSE = (
    *("false", "f", "no", "n", "0", "0.0", "off"),
    *("nein", "nee", "falsch", "non", "faux", "hayır", "hayir", "yanlış", "yanliş"),
)
"""In lower case as Arrow makes it, which turns a Turkish capital I into i."""

_NOTHING = pa.scalar(None, pa.string())


@dataclass(frozen=True, slots=True)
class _How:
    style: NumberStyle
    zone: Zone
    format: str | None


class DeclaredColumn:
    """One declared column over all batches.

    Types: string utf8, integer int64 (decimal128(38, 0) when one is wider), float float64, decimal decimal128(38, s)
    with the scale the data needs, boolean bool, date date32, timestamp[us, UTC] (ns when text needs it).
    """

    def __init__(
        self, options: ColumnOptions, *, na_values: tuple[str, ...] = (), style: NumberStyle, zone: Zone
    ) -> None:
        assert options.type is not None
        self._options = options
        self._zone = zone.of_a_column()
        self._how = _How(style, self._zone, options.format)
        self._na = pa.array(na_values, pa.string()) if na_values else None
        self._read = _READERS[options.type]
        self._type = _TYPES[options.type]

    def read(self, array: "pa.Array") -> Result:
        """A batch's column in its type, and the mask of cells that did not fit."""
        result, failed = self._typed(array)
        kind = result.type
        if kind == self._type:
            return result, failed
        if pa.types.is_decimal(kind):
            before = self._type.scale if pa.types.is_decimal(self._type) else 0
            self._type = pa.decimal128(38, max(before, kind.scale))
        elif kind == UTC_NS:
            self._type = UTC_NS
        return result, failed

    def settle(self) -> "pa.DataType":
        return self._type

    def widen(self, typed: "pa.Array") -> "pa.Array | None":
        """What `read` gave, in the settled type; None when a cell has no room in it."""
        try:
            return _cast(typed, self._type)
        except pa.ArrowInvalid:
            return None

    def convert(self, array: "pa.Array") -> Result:
        """A batch's column in the settled type. Digits that only another batch needs may push a cell out."""
        result, failed = self._typed(array)
        if result.type == self._type:
            return result, failed
        try:
            return _cast(result, self._type), failed
        except pa.ArrowInvalid:
            return _cast_each(result, failed, self._type)

    def _typed(self, array: "pa.Array") -> Result:
        array, odd = plain(array, self._zone)
        if pa.types.is_null(array.type):
            return pa.nulls(len(array), _TYPES[self._options.type or "string"]), None
        if self._na is not None and pa.types.is_string(array.type):
            array = compute.if_else(compute.is_in(array, value_set=self._na), _NOTHING, array)
        result, failed = self._read(array, self._how)
        if self._options.scale is not None:
            result = _scaled(result, self._options.scale)
        return result, failed if odd is None else odd if failed is None else compute.or_(failed, odd)


def declared_type(options: ColumnOptions) -> "pa.DataType":
    """The type of a declared column that was never sent."""
    return _TYPES[options.type] if options.type else pa.null()


def kind_of(kind: "pa.DataType") -> str:
    """The configuration's word for a type (`decimal` whatever its scale); what it has no word for is `other`."""
    checks: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
        ("string", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t)),
        ("integer", pa.types.is_integer),
        ("float", pa.types.is_floating),
        ("boolean", pa.types.is_boolean),
        ("date", pa.types.is_date),
        ("timestamp", pa.types.is_timestamp),
        ("decimal", pa.types.is_decimal),
        ("null", pa.types.is_null),
    )
    return next((word for word, check in checks if check(kind)), "other")


def _string(array: "pa.Array", _how: "_How") -> Result:
    return as_text(array), None


def _integer(array: "pa.Array", how: "_How") -> Result:
    kind = array.type
    if pa.types.is_string(kind):
        return to_integers(array, how.style)
    if pa.types.is_uint64(kind):
        try:
            return array.cast(pa.int64()), None
        except pa.ArrowInvalid:
            return array.cast(WIDE), None
    if pa.types.is_integer(kind):
        return array.cast(pa.int64()), None
    if pa.types.is_floating(kind):
        # Beyond 2^53 a float no longer says which integer was meant.
        whole = compute.and_(compute.equal(compute.floor(array), array), compute.less_equal(compute.abs(array), 2**53))
        array, failed = _only(array, whole)
        return array.cast(pa.int64()), failed
    if pa.types.is_decimal(kind):
        return to_integers(as_text(array))
    return _nothing_fits(array, pa.int64())


def _float(array: "pa.Array", how: "_How") -> Result:
    kind = array.type
    if pa.types.is_string(kind):
        return to_floats(array, how.style)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return no_nan(array.cast(pa.float64(), safe=False)), None
    return _nothing_fits(array, pa.float64())


def _decimal(array: "pa.Array", how: "_How") -> Result:
    kind = array.type
    if pa.types.is_string(kind):
        return to_decimals(array, how.style)
    if pa.types.is_integer(kind):
        return array.cast(WIDE), None
    if pa.types.is_decimal(kind):
        return to_decimals(as_text(array))
    if pa.types.is_floating(kind):
        return to_decimals(as_text(array))  # the shortest text of a float is the decimal that was sent
    return _nothing_fits(array, pa.decimal128(38, 0))


def _boolean(array: "pa.Array", _how: "_How") -> Result:
    kind = array.type
    if pa.types.is_boolean(kind):
        return array, None
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return _nothing_fits(array, pa.bool_())
    if pa.types.is_string(kind):
        try:
            return array.cast(pa.bool_()), None  # true, false, 1, 0: the usual words in one step
        except pa.ArrowInvalid:
            pass
    text = compute.utf8_lower(compute.utf8_trim_whitespace(as_text(array)))
    blank = compute.equal(text, "")
    true, false = (compute.is_in(text, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
    known = compute.or_(true, false)
    failed = compute.and_(compute.and_(compute.is_valid(text), compute.invert(known)), compute.invert(blank))
    failed = compute.fill_null(failed, False)
    return compute.if_else(known, true, pa.scalar(None, pa.bool_())), failed if compute.any(failed).as_py() else None


def _date(array: "pa.Array", how: "_How") -> Result:
    kind = array.type
    if how.format in EPOCHS:
        moments, failed = _epoch(array, how)
        return _day_in(moments, how.zone), failed
    if how.format in DAY_COUNTS and not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        return _counted(array, how, lambda numbers: dates_from_days(numbers, str(how.format)), pa.date32())
    if pa.types.is_string(kind):
        if how.format is None:
            try:
                return array.cast(pa.date32()), None
            except pa.ArrowInvalid:
                pass
        return dates_from_text(_blank_to_null(array), how.format)
    if pa.types.is_date(kind):
        return array.cast(pa.date32()), None
    if pa.types.is_timestamp(kind):
        return _day_in(array, how.zone), None
    if how.format is not None and pa.types.is_integer(kind):  # 20240131 with %Y%m%d
        return dates_from_text(as_text(array), how.format)
    return _nothing_fits(array, pa.date32())


def _timestamp(array: "pa.Array", how: "_How") -> Result:
    kind = array.type
    if how.format in EPOCHS and not pa.types.is_timestamp(kind):
        return _epoch(array, how)
    if how.format in DAY_COUNTS and not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        return _counted(array, how, lambda numbers: from_days(numbers, str(how.format), how.zone), UTC_US)
    if pa.types.is_string(kind) or (how.format is not None and pa.types.is_integer(kind)):
        text = as_text(array)
        if how.format is None:
            try:
                return text.cast(UTC_US), None  # the usual case: ISO 8601 with offsets
            except pa.ArrowInvalid:
                pass
        text = _blank_to_null(text)
        return from_format(text, how.format, how.zone) if how.format else from_iso(text, how.zone)
    if pa.types.is_timestamp(kind):
        return (array if kind == UTC_NS else array.cast(UTC_US)), None
    if pa.types.is_date(kind):
        result, failed = from_dates(array, how.zone)
        return result.cast(UTC_US), failed
    return _nothing_fits(array, UTC_US)


_READERS: dict[str, Callable[["pa.Array", _How], Result]] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}


def _epoch(array: "pa.Array", how: "_How") -> Result:
    return _counted(array, how, lambda numbers: from_epoch(numbers, how.format or "epoch_s"), UTC_US)


def _counted(array: "pa.Array", how: "_How", read: "Callable[[pa.Array], Result]", target: "pa.DataType") -> Result:
    """Times that are written as a count of something, as numbers or as text."""
    kind, failed = array.type, None
    if pa.types.is_string(kind):
        array, failed = to_decimals(array, how.style)
        if array.type.scale == 0:
            array = array.cast(WIDE)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return _nothing_fits(array, target)
    result, beyond = read(array)
    if beyond is not None:
        beyond = compute.fill_null(beyond, False)
    return result, failed if beyond is None else beyond if failed is None else compute.or_(failed, beyond)


def _day_in(moments: "pa.Array", zone: Zone) -> "pa.Array":
    """The calendar day it was in the zone."""
    local = compute.local_timestamp(moments.cast(pa.timestamp(moments.type.unit, zone.name)))
    return local.cast(pa.date32(), safe=False)


def _scaled(numbers: "pa.Array", factor: Decimal) -> "pa.Array":
    kind = numbers.type
    if pa.types.is_floating(kind):
        return compute.multiply(numbers, float(factor))
    if pa.types.is_integer(kind):
        try:
            return compute.multiply_checked(numbers, int(factor))
        except pa.ArrowInvalid:
            numbers = numbers.cast(WIDE)
    with localcontext(prec=100):  # 38 digits times any factor, exactly
        text = [None if value is None else format(value * factor, "f") for value in numbers.to_pylist()]
    scaled = pa.array(text, pa.string())
    return to_decimals(scaled)[0]


def _blank_to_null(text: "pa.Array") -> "pa.Array":
    blank = compute.equal(compute.utf8_trim_whitespace(text), "")
    return compute.if_else(blank, _NOTHING, text) if compute.any(blank).as_py() else text


def _only(array: "pa.Array", fits: "pa.Array") -> Result:
    if compute.all(fits).as_py() is not False:
        return array, None
    return compute.if_else(fits, array, pa.scalar(None, array.type)), compute.fill_null(compute.invert(fits), False)


def _nothing_fits(array: "pa.Array", kind: "pa.DataType") -> Result:
    failed = compute.is_valid(array)
    return pa.nulls(len(array), kind), failed if compute.any(failed).as_py() else None


def _cast(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """As Arrow casts, but a decimal with too many digits for the new scale is refused; Arrow lets it wrap round."""
    if pa.types.is_decimal(kind) and pa.types.is_decimal(array.type) and array.null_count < len(array):
        ends = compute.min_max(array).as_py()
        if not all(_has_room(end, kind) for end in ends.values()):
            raise pa.ArrowInvalid("too many digits")
    return array.cast(kind)


def _has_room(value: Decimal, kind: "pa.DataType") -> bool:
    return value == 0 or value.adjusted() + 1 + kind.scale <= kind.precision


def _cast_each(array: "pa.Array", failed: "pa.Array | None", kind: "pa.DataType") -> Result:
    """Cell by cell where the common type has no room for one of them."""
    cells, bad = [], []
    for cell in array:
        try:
            cells.append(_cast(pa.array([cell.as_py()], array.type), kind)[0].as_py())
            bad.append(False)
        except pa.ArrowInvalid:
            cells.append(None)
            bad.append(True)
    more = pa.array(bad, pa.bool_())
    return pa.array(cells, kind), more if failed is None else compute.or_(failed, more)
