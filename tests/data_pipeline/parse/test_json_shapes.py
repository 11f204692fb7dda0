"""Rows out of columns, of objects by key, and of lists inside of rows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse import json_shapes
from data_pipeline.parse.json_shapes import by_column, exploded, keyed
from tests.data_pipeline.parse.reading import read, rows

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


def of(document, records=None, **parse):
    return rows(json.dumps(document).encode(), parse_options={**({"records": records} if records else {}), **parse})


@pytest.mark.parametrize(
    ("document", "records", "expected"),
    [
        ({"a": [1, 2], "b": ["x", None]}, None, [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        ({"x": {"a": [1], "b": [2]}, "n": 3}, "x", [{"a": 1, "b": 2}]),
        ({"x": {"a": [], "b": []}}, "x", []),
        ({"a": [], "b": []}, None, [{"a": "[]", "b": "[]"}]),
        ({"x": {"a": [1], "b": [2]}}, "[x]", [{"a": "[1]", "b": "[2]"}]),
        ({"a": [1, 2]}, None, [{"a": "[1,2]"}]),
        ({"a": [1, 2], "b": 3}, None, [{"a": "[1,2]", "b": 3}]),
        ({"bids": [[1, 2]], "asks": [[3, 4]]}, None, [{"bids": "[[1,2]]", "asks": "[[3,4]]"}]),
        ([{"a": [1, 2], "b": [3, 4]}], None, [{"a": "[1,2]", "b": "[3,4]"}]),
    ],
    ids=[
        "the document", "at records", "empty at records", "an empty document", "asked for as one row", "one list",
        "something else beside", "lists of lists", "in a list of rows",
    ],
)  # fmt: skip
def test_columns_become_rows_only_where_nothing_else_can_be_meant(document, records, expected):
    """Two or more lists of plain values of one length, and nothing beside them."""
    assert of(document, records) == expected


def test_columns_are_said_and_so_are_lists_that_are_none():
    """In a note, with what was found."""
    turned = read(b'{"a": [1, 2], "b": [3, 4]}').provenance.notes
    assert turned == ("the document holds 2 columns of 2 values: each position is a row",)
    uneven = read(b'{"x": {"a": [1, 2], "b": [3]}}', parse_options={"records": "x"}).provenance.notes
    assert uneven == ("`records: x` holds lists of different lengths (1, 2), so it is one row and no columns",)


def test_lines_never_hold_columns():
    """Each line is a row, whatever it holds."""
    assert rows(b'{"a": [1, 2], "b": [3, 4]}\n{"a": [1], "b": []}\n') == [
        {"a": "[1,2]", "b": "[3,4]"},
        {"a": "[1]", "b": "[]"},
    ]


@pytest.mark.parametrize(
    ("document", "records", "expected"),
    [
        ({"A": {"p": 1}, "B": {"q": 2}}, "keyed(@)",
         [{"_key": "A", "p": 1, "q": None}, {"_key": "B", "p": None, "q": 2}]),
        ({"r": {"USD": 1.5, "EUR": None}}, "keyed(r)", [{"_key": "USD", "value": 1.5}, {"_key": "EUR", "value": None}]),
        ({"A": [1, "x"], "B": [2, "y"]}, "keyed(@)",
         [{"_key": "A", "column_1": 1, "column_2": "x"}, {"_key": "B", "column_1": 2, "column_2": "y"}]),
        ({"A": [{"p": 1}, {"p": 2}], "B": []}, "keyed(@)", [{"_key": "A", "p": 1}, {"_key": "A", "p": 2}]),
        ({"A": {"_key": 7}}, "keyed(@)", [{"_key_2": "A", "_key": 7}]),
        ({"A": {"$numberLong": "9007199254740993"}}, "keyed(@)", [{"_key": "A", "value": 2**53 + 1}]),
        ({"x": {}}, "keyed(x)", []),
        ({"A": {"p": 1}, "B": {"p": 2}}, "keyed(@)[?p > `1`]", [{"_key": "B", "p": 2}]),
    ],
    ids=["objects", "figures", "lists", "lists of objects", "the name is taken", "wrapped", "nothing", "and chosen"],
)  # fmt: skip
def test_objects_by_key(document, records, expected):
    """The key is a column."""
    assert of(document, records) == expected


@pytest.mark.parametrize(
    ("document", "records", "expected"),
    [
        ([{"id": 1, "l": [{"n": 1}, {"n": 2}]}, {"id": 2, "l": [{"n": 3}]}], "explode(@, 'l')",
         [{"id": 1, "l.n": 1}, {"id": 1, "l.n": 2}, {"id": 2, "l.n": 3}]),
        ({"d": [{"v": [[1, "a"], [2, "b"]]}]}, "explode(d, 'v')",
         [{"v.column_1": 1, "v.column_2": "a"}, {"v.column_1": 2, "v.column_2": "b"}]),
        ([{"id": 1, "l": []}, {"id": 2, "l": None}, {"id": 3}, {"id": 4, "l": "x"}], "explode(@, 'l')",
         [{"id": 4, "l": "x"}]),
        ({"id": 1, "tags": ["a", "b"]}, "explode(@, 'tags')", [{"id": 1, "tags": "a"}, {"id": 1, "tags": "b"}]),
        ([{"a": {"k": 0, "b": [1, 2]}}], "explode(@, 'a.b')", [{"a.k": 0, "a.b": 1}, {"a.k": 0, "a.b": 2}]),
        ([{"a.b": [1, 2], "a": 3}], "explode(@, 'a.b')", [{"a.b": 1, "a": 3}, {"a.b": 2, "a": 3}]),
        ([{"o": [{"i": 1, "l": [{"n": 1}, {"n": 2}]}]}], "explode(explode(@, 'o'), 'o.l')",
         [{"o.i": 1, "o.l.n": 1}, {"o.i": 1, "o.l.n": 2}]),
    ],
    ids=["objects", "pairs", "nothing there", "plain values", "deeper", "a name with a dot", "twice"],
)  # fmt: skip
def test_lists_inside_of_rows(document, records, expected):
    """A row for each item, with the rest of its row."""
    assert of(document, records) == expected


@pytest.mark.parametrize(
    ("records", "words"),
    [("keyed(a)", "does not fit"), ("explode(a, b)", "does not fit"), ("keyed(nothing)", "finds nothing")],
    ids=["a list has no keys", "the name is a text in quotes", "nothing is there"],
)
def test_what_does_not_fit_is_said(records, words):
    """With the option to look at."""
    with pytest.raises(PayloadUnreadable, match=words) as told:
        of({"a": [1], "b": 2}, records)
    assert "parse.records" in told.value.hint


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.dictionaries(st.text(max_size=3), st.lists(PLAIN, min_size=n, max_size=n), min_size=2)
    )
)
def test_no_cell_is_lost_when_columns_are_turned(columns):
    """Position by position, under its own name."""
    found = by_column(columns)
    assert found is not None
    assert {name: [row[name] for row in found] for name in columns} == columns


@given(st.dictionaries(st.text(max_size=3), st.dictionaries(st.sampled_from(["a", "b", "_key"]), PLAIN)))
def test_no_object_is_lost_when_keys_become_a_column(objects):
    """One row each, in order, with all it had."""
    found = keyed(objects)
    assert len(found) == len(objects)
    assert all(
        value.items() <= row.items() and key in row.values()
        for row, (key, value) in zip(found, objects.items(), strict=True)
    )


@given(st.lists(st.fixed_dictionaries({"id": PLAIN, "l": st.lists(PLAIN)})))
def test_as_many_rows_as_there_are_items(found):
    """None is added, none is lost, each keeps its own row."""
    assert [(row["id"], row["l"]) for row in exploded(found, "l")] == [
        (row["id"], item) for row in found for item in row["l"]
    ]


def test_rows_that_would_fill_the_memory_are_refused(monkeypatch):
    """A wide row beside a long list is copied for each of its items."""
    monkeypatch.setattr(json_shapes, "MOST_CELLS", 1000)
    wide = {**{f"k{n}": n for n in range(99)}, "l": list(range(11))}
    with pytest.raises(PayloadUnreadable, match="more than 1,000 cells") as told:
        of([wide], "explode(@, 'l')")
    assert "parse.records" in told.value.hint
    assert len(of([{**wide, "l": list(range(10))}], "explode(@, 'l')")) == 10
