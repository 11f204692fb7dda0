"""The same small columns and the same rules, for us and for others. Nothing but the standard library is needed here.

A case says what is judged in the words of our configuration; `record.py` says the same in the words of the others.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

NOW = datetime(2026, 1, 1, tzinfo=UTC)

BIG = 2**53


class Case(NamedTuple):
    """Columns (name -> Arrow type and values) and one rule on them."""

    columns: dict[str, tuple[str, list[Any]]]
    rule: dict[str, Any]


def _one(type_: str, values: list[Any], rule: dict[str, Any]) -> Case:
    return Case({"x": (type_, values)}, rule)


FLOATS: list[Any] = [1.0, float("nan"), None, 200.0, 100.0, 0.0]
TEXTS: list[Any] = ["abc", "abc\n", "é", "٣", "", None, "ABC"]
EMPTY: list[Any] = []

CASES: dict[str, Case] = {
    "not_null": _one("int64", [1, None, 3], {"not_null": "x"}),
    "not_null, NaN": _one("float64", FLOATS, {"not_null": "x"}),
    "not_null, empty text": _one("string", ["", None, " "], {"not_null": "x"}),
    "range": _one("int64", [-1, 0, 50, 100, 101], {"range": {"column": "x", "min": 0, "max": 100}}),
    "range, null and NaN": _one("float64", FLOATS, {"range": {"column": "x", "min": 0, "max": 100}}),
    "range, exclusive": _one(
        "int64", [-1, 0, 50, 100, 101], {"range": {"column": "x", "min": 0, "max": 100, "exclusive": True}}
    ),
    "range, beyond 2^53": _one("int64", [BIG, BIG + 1], {"range": {"column": "x", "min": 0, "max": BIG}}),
    "range, beyond 2^53 beside null": _one(
        "int64", [BIG, BIG + 1, None], {"range": {"column": "x", "min": 0, "max": BIG}}
    ),
    "one_of": _one("string", ["a", "b", "z"], {"one_of": {"column": "x", "values": ["a", "b"]}}),
    "one_of, null": _one("string", ["a", None, "z"], {"one_of": {"column": "x", "values": ["a"]}}),
    "one_of, case and accents": _one("string", ["é", "E", "e"], {"one_of": {"column": "x", "values": ["e"]}}),
    "unique": _one("int64", [1, 1, 2, 3, 3, 3], {"unique": "x"}),
    "unique, null": _one("int64", [1, 1, None, None, 2], {"unique": "x"}),
    "unique, beyond 2^53": _one("int64", [BIG, BIG + 1, None], {"unique": "x"}),
    "unique, minus zero": _one("float64", [0.0, -0.0, 1.0], {"unique": "x"}),
    "unique, two columns": Case(
        {"x": ("string", ["a", "ab", "a", "a"]), "y": ("string", ["bc", "c", "bc", "d"])}, {"unique": ["x", "y"]}
    ),
    "unique, two columns, null": Case(
        {"x": ("string", ["a", "a", None, None]), "y": ("string", ["b", "b", "b", "b"])}, {"unique": ["x", "y"]}
    ),
    "matches": _one("string", TEXTS, {"matches": {"column": "x", "pattern": "[a-z]+"}}),
    "matches, a digit": _one("string", TEXTS, {"matches": {"column": "x", "pattern": r"\d"}}),
    "matches, a letter": _one("string", TEXTS, {"matches": {"column": "x", "pattern": r"\w"}}),
    "length": _one(
        "string", ["é", "e\u0301", "👩‍👩‍👧", "ab", "", None], {"length": {"column": "x", "min": 1, "max": 1}}
    ),
    "not_in_future": _one(
        "timestamp[us, tz=UTC]",
        [datetime(2025, 12, 31, tzinfo=UTC), NOW, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), None],
        {"not_in_future": "x"},
    ),
    "compare": Case({"x": ("int64", [1, 2, 3]), "y": ("int64", [1, 1, 4])}, {"compare": "x <= y"}),
    "compare, null": Case({"x": ("int64", [1, 2, None]), "y": ("int64", [None, 1, 4])}, {"compare": "x <= y"}),
    "monotonic": _one("int64", [1, 2, 2, 5], {"monotonic": "x"}),
    "row_count": _one("int64", [1, 2, 3], {"row_count": {"min": 5}}),
    "no rows: not_null": _one("int64", EMPTY, {"not_null": "x"}),
    "no rows: range": _one("int64", EMPTY, {"range": {"column": "x", "min": 0, "max": 1}}),
    "no rows: unique": _one("int64", EMPTY, {"unique": "x"}),
    "only null: range": _one("int64", [None, None], {"range": {"column": "x", "min": 0, "max": 1}}),
}
