"""Declared columns: renamed, typed, and nothing that does not fit is lost."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.dataset import UNPARSED, Collected
from data_pipeline.parse.options import ColumnOptions
from data_pipeline.parse.parse import parse
from tests.counts import few
from tests.data_pipeline.parse.reading import PROVENANCE, read, rows, types
from utils.arrow import pa


def test_cells_that_do_not_fit_become_null_and_keep_their_text():
    """The hidden column says what was sent; rows that are fine have nothing in it."""
    batch = read(
        b"n,x,t\n1,1.5,2024-01-01\nabc,-,soon\n3,,2024-01-03\n", columns={"n": "integer", "x": "float", "t": "date"}
    )

    table = batch.table.to_pylist()
    assert [row["n"] for row in table] == [1, None, 3]
    assert json.loads(table[1][UNPARSED]) == {"n": "abc", "x": "-", "t": "soon"}
    assert table[0][UNPARSED] is None
    assert table[2][UNPARSED] is None


def test_without_failures_there_is_no_hidden_column():
    """A clean payload pays nothing."""
    assert UNPARSED not in read(b"n\n1\n", columns={"n": "integer"}).schema.names


def test_a_failure_on_one_page_gives_every_page_the_same_schema():
    """Pages before the failure hold null in the hidden column."""
    batch = read(b"n\n1\n", b"n\nx\n", columns={"n": "integer"})

    assert batch.table[UNPARSED].to_pylist() == [None, '{"n":"x"}']


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("007", "integer", 7),
        ("12.0", "integer", 12),
        ("1.5", "integer", None),
        ("9007199254740993", "integer", 2**53 + 1),
        ("18446744073709551616", "integer", Decimal(2**64)),
        ("0x1F", "integer", None),
        (" 2.5 ", "float", 2.5),
        ("nan", "float", None),
        ("43.80000000", "decimal", Decimal("43.80000000")),
        ("1.5e3", "decimal", Decimal(1500)),
        ("0.00000000000000000000000000000000000001", "decimal", Decimal("1e-38")),
        ("1e400", "decimal", None),
        ("yes", "boolean", True),
        ("0", "boolean", False),
        ("maybe", "boolean", None),
        ("J", "boolean", True),
        ("FALSCH", "boolean", False),
        ("HAYIR", "boolean", False),
        ("2024-02-29T10:00:00Z", "date", date(2024, 2, 29)),
        ("2023-02-29", "date", None),
        ("2024-01-01", "timestamp", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01 00:00:00 +0200", "timestamp", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        ("2024-01-01T00:00:00,5 UTC", "timestamp", datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("tomorrow", "timestamp", None),
        ("007", "string", "007"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_text_is_read_as_its_declared_type(cell, kind, value):
    """One cell of each sort, right or wrong."""
    data = f'x,y\n"{cell}",1\n'.encode()

    [row] = rows(data, columns={"x": kind})

    assert row["x"] == value
    assert (UNPARSED in row) == (value is None and cell != "nan")


def test_native_values_are_read_as_their_declared_type():
    """JSON numbers, texts and booleans under one declaration each."""
    good = b'{"i": 3.0, "f": 2, "d": 0.1, "b": 1, "t": 0, "s": 1.5}'
    bad = b'{"i": 3.5, "f": true, "d": 7, "b": 2, "t": 1e30, "s": 2}'
    columns = {
        "i": "integer", "f": "float", "d": "decimal", "b": "boolean",
        "t": {"type": "timestamp", "format": "epoch_ms"}, "s": "string",
    }  # fmt: skip

    first, second = rows(b"[" + good + b"," + bad + b"]", columns=columns)

    assert first["i"] == 3
    assert first["d"] == Decimal("0.1")
    assert first["b"] is True
    assert first["t"] == datetime(1970, 1, 1, tzinfo=UTC)
    assert (second["i"], second["f"], second["b"], second["t"]) == (None, None, None, None)
    assert set(json.loads(second[UNPARSED])) == {"i", "f", "b", "t"}


def test_renaming_knows_aliases_swaps_and_clashes():
    """`from` first, then aliases; two columns may swap; an undeclared column never hides a declared one."""
    assert rows(b"Old\n1\n", columns={"new": {"from": "Gone", "aliases": ["Old"]}}) == [{"new": 1}]
    assert rows(b"a,b\n1,2\n", columns={"a": {"from": "b"}, "b": {"from": "a"}}) == [{"b": 1, "a": 2}]
    clash = read(b"a,b\n1,2\n", columns={"a": {"from": "b"}})
    assert clash.table.to_pylist() == [{"a_2": 1, "a": 2}]
    assert "a_2" in clash.provenance.notes[0]


def test_a_declared_column_that_is_missing_is_null_and_noted():
    """The schema contract decides later what that means."""
    batch = read(b"a\n1\n", columns={"rate": {"from": "OBS_VALUE", "type": "decimal"}})

    assert types(batch)["rate"].startswith("decimal")
    assert batch.table["rate"].to_pylist() == [None]
    assert "`rate` is missing" in batch.provenance.notes[0]
    assert "OBS_VALUE" in batch.provenance.notes[0]


def test_scale_multiplies_exactly():
    """Cents become euros without a float in between."""
    data = b"c,i,f\n1999,7,1.5\n"
    columns = {
        "c": {"type": "decimal", "scale": 0.01},
        "i": {"type": "integer", "scale": 1000},
        "f": {"type": "float", "scale": 2},
    }

    assert rows(data, columns=columns) == [{"c": Decimal("19.99"), "i": 7000, "f": 3.0}]


def test_decimals_of_pages_get_one_scale():
    """The page with more places decides, and no page loses a digit."""
    batch = read(b"x\n1.5\n", b"x\n2.125\n", columns={"x": "decimal"})

    assert types(batch) == {"x": "decimal128(38, 3)"}
    assert batch.table["x"].to_pylist() == [Decimal("1.500"), Decimal("2.125")]


def test_a_decimal_pushed_out_by_another_page_is_told():
    """38 digits before the point leave no room for the places of another page."""
    batch = read(b"x\n" + b"9" * 38 + b"\n", b"x\n0.5\n", columns={"x": "decimal"})

    assert batch.table.to_pylist()[0] == {"x": None, UNPARSED: json.dumps({"x": "9" * 38}, separators=(",", ":"))}


def test_na_values_count_for_text_in_json_too():
    """A dash that means nothing is no broken number."""
    assert rows(b'[{"x": "-"}, {"x": "2"}]', parse_options={"na_values": "-"}, columns={"x": "integer"}) == [
        {"x": None},
        {"x": 2},
    ]


def test_rows_of_a_collector_get_the_same_treatment():
    """Native rows are renamed and typed too; NaN is null, naive times take the zone."""
    first = pa.record_batch({"x": [1.5, float("nan")], "t": pa.array([0, 3_600], pa.timestamp("s")), "n": ["1", "x"]})
    second = pa.record_batch({"x": pa.nulls(1), "t": pa.nulls(1), "n": ["2"]})
    collected = Collected(PROVENANCE, rows=lambda: iter([first, second]))
    batch = parse(
        collected,
        dataset="d",
        columns={"m": ColumnOptions(source="n", type="integer")},
        zone="Europe/Berlin",
        data_time="t",
    )

    assert batch.table["x"].to_pylist() == [1.5, None, None]
    assert batch.table["m"].to_pylist() == [1, None, 2]
    assert batch.provenance.data_time == datetime(1970, 1, 1, tzinfo=UTC)
    assert batch.table[UNPARSED].to_pylist() == [None, '{"m":"x"}', None]


some_cells = st.sampled_from(
    ["1", "-0", "007", "2.5", "1e3", "9007199254740993", "18446744073709551616", "true", "2024-01-01", "x", "",
     "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456789Z", "2999-01-01T00:00:00Z", "9" * 39, "nan"]
)  # fmt: skip


@settings(max_examples=few(150), deadline=None)
@given(
    st.lists(st.lists(some_cells, min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from([None, "integer", "float", "decimal", "date", "boolean"]),
)
def test_pages_give_what_one_page_would_have_given(pages, kind):
    """However the cells are cut into pages, and whether a page had to be widened or read again: no text is lost."""
    columns = {"x": kind} if kind else None

    def told(*parts):
        batch = read(*(("k,x\n" + "".join(f"k,{cell}\n" for cell in part)).encode() for part in parts), columns=columns)
        batch.table.validate(full=True)
        plain = [part.cast(pa.int64()) if pa.types.is_timestamp(part.type) else part for part in batch.table.columns]
        return types(batch), [column.to_pylist() for column in plain]

    assert told(*pages) == told([cell for page in pages for cell in page])


@settings(max_examples=few(100), deadline=None)
@given(
    st.lists(
        st.lists(
            st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
            | st.sampled_from(["a", "1"]),
            min_size=1, max_size=3,
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_json_pages_of_any_types_lose_no_value(pages):
    """Mixed types across pages take one type; every value can be told from its cell."""
    documents = [json.dumps([{"x": value, "k": 1} for value in page]).encode() for page in pages]

    cells = [row["x"] for row in rows(*documents, parse_options={"format": "json"})]

    for sent, got in zip((value for page in pages for value in page), cells, strict=True):
        if sent is None or isinstance(sent, str | bool):
            assert got in {sent, str(sent).lower() if isinstance(sent, bool) else sent}
        else:
            assert Decimal(got) == Decimal(sent) or float(got) == sent


def test_a_word_in_the_last_page_brings_back_how_earlier_cells_were_written():
    """`+7` and ` 1.50` were numbers until the last page; as text they are what was sent."""
    batch = read(b"a,b\n+7, 1.50\n", b"a,b\n8,2\n", b"a,b\nx,y\n")

    assert batch.table.to_pylist() == [{"a": "+7", "b": " 1.50"}, {"a": "8", "b": "2"}, {"a": "x", "b": "y"}]


def test_rows_of_a_collector_are_asked_for_once():
    """A query must not run twice, even when a declared decimal has to be read again with more digits."""
    asked = []

    def once():
        asked.append(1)
        yield pa.record_batch({"d": ["1" * 30]})
        yield pa.record_batch({"d": ["0.0000000000000001"]})

    batch = parse(Collected(PROVENANCE, rows=once), dataset="d", columns={"d": ColumnOptions.model_validate("decimal")})

    assert asked == [1]
    assert json.loads(batch.table[UNPARSED].to_pylist()[0]) == {"d": "1" * 30}
    assert batch.table["d"].to_pylist() == [None, Decimal("0.0000000000000001")]
