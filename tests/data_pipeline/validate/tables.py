"""Random tables and rules for the property tests: nulls, NaN, 2^53+1, extremes, Unicode, times, decimals."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.validate.arguments import TYPES
from data_pipeline.validate.rules import Rule, parse_rule
from utils.arrow import pa

NOW = datetime(2026, 1, 1, tzinfo=UTC)

SCHEMA = pa.schema(
    [
        ("whole", pa.int64()),
        ("small", pa.uint8()),
        ("float", pa.float64()),
        ("single", pa.float32()),
        ("price", pa.decimal128(10, 2)),
        ("text", pa.string()),
        ("category", pa.dictionary(pa.int32(), pa.string())),
        ("flag", pa.bool_()),
        ("time", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("zoned", pa.timestamp("ms", "Europe/Istanbul")),
        ("wide", pa.large_string()),
    ]
)
_BIG = [2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
_TIMES = st.datetimes(datetime(2025, 12, 31), datetime(2026, 1, 2)).map(lambda found: found.replace(tzinfo=UTC))
_TEXT = st.sampled_from(
    [
        "",
        "a",
        "ab",
        "abc\n",
        "é",
        "٣",
        "🎉🎉",
        "ß",
        "1",
        "12",
        "A",
        "a b",
        "-1.5",
        "1e5",
        "TRUE",
        "2026-02-28",
        "2026-02-29",
        "2026-02-28T23:59:60",
    ]
)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "whole": st.sampled_from(_BIG) | st.integers(-3, 3),
    "small": st.integers(0, 4) | st.just(255),
    "float": st.sampled_from([float("nan"), float("inf"), -0.0, 0.0, 0.1, 2.5, float(2**53)]) | st.floats(-3, 3),
    "single": st.sampled_from([float("nan"), 0.5, 1.0, -0.0, 0.0, 2.5]),
    "price": st.decimals(-3, 3, places=2, allow_nan=False),
    "text": _TEXT,
    "category": _TEXT,
    "flag": st.booleans(),
    "time": _TIMES | st.just(NOW),
    "day": st.dates(date(2025, 12, 30), date(2026, 1, 3)),
    "zoned": st.datetimes(datetime(2025, 12, 31, 23), datetime(2026, 1, 1, 1)).map(
        lambda found: found.replace(microsecond=0, tzinfo=UTC)
    ),
    "wide": _TEXT,
}
NAMES = sorted(_VALUES)


def rows(max_size: int = 12) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries({name: st.none() | values for name, values in _VALUES.items()})
    return st.lists(row, max_size=max_size)


_NUMBER = st.sampled_from([-2, 0, 1, 0.1, 2.5, 1.005, 2**53, 2**53 + 1, 2**70, -(2**70)]) | st.integers(-3, 3)
_MOMENT = st.sampled_from([NOW, "2026-01-01T12:00:00Z", "2025-12-31", date(2026, 1, 2)])


_TYPES = {
    **dict.fromkeys(["text", "category", "wide"], TYPES),
    **dict.fromkeys(["whole", "small", "price"], ("integer", "float", "decimal")),
    **dict.fromkeys(["float", "single"], ("integer", "float")),
    **dict.fromkeys(["time", "zoned"], ("timestamp",)),
    "day": ("date",),
    "flag": ("boolean",),
}
"""Column -> the types that its values may be judged as."""


def _ordered(bounds: tuple[Any, Any], exclusive: bool) -> dict[str, Any]:
    low, high = bounds
    found = {"min": low, "max": high, "exclusive": exclusive}
    if low is not None and high is not None and Decimal(str(low)) > Decimal(str(high)):
        found |= {"min": high, "max": low}
    return {key: value for key, value in found.items() if value is not None}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One row rule that fits its column."""
    kinds = ["not_null", "unique", "range", "one_of", "matches", "length", "type", "not_in_future"]
    kind = draw(st.sampled_from(kinds))
    raw: dict[str, Any] = {"severity": draw(st.sampled_from(["warning", "error", "critical"]))}
    if kind == "not_null":
        raw[kind] = draw(st.sampled_from(NAMES))
    elif kind == "unique":
        raw[kind] = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    elif kind == "range":
        raw[kind] = _range(draw)
    elif kind == "one_of":
        column = draw(st.sampled_from(NAMES))
        allowed = _VALUES[column].filter(lambda value: value == value) | st.sampled_from([1, "1", True, 2.5, 0.1, 0])
        raw[kind] = {"column": column, "values": draw(st.lists(allowed, min_size=1, max_size=3))}
        if column in {"time", "day", "zoned"}:
            moments = [v for v in raw[kind]["values"] if not isinstance(v, str)]
            raw[kind]["values"] = [v for v in moments if isinstance(v, datetime) == (column != "day")] or [0]
    elif kind == "matches":
        pattern = draw(st.sampled_from([r"[a-z]+", r"\d", r"\w", r"a|ab", r"", r".b?c?", r"^a$"]))
        raw[kind] = {"column": draw(st.sampled_from(["text", "category", "wide"])), "pattern": pattern}
    elif kind == "type":
        column = draw(st.sampled_from(sorted(_TYPES)))
        raw[kind] = {"column": column, "is": draw(st.sampled_from(_TYPES[column]))}
    elif kind == "length":
        bounds = draw(st.sampled_from([{"min": 1}, {"max": 1}, {"min": 1, "max": 2}, {"min": 0}]))
        raw[kind] = {"column": draw(st.sampled_from(["text", "category", "wide"])), **bounds}
    else:
        raw[kind] = draw(st.sampled_from(["time", "day", "zoned"]))
    return parse_rule(raw)[0]


def _range(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        bound = {draw(st.sampled_from(["min", "max"])): draw(_MOMENT)}
        return {"column": draw(st.sampled_from(["time", "day"])), **bound, "exclusive": draw(st.booleans())}
    pair = draw(st.tuples(_NUMBER, _NUMBER) | st.tuples(_NUMBER, st.none()) | st.tuples(st.none(), _NUMBER))
    column = draw(st.sampled_from(["whole", "small", "float", "single", "price"]))
    return {"column": column, **_ordered(pair, draw(st.booleans()))}


def table(found: list[dict[str, Any]]) -> pa.Table:
    arrays = []
    for field in SCHEMA:
        values = [row[field.name] for row in found]
        if pa.types.is_dictionary(field.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(values, field.type, from_pandas=False))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def batch(found: pa.Table, cuts: list[int] | None = None) -> Batch:
    """A batch whose record batches end at these rows."""
    return Batch.from_batches(_pieces(found, cuts or []), schema=found.schema, provenance=Provenance("test", NOW))


def _pieces(found: pa.Table, cuts: list[int]) -> Iterator[pa.RecordBatch]:
    for part in parts(found, cuts):
        yield from part.combine_chunks().to_batches()


def parts(found: pa.Table, cuts: list[int]) -> list[pa.Table]:
    """The table cut before these rows; at least one part, maybe an empty one."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < found.num_rows}), found.num_rows]
    return [found.slice(start, end - start) for start, end in pairwise(edges)]
