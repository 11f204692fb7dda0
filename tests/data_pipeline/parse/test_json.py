"""JSON: rows found, objects flattened, digits kept, errors with their place."""

import json
from decimal import Decimal
from io import BytesIO
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse import json as json_parser
from data_pipeline.parse.json_columns import to_batch
from tests.counts import few
from tests.data_pipeline.parse.reading import read, rows, types
from utils.arrow import pa


def test_a_single_object_is_one_row():
    """The answer about one thing is a table of one row."""
    assert rows(b'{"a": 1, "b": {"c": "x"}}') == [{"a": 1, "b.c": "x"}]


def test_objects_are_flattened_or_kept_as_text():
    """Nested objects become `a.b`; lists are JSON text; `flatten: false` keeps objects as text."""
    data = b'[{"a": {"b": {"c": 1}}, "l": [1, {"x": 2.5}]}, {"a": null, "d": true}]'

    assert rows(data) == [
        {"a.b.c": 1, "l": '[1,{"x":2.5}]', "d": None},
        {"a.b.c": None, "l": None, "d": True},
    ]
    assert rows(data, parse_options={"flatten": False})[0]["a"] == '{"b":{"c":1}}'


def test_rows_with_as_many_keys_but_others_lose_nothing():
    """That all rows have two keys does not say that they are the same two."""
    assert rows(b'{"a": 1, "b": 2}\n{"b": 3, "c": 4}\n{"c": 5, "a": 6}') == [
        {"a": 1, "b": 2, "c": None},
        {"a": None, "b": 3, "c": 4},
        {"a": 6, "b": None, "c": 5},
    ]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False) | st.text(max_size=3),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=few(300))
def test_a_column_of_one_kind_is_the_column_that_arrow_would_infer(sent):
    """Where all cells are of one kind, its type is named instead of found; values and types stay what they were."""
    batch = to_batch(sent)

    for name in set().union(*sent):
        values = [row.get(name) for row in sent]
        if len({type(value) for value in values} - {type(None)}) <= 1:
            try:
                inferred = pa.array(values)
            except (OverflowError, pa.ArrowInvalid, UnicodeEncodeError):
                continue
            assert batch.column(batch.schema.names.index(name)).equals(inferred)


@pytest.mark.parametrize(
    ("values", "kind", "back"),
    [
        ("1, 2.5", "double", [1.0, 2.5]),
        ("9007199254740993, 1", "int64", [2**53 + 1, 1]),
        ("9007199254740993, 2.5", "decimal128(38, 1)", [Decimal(2**53 + 1), Decimal("2.5")]),
        ("18446744073709551616, null", "decimal128(38, 0)", [Decimal(2**64), None]),
        ("18446744073709551615, -1", "decimal128(38, 0)", [Decimal(2**64 - 1), Decimal(-1)]),
        ("9" * 39 + ", 1", "string", ["9" * 39, "1"]),
        ('1, "a", true, 2.50', "string", ["1", "a", "true", "2.5"]),
        ("true, 1", "string", ["true", "1"]),
        ('{"x": 1}, 2', None, None),
        ('"007"', "string", ["007"]),
    ],
    ids=lambda value: str(value)[:24],
)
def test_mixed_values_lose_nothing(values, kind, back):
    """Integers never pass through floats; what has no common type is text."""
    parts = json.loads(f"[{values}]")
    text = "[" + ",".join(f'{{"v": {part}}}' for part in _split(values, len(parts))) + "]"

    batch = read(text.encode())

    if kind is None:
        assert batch.table.to_pylist() == [{"v": None, "v.x": 1}, {"v": 2, "v.x": None}]
    else:
        assert types(batch) == {"v": kind}
        assert batch.table["v"].to_pylist() == back


def _split(values, count):
    parts = values.split(", ")
    assert len(parts) == count
    return parts


def test_a_declared_decimal_keeps_every_digit_of_a_number():
    """More digits than a float holds survive when decimals are declared."""
    digits = "0.12345678901234567890123"

    assert rows(f'[{{"x": {digits}, "y": 0.1}}]'.encode(), columns={"x": "decimal", "y": "decimal"}) == [
        {"x": Decimal(digits), "y": Decimal("0.1")}
    ]


def test_pages_with_null_columns_and_new_keys_are_one_table():
    """A page where a column is all null, or missing, does not break the next."""
    batch = read(b'[{"a": null, "b": 1}]', b'[{"a": "x", "b": 2.5}]', b'[{"c": true}]', b"[]")

    assert types(batch) == {"a": "string", "b": "double", "c": "bool"}
    assert batch.table["b"].to_pylist() == [1.0, 2.5, None]


def test_large_integers_on_one_page_and_fractions_on_another_stay_exact():
    """Across pages an integer above 2^53 is never rounded either."""
    batch = read(b'[{"a": 9007199254740993}]', b'[{"a": 0.5}]')

    assert batch.table["a"].to_pylist() == ["9007199254740993", "0.5"]


def test_a_path_that_finds_nothing_names_the_keys_there_are():
    """The message shows what could have been meant."""
    with pytest.raises(PayloadUnreadable, match=r"`records: data.items` finds nothing .* keys are meta, rows"):
        read(b'{"meta": 1, "rows": []}', parse_options={"records": "data.items"})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'[{"a": 1}, {"a":', r"line 1, column 17 .*cut off"),
        (b'[\n{"a": 1},\n{"a": nope}]', "line 3, column 7"),
        (b"<!doctype html><html>", "expected JSON, got HTML"),
        (b"[" * 100_000, "JSON"),
        (b'[{"a": 1}, 2]', "row 2 is a number"),
        (b'{"a": NaN}', "JSON"),
    ],
    ids=["cut off", "wrong", "html", "deep", "mixed rows", "nan"],
)
def test_broken_json_is_told_with_its_place(data, words):
    """The error says where, and shows how the payload begins."""
    with pytest.raises(PayloadUnreadable, match=words):
        read(data, parse_options={"format": "json"})


def test_json_lines_are_detected_and_a_bad_line_is_named():
    """One object a line, blank lines allowed; the error counts lines of the file."""
    assert rows(b'{"a": 1}\n\n{"a": "x"}\n') == [{"a": "1"}, {"a": "x"}]
    with pytest.raises(PayloadUnreadable, match="line 3, column 7"):
        read(b'{"a": 1}\n\n{"a": }\n', parse_options={"format": "jsonl"})
    with pytest.raises(PayloadUnreadable, match="line 2"):
        read(b'{"a": 1}\n{"a": 1},{"a": 2}\n', parse_options={"format": "jsonl"})


def test_json_lines_change_their_type_far_down():
    """Blocks are typed together: text in the last line makes the column text."""
    data = b'{"a": 1, "b": 1}\n' * 300_000 + b'{"a": "x", "b": 0.5}\n'

    batch = read(data)

    assert types(batch) == {"a": "string", "b": "double"}
    assert batch.rows == 300_001


def test_a_document_that_does_not_fit_into_memory_is_refused():
    """The limit is told before the bytes are decoded."""
    with pytest.raises(MemoryLimitExceeded, match="does not fit"):
        read(b"[" + b" " * 1000 + b"]", parse_options={"format": "json"}, memory_limit=1000)


def test_other_shapes_of_rows_become_columns():
    """Plain values are `value`; lists are columns by position; no rows are no columns."""
    assert rows(b"[1, 2]") == [{"value": 1}, {"value": 2}]
    assert rows(b'[["a", 1], ["b"]]') == [{"column_1": "a", "column_2": 1}, {"column_1": "b", "column_2": None}]
    assert rows(b"[]") == []
    assert read(b"[{}, {}]").rows == 2


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8)
floats = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=few(100), deadline=None)
@given(st.sampled_from([st.integers(), floats, st.text(st.characters(codec="utf-8")), st.booleans()]), st.data())
def test_columns_of_one_kind_come_back_equal(kind, data):
    """Integers of any size, floats, text and booleans with nulls, as values and as text lines."""
    values = data.draw(st.lists(st.none() | kind, min_size=1, max_size=8))
    encoded = json.dumps([{"v": value, "k": 0} for value in values]).encode()

    back = [row["v"] for row in rows(encoded)]

    if all(value is None or type(value) is not int or abs(value) < 10**38 for value in values):
        assert back == values
    else:
        assert back == [None if value is None else str(value) for value in values]


@settings(max_examples=few(60), deadline=None)
@given(st.lists(st.dictionaries(st.text("abc.", min_size=1, max_size=3), scalars, max_size=3), max_size=6))
def test_documents_and_lines_are_the_same_table(objects):
    """The same objects give the same rows, whole or line by line."""
    whole = json.dumps(objects).encode()
    lines = b"\n".join(json.dumps(item).encode() for item in objects)

    left = read(whole, parse_options={"format": "json"}).table
    right = read(lines, parse_options={"format": "jsonl"}).table

    assert left.equals(right)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("1e400, 2.5", ["1e400", "2.5"]),
        ("1.5, true", ["1.5", "true"]),
        ("1e300, 2.5", [1e300, 2.5]),
        ("18446744073709551616, 1e400", ["18446744073709551616", "1e400"]),
    ],
    ids=["beyond floats", "a truth value behind a float", "large", "two wide ones"],
)
@pytest.mark.parametrize("lines", [False, True], ids=["document", "lines"])
def test_numbers_that_no_type_holds_keep_their_text(cells, expected, lines):
    """Neither infinity nor 1.0 was sent."""
    first, second = (f'{{"x": {cell}}}' for cell in cells.split(", "))
    data = f"{first}\n{second}\n" if lines else f"[{first}, {second}]"

    result = rows(data.encode(), parse_options={"format": "jsonl" if lines else "json"})

    assert [row["x"] for row in result] == expected


def test_a_lone_surrogate_in_a_key_is_a_name_all_the_same():
    r"""Beside a long number, where Python decodes, "\ud800" passes; no column can be called that."""
    result = rows(b'[{"a\\ud800": 18446744073709551616}]', parse_options={"format": "json"})

    assert [list(row) for row in result] == [["a?"]]


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"")), max_size=30), ended=st.booleans()
)
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], ended: bool) -> None:
    """Pieces of the file end anywhere; no line is lost, split or joined."""
    text = b"\n".join(lines) + b"\n" * ended
    with mock.patch.object(json_parser, "LINES_AT_ONCE", 7):
        found = [line for block in json_parser._whole_lines(BytesIO(text)) for line in block]

    assert found == BytesIO(text).readlines()


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    """With what to look at; no more of it is read than the longest line may have."""
    endless = b'{"id": 1}\n{"id": "' + b"x" * 2**23 + b'"}'
    with mock.patch.object(json_parser, "MAX_LINE", 2**20), pytest.raises(PayloadUnreadable, match="line 2 is") as told:
        read(endless, parse_options={"format": "jsonl"})

    assert "parse.format" in told.value.hint
