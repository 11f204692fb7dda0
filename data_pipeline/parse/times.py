"""Moments from text, numbers and naive times. Everything comes out as UTC.

A result is a pair: the converted column with nulls where a value did not fit, and the mask of those that did not fit
(`None`: all did).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from data_pipeline.parse.clock_change import KEPT, Before, by_order
from utils.arrow import compute, pa

Result = tuple["pa.Array", "pa.Array | None"]

UTC_US = pa.timestamp("us", "UTC")
UTC_NS = pa.timestamp("ns", "UTC")
_NAIVE_US = pa.timestamp("us")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - subtracted from naive times
_MICROSECOND = timedelta(microseconds=1)
_DAY_1970 = {"excel": 25_569.0, "julian": 2_440_587.5}
"""What 1970-01-01 00:00 is in each count of days."""

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800
"""Seconds from the epoch to the years that Python can tell; a millisecond epoch read as seconds lands beyond."""

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?")
_NAMED_UTC = re.compile(r"\b(?:GMT|UTC|UT)\b")
_QUICK_DIRECTIVES = re.compile(r"(?:[^%]|%[YmdHMSby])*")


@dataclass(frozen=True, slots=True)
class Zone:
    """What naive times mean: their zone, and what happens when clocks change.

    `ambiguous` (a wall time that comes twice): `infer` from the order of rows, where a single one is taken as the
    first; `first`, `second`, `reject`. `nonexistent` (a wall time that is skipped): `shift` to the moment the clocks
    change, or `reject`.
    """

    name: str = "UTC"
    ambiguous: str = "infer"
    nonexistent: str = "shift"
    before: Before | None = field(default=None, compare=False, repr=False)

    def of_a_column(self) -> "Zone":
        """The same for a column that comes in batches, one of which may end within a repeated hour."""
        return self if self.name == "UTC" or self.ambiguous != "infer" else replace(self, before=Before())


def localize(naive: "pa.Array", zone: Zone) -> Result:
    """Naive timestamps as wall times of a zone, in UTC."""
    target = pa.timestamp(naive.type.unit, "UTC")
    if zone.name == "UTC":
        return naive.cast(target), None
    first, second = _readings(naive, zone)
    result, failed = first, None
    if not first.equals(second):
        ambiguous = compute.not_equal(first, second)
        if zone.ambiguous == "second":
            result = second
        elif zone.ambiguous == "reject":
            failed = ambiguous
        elif zone.ambiguous == "infer":
            result = _by_order(naive, first, second, zone)
    _remember(naive, zone)
    if zone.nonexistent == "reject":
        # What was shifted does not come back to the same wall time.
        back = compute.local_timestamp(result.cast(pa.timestamp(naive.type.unit, zone.name)))
        skipped = compute.not_equal(back, naive)
        failed = skipped if failed is None else compute.or_(failed, skipped)
    return _without(result, failed)


def _by_order(naive: "pa.Array", first: "pa.Array", second: "pa.Array", zone: Zone) -> "pa.Array":
    """Of two readings, the one that the order of rows tells, those of the batch before included."""
    earlier = zone.before.walls if zone.before else None
    if earlier is not None and earlier.type == naive.type:
        as_first, as_second = _readings(earlier, zone)
    else:
        as_first = as_second = first.slice(0, 0)
    count = len(as_first)
    known = compute.is_valid(naive)
    early, late = (
        pa.concat_arrays([as_earlier, array.filter(known)]).cast(pa.int64()).to_numpy()
        for as_earlier, array in ((as_first, first), (as_second, second))
    )
    chosen = pa.array(by_order(early, late, _PER_SECOND[naive.type.unit])[count:], pa.int64()).cast(first.type)
    return compute.replace_with_mask(first, known, chosen)


def _readings(naive: "pa.Array", zone: Zone) -> tuple["pa.Array", "pa.Array"]:
    """Both moments that a wall time may mean; a skipped one means the moment of the change."""
    target = pa.timestamp(naive.type.unit, "UTC")
    first, second = (
        compute.assume_timezone(naive, zone.name, ambiguous=which, nonexistent="latest").cast(target)
        for which in ("earliest", "latest")
    )
    return first, second


def _remember(naive: "pa.Array", zone: Zone) -> None:
    if zone.before is None or not len(naive):
        return
    walls = naive.slice(max(0, len(naive) - KEPT)).drop_null()
    earlier = zone.before.walls
    if earlier is not None and earlier.type == walls.type and len(walls) < KEPT:
        walls = pa.concat_arrays([earlier.slice(max(0, len(earlier) + len(walls) - KEPT)), walls])
    zone.before.walls = walls


def beyond_nanoseconds(moments: "pa.Array") -> bool:
    """Whether a moment in microseconds lies outside the years 1678 to 2261, which nanoseconds reach."""
    if moments.null_count == len(moments):
        return False
    ends = compute.min_max(moments.cast(pa.int64())).as_py()
    return bool(ends["min"] * 1000 < -(2**63) or ends["max"] * 1000 >= 2**63)


def from_iso(text: "pa.Array", zone: Zone) -> Result:
    """ISO 8601 dates with times, with or without an offset, mixed if need be. Microseconds, or finer if needed."""
    for unit in ("us", "ns"):
        try:
            return text.cast(pa.timestamp(unit, "UTC")), None
        except pa.ArrowInvalid:
            pass
        try:
            naive = text.cast(pa.timestamp(unit))
        except pa.ArrowInvalid:
            continue
        return localize(naive, zone)
    return _one_by_one(text, _read_iso, zone)


def iso_strict(text: "pa.Array", zone: Zone) -> "pa.Array | None":
    """As `from_iso`, or `None` when one cell does not fit; used to infer types."""
    result, failed = from_iso(text, zone)
    return None if failed is not None else result


def from_format(text: "pa.Array", pattern: str, zone: Zone) -> Result:
    """Text by strptime directives, as Python's `datetime.strptime` reads them."""

    def read(value: str) -> datetime:
        # Mail dates say GMT where others say +0000; Python takes it for the name of a zone and forgets it.
        named = _NAMED_UTC.search(value) if "%z" in pattern or "%Z" in pattern else None
        if named and "%z" in pattern:
            value = _NAMED_UTC.sub("+0000", value)
        found = datetime.strptime(value.strip(), pattern)  # noqa: DTZ007 - naive times take the zone later
        return found.replace(tzinfo=UTC) if named and found.tzinfo is None else found

    if not _QUICK_DIRECTIVES.fullmatch(pattern) or len(text) < 200:
        return _one_by_one(text, read, zone)
    # Arrow's strptime is quick, but 31 February becomes 2 March: what fails or lands on the first three days of a
    # month is read again by Python.
    quick = compute.strptime(text, format=pattern, unit="us", error_is_null=True)
    doubtful = compute.or_(compute.is_null(quick), compute.less_equal(compute.fill_null(compute.day(quick), 1), 3))
    naive, _ = _naive_one_by_one(compute.if_else(doubtful, text, pa.scalar(None, pa.string())), read)
    naive = compute.if_else(doubtful, naive, quick)
    result, failed = localize(naive, zone)
    return _with_failed(result, failed, compute.and_(compute.is_valid(text), compute.is_null(naive)))


def from_epoch(numbers: "pa.Array", unit: str) -> Result:
    """A count since 1970 (`epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`), whole or with fractions, up to the year 9999.

    Nanoseconds reach to 2262; the result has them only when one of them needs it.
    """
    per_second = _PER_SECOND[unit.removeprefix("epoch_")]
    low, high = max(_YEAR_1 * per_second, -(2**63)), min(_YEAR_10000 * per_second, 2**63 - 1)
    fits = compute.and_(compute.greater_equal(numbers, low), compute.less(numbers, high))
    failed = None
    if compute.all(fits).as_py() is False:
        failed = compute.invert(fits)
        numbers = compute.if_else(fits, numbers, pa.scalar(None, numbers.type))
    factor = max(1, 1_000_000 // per_second)
    if pa.types.is_integer(numbers.type):
        counts = compute.multiply(numbers.cast(pa.int64()), factor)
    elif pa.types.is_decimal(numbers.type):
        counts = pa.array([None if value is None else int(value * factor) for value in numbers.to_pylist()], pa.int64())
    else:
        counts = compute.round(compute.multiply(numbers, float(factor))).cast(pa.int64())
    if unit != "epoch_ns":
        return counts.cast(UTC_US), failed
    moments = counts.cast(UTC_NS)
    try:
        return moments.cast(UTC_US), failed
    except pa.ArrowInvalid:
        return moments, failed


def from_days(numbers: "pa.Array", unit: str, zone: Zone) -> Result:
    """Numbers that count days, with fractions, to the millisecond.

    `excel`: days since 1899-12-30, wall times of the zone. (Before March 1900 Excel itself shows a day more, because
    it takes 1900 for a leap year.) `julian`: days since noon of 4713-11-24 BC, Greenwich; 2440587.5 is 1970-01-01.
    """
    naive, failed = _days(numbers, unit)
    result, skipped = localize(naive, Zone() if unit == "julian" else zone)
    return (result, failed) if skipped is None else _with_failed(result, failed, skipped)


def dates_from_days(numbers: "pa.Array", unit: str) -> Result:
    """The calendar days of what `from_days` reads; of Julian days those in Greenwich."""
    naive, failed = _days(numbers, unit)
    return naive.cast(pa.date32(), safe=False), failed


def _days(numbers: "pa.Array", unit: str) -> Result:
    # Excel and most catalogues are exact to a millisecond; the digits beyond are noise of the fraction.
    since_1970 = compute.subtract(numbers.cast(pa.float64(), safe=False), _DAY_1970[unit])
    fits = compute.and_(
        compute.greater_equal(since_1970, _YEAR_1 / 86_400), compute.less(since_1970, _YEAR_10000 / 86_400)
    )
    failed = None
    if compute.all(fits).as_py() is False:
        failed = compute.fill_null(compute.invert(fits), False)
        since_1970 = compute.if_else(fits, since_1970, pa.scalar(None, pa.float64()))
    millis = compute.round(compute.multiply(since_1970, 86_400_000.0)).cast(pa.int64())
    return compute.multiply(millis, 1_000).cast(_NAIVE_US), failed


def from_dates(dates: "pa.Array", zone: Zone) -> Result:
    """Calendar dates as the moment their day begins in the zone."""
    return localize(dates.cast(_NAIVE_US), zone)


def dates_from_text(text: "pa.Array", pattern: str | None) -> Result:
    """Calendar dates: ISO 8601 or by strptime directives. A time of day is dropped, offsets are ignored."""
    if pattern is None:
        try:
            return text.cast(pa.date32()), None
        except pa.ArrowInvalid:
            pass

        def read(value: str) -> datetime:
            value = value.strip()
            if len(value) <= len("2000-01-01"):
                return datetime.fromisoformat(value)
            return _read_iso(value).replace(tzinfo=None)

        naive, failed = _naive_one_by_one(text, read)
        return naive.cast(pa.date32(), safe=False), failed
    result, failed = from_format(text, pattern, Zone())
    return result.cast(pa.timestamp("us")).cast(pa.date32(), safe=False), failed


def moment(value: Any, zone: Zone) -> datetime | None:
    """One moment from a JSON value: an ISO or mail-style text, epoch seconds, or epoch milliseconds (by size)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float):
            # 1e11 s is the year 5138 and 1e11 ms is 1973, so the size tells the unit.
            return datetime.fromtimestamp(value / 1000 if abs(value) >= 1e11 else value, UTC)
        text = str(value).strip()
        if text.lstrip("-").replace(".", "", 1).isdigit() and len(text) >= 9:
            return moment(float(text), zone)
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            read = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return aware(read, zone)


def aware(value: datetime, zone: Zone) -> datetime:
    """A moment in UTC; a naive one is a wall time of the zone. Before or after all years: the first, the last."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone.name), fold=1 if zone.ambiguous == "second" else 0)
    try:
        return value.astimezone(UTC)
    except OverflowError:  # its zone takes it out of the years 1 to 9999
        return datetime.min.replace(tzinfo=UTC) if value.year == 1 else datetime.max.replace(tzinfo=UTC)


def start_of(day: date, zone: Zone) -> datetime:
    return aware(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 - made aware here


def _read_iso(value: str) -> datetime:
    match = _ISO.fullmatch(value.strip())
    if match is None:
        return datetime.fromisoformat(value.strip()) if len(value.strip()) == len("2000-01-01") else _refuse(value)
    day, time, offset = match.groups()
    if offset in {"UTC", "GMT", "z"}:
        offset = "Z"
    return datetime.fromisoformat(f"{day}T{time.replace(',', '.')}{offset or ''}")


def _refuse(value: str) -> datetime:
    raise ValueError(value)


def _one_by_one(text: "pa.Array", read: Callable[[str], datetime], zone: Zone) -> Result:
    """Each different text once through Python; cells with an offset and naive ones may stand side by side."""
    encoded = text.dictionary_encode()
    naive: list[int | None] = []
    fixed: list[int | None] = []
    for value in encoded.dictionary.to_pylist():
        with_offset = without = None
        try:
            when = read(value)
            if when.tzinfo is None:
                without = (when - _EPOCH_NAIVE) // _MICROSECOND
            else:
                with_offset = (when - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            pass
        naive.append(without)
        fixed.append(with_offset)
    wall = pa.array(naive, pa.int64()).cast(_NAIVE_US).take(encoded.indices)
    sure = pa.array(fixed, pa.int64()).cast(UTC_US).take(encoded.indices)
    result, failed = localize(wall, zone)
    result = compute.coalesce(sure, result)
    unread = compute.and_(compute.is_valid(text), compute.and_(compute.is_null(wall), compute.is_null(sure)))
    return _with_failed(result, failed, unread)


def _naive_one_by_one(text: "pa.Array", read: Callable[[str], datetime]) -> Result:
    encoded = text.dictionary_encode()
    values: list[int | None] = []
    for value in encoded.dictionary.to_pylist():
        try:
            values.append((read(value) - _EPOCH_NAIVE) // _MICROSECOND)
        except (ValueError, OverflowError):
            values.append(None)
    result = pa.array(values, pa.int64()).cast(_NAIVE_US).take(encoded.indices)
    failed = compute.and_(compute.is_valid(text), compute.is_null(result))
    return result, failed if compute.any(failed).as_py() else None


def _with_failed(result: "pa.Array", failed: "pa.Array | None", more: "pa.Array") -> Result:
    if failed is not None:
        more = compute.or_(more, compute.fill_null(failed, False))
    return result, more if compute.any(more).as_py() else None


def _without(result: "pa.Array", failed: "pa.Array | None") -> Result:
    if failed is None or not compute.any(failed).as_py():
        return result, None
    return compute.if_else(failed, pa.scalar(None, result.type), result), compute.fill_null(failed, False)
