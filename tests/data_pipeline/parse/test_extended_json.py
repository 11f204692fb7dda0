"""Wrapped values of MongoDB arrive as what they wrap."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.data_pipeline.parse.reading import read, rows, types


@pytest.mark.parametrize(
    ("wrapped", "value"),
    [
        ({"$numberLong": "1772398800"}, 1772398800),
        ({"$numberLong": "9223372036854775807"}, 9223372036854775807),
        ({"$numberInt": "-3"}, -3),
        ({"$numberDouble": "2.5"}, 2.5),
        ({"$numberDouble": "NaN"}, None),
        ({"$numberDecimal": "12.3400"}, Decimal("12.3400")),
        ({"$oid": "507f1f77bcf86cd799439011"}, "507f1f77bcf86cd799439011"),
        ({"$date": "2024-01-02T03:04:05.678Z"}, datetime(2024, 1, 2, 3, 4, 5, 678000, UTC)),
        ({"$date": {"$numberLong": "1704164645678"}}, datetime(2024, 1, 2, 3, 4, 5, 678000, UTC)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrapped_value_is_the_value(wrapped, value):
    """In a column of its own name, beside nulls."""
    data = json.dumps([{"x": wrapped}, {"x": None}]).encode()

    assert rows(data) == [{"x": value}, {"x": None}]


def test_wrapped_and_bare_numbers_are_one_column():
    """Relaxed and canonical writing in one feed."""
    batch = read(b'{"n": {"$numberLong": "5"}}\n{"n": 7}\n')

    assert types(batch) == {"n": "int64"}
    assert batch.table["n"].to_pylist() == [5, 7]


@pytest.mark.parametrize(
    "value",
    [{"$numberLong": "many"}, {"$date": "soon"}, {"$oid": 3}, {"$numberDecimal": "1e99"}, {"$numberLong": "1_0"}],
)
def test_what_is_wrapped_wrongly_stays_an_object(value):
    """Nothing is guessed; the column shows what came."""
    [(key, inner)] = value.items()

    assert rows(json.dumps([{"x": value}]).encode()) == [{f"x.{key}": inner}]


def test_nan_as_text_is_no_number_and_no_text():
    """In a column otherwise numeric it is null, in JSON as in CSV; among words it is a word."""
    assert rows(b'[{"a": "NaN", "b": "nan"}, {"a": 1.5, "b": "x"}]') == [{"a": None, "b": "nan"}, {"a": 1.5, "b": "x"}]
    assert rows(b"a,b\nNaN,nan\n1.5,x\n") == [{"a": None, "b": "nan"}, {"a": 1.5, "b": "x"}]


def test_names_that_differ_in_case_are_two_columns():
    """`Id` beside `ID`."""
    assert rows(b'[{"Id": 1, "ID": 2}]') == [{"Id": 1, "ID": 2}]
    assert rows(b"Id,ID\n1,2\n") == [{"Id": 1, "ID": 2}]


def test_integers_beyond_64_bits_are_decimals():
    """Every digit counts, in JSON, CSV and XML."""
    big = 18446744073709551616

    assert rows(f'[{{"n": {big}}}]'.encode()) == [{"n": Decimal(big)}]
    assert rows(f"n\n{big}\n1\n".encode()) == [{"n": Decimal(big)}, {"n": Decimal(1)}]
    assert rows(f"<a><r><n>{big}</n></r><r><n>1</n></r></a>".encode()) == [{"n": Decimal(big)}, {"n": Decimal(1)}]
