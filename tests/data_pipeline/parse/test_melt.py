"""Wide tables become long ones, and rows that are not wanted are left out."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import PayloadUnreadable
from tests.counts import few
from tests.data_pipeline.parse.reading import read, rows, types

WIDE = b"Currency,2024-01-02,2024-01-03\nUSD,1.0956,\nTRY,32.70,33\n"
MELT = {"id": ["Currency"], "name": "date", "value": "rate"}


def test_a_wide_table_becomes_rows_in_the_order_they_are_read():
    """Row by row, column by column; gaps stay as rows without a value; headings that are dates become dates."""
    batch = read(WIDE, parse_options={"melt": MELT})

    assert types(batch) == {"Currency": "string", "date": "date32[day]", "rate": "double"}
    assert [tuple(row.values()) for row in batch.table.to_pylist()] == [
        ("USD", date(2024, 1, 2), 1.0956),
        ("USD", date(2024, 1, 3), None),
        ("TRY", date(2024, 1, 2), 32.7),
        ("TRY", date(2024, 1, 3), 33.0),
    ]


def test_declared_types_of_the_new_columns_hold_from_the_first_cell():
    """`rate: decimal` keeps the digits as sent; neither new column is missing from what was sent."""
    batch = read(
        b"Currency,02.01.2024,03.01.2024\nUSD,1.10,1.234567890123456789\n",
        parse_options={"melt": MELT},
        columns={"date": {"type": "date", "format": "%d.%m.%Y"}, "rate": "decimal", "Currency": "string"},
    )

    assert batch.table.to_pylist() == [
        {"Currency": "USD", "date": date(2024, 1, 2), "rate": Decimal("1.100000000000000000")},
        {"Currency": "USD", "date": date(2024, 1, 3), "rate": Decimal("1.234567890123456789")},
    ]
    assert batch.provenance.notes == ()


def test_texts_that_do_not_fit_move_with_their_cells():
    """An id's text stands in all its rows, a value's and a heading's in their own."""
    batch = read(
        b"n,2024-01-02,Total\nx,-,1\n2,3,4\n",
        parse_options={"melt": {"id": "n", "name": "day", "value": "v"}},
        columns={"n": "integer", "day": "date", "v": "integer"},
    )

    told = [json.loads(text) if text else None for text in batch.table[UNPARSED].to_pylist()]
    assert told == [{"n": "x", "v": "-"}, {"n": "x", "day": "Total"}, None, {"day": "Total"}]
    assert batch.table["v"].to_pylist() == [None, 1, 3, 4]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (b"1,2.5", "double", [1.0, 2.5]),
        (b"1,x", "string", ["1", "x"]),
        (b"9007199254740993,2.5", "string", ["9007199254740993", "2.5"]),
        (b"18446744073709551616,1", "decimal128(38, 0)", [Decimal(2**64), Decimal(1)]),
        (b"1,", "int64", [1, None]),
        (b",", "null", [None, None]),
    ],
    ids=["numbers", "text", "beyond 2^53", "beyond 64 bits", "a gap", "nothing"],
)
def test_values_of_several_types_take_one_that_loses_nothing(cells, kind, values):
    """As everywhere: integers beside fractions are floats when that is exact, else all is text."""
    batch = read(b"id,a,b\nk," + cells + b"\n", parse_options={"melt": {"id": "id"}})

    assert types(batch)["value"] == kind
    assert batch.table["value"].to_pylist() == values
    assert batch.table["name"].to_pylist() == ["a", "b"]


def test_json_is_melted_too():
    """An object of currencies, flattened, is as wide as any sheet."""
    data = b'[{"day": "2024-01-02", "rates": {"USD": 1.1, "TRY": 32}}]'

    assert rows(data, parse_options={"melt": {"id": "day", "name": "c", "value": "rate"}}) == [
        {"day": "2024-01-02", "c": "rates.USD", "rate": 1.1},
        {"day": "2024-01-02", "c": "rates.TRY", "rate": 32.0},
    ]


def test_a_long_wide_table_is_melted_in_parts():
    """More rows than a batch holds come out in batches of the usual size."""
    count = ROWS_PER_BATCH // 2
    batch = read(b"id,a,b,c\n" + b"1,2,3,4\n" * count, parse_options={"melt": {"id": ["id"]}})

    assert batch.rows == 3 * count
    assert max(part.num_rows for part in batch.batches()) <= ROWS_PER_BATCH


@pytest.mark.parametrize(
    ("ids", "words"),
    [(["Curency"], "no column `Curency`; there are `Currency`, "), (["Currency", "a"], "none is left")],
    ids=["misspelled", "all"],
)
def test_a_wrong_id_is_told(ids, words):
    """What is there is named."""
    with pytest.raises(PayloadUnreadable, match=words) as caught:
        read(b"Currency,a\nUSD,1\n", parse_options={"melt": {"id": ids}})

    assert caught.value.hint == "check `parse.melt.id`"


@settings(max_examples=few(60), deadline=None)
@given(st.lists(st.tuples(st.integers(), st.none() | st.integers(), st.none() | st.floats(allow_nan=False,
       allow_infinity=False)), min_size=1, max_size=9))  # fmt: skip
def test_melting_loses_no_value(table):
    """Every cell is found again at its row and name; text where the types have no common one."""
    data = "\n".join(json.dumps({"id": key, "a": a, "b": b}) for key, a, b in table).encode()

    result = rows(data, parse_options={"format": "jsonl", "melt": {"id": "id"}})

    assert [row["name"] for row in result] == ["a", "b"] * len(table)
    for sent, got in zip((cell for _, a, b in table for cell in (a, b)), result, strict=True):
        value = got["value"]
        assert (value is None) == (sent is None)
        if sent is not None:
            assert type(sent)(value) == sent


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("n > 2", [1, 2, None]),
        ("s = 'b'", [1, 3, None]),
        ("is_null(n)", [1, 2, 3]),
        ("s = 'b' or n > 2", [1, None]),
        ("day < 2024-01-02", [2, 3, None]),
        ("len(s) > 5", [1, 2, 3, None]),
    ],
)
def test_rows_go_where_the_expression_is_true(expression, left):
    """Unknown keeps the row, as a null passes a rule."""
    data = b"n,s,day\n1,a,2024-01-01\n2,b,2024-01-02\n3,c,2024-01-03\n,d,\n"

    batch = read(data, parse_options={"drop_where": expression})

    assert batch.table["n"].to_pylist() == left
    gone = 4 - len(left)
    assert batch.provenance.notes == ((f"`drop_where` left out {gone} of 4 rows",) if gone else ())


def test_gaps_of_a_wide_table_can_be_dropped_after_it_is_melted():
    """The order is columns, melt, drop_where."""
    batch = read(WIDE, parse_options={"melt": MELT, "drop_where": "is_null(rate)"})

    assert batch.rows == 3
    assert None not in batch.table["rate"].to_pylist()


@pytest.mark.parametrize(
    ("expression", "words"),
    [("nn > 2", "no column `nn`; there are `n`, `s`"), ("s > 2", "cannot compare text with a number")],
    ids=["unknown column", "wrong type"],
)
def test_an_expression_that_does_not_fit_the_columns_is_told(expression, words):
    """Which columns there are is known only now."""
    with pytest.raises(PayloadUnreadable, match=words) as caught:
        read(b"n,s\n1,a\n", parse_options={"drop_where": expression})

    assert caught.value.hint == "check `parse.drop_where`"
    assert str(caught.value).startswith("fx_daily: drop_where: ")
