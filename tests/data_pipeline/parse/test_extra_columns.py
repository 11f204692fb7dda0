"""What was asked for stands in the rows that answer it."""

from dataclasses import replace
from datetime import date

from data_pipeline.dataset import Collected
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parse import parse
from tests.data_pipeline.parse.reading import PROVENANCE, payload


def rows(*sent, columns=None, **options):
    payloads = tuple(replace(payload(data), extra=(("station", value),)) for data, value in sent)
    return parse(
        Collected(PROVENANCE, payloads),
        dataset="d",
        options=ParseOptions.model_validate(options),
        columns={name: ColumnOptions.model_validate(value) for name, value in (columns or {}).items()},
    ).table.to_pylist()


def test_each_payload_brings_its_own_value():
    """As what it is in JSON, inferred from all of them in text."""
    assert rows((b'[{"t": 1}, {"t": 2}]', 7), (b'[{"t": 3}]', 8)) == [
        {"t": 1, "station": 7},
        {"t": 2, "station": 7},
        {"t": 3, "station": 8},
    ]
    assert rows((b"t\n1\n", "007"), (b"t\n2\n", "8")) == [{"t": 1, "station": "007"}, {"t": 2, "station": "8"}]
    assert rows((b"t\n1\n", date(2026, 2, 13))) == [{"t": 1, "station": date(2026, 2, 13)}]


def test_rows_that_say_it_themselves_keep_their_word():
    """Also under another name, and where only some pages say it."""
    assert rows((b'[{"station": "own"}]', "x")) == [{"station": "own"}]
    assert rows((b'[{"id": "own"}]', "x"), columns={"station": {"from": "id"}}) == [{"station": "own"}]
    assert rows((b'[{"n": 1}]', "x"), (b'[{"n": 2, "station": "own"}]', "y")) == [
        {"n": 1, "station": "x"},
        {"n": 2, "station": "own"},
    ]


def test_it_is_declared_like_any_column_and_never_melted():
    """It belongs to each of the long rows."""
    assert rows((b"a,b\n1,2\n", "7"), columns={"where": {"from": "station", "type": "integer"}}) == [
        {"a": 1, "b": 2, "where": 7}
    ]
    melt = {"id": [], "name": "of", "value": "n"}
    assert rows((b"a,b\n1,2\n", "x"), melt=melt) == [
        {"station": "x", "of": "a", "n": 1},
        {"station": "x", "of": "b", "n": 2},
    ]
    assert rows((b"a\n1\n", "x"), melt=melt, columns={"where": {"from": "station"}}) == [
        {"where": "x", "of": "a", "n": 1}
    ]
