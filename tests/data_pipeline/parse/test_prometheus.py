"""Metrics text becomes one row a sample."""

import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import PayloadUnreadable
from tests.data_pipeline.parse.reading import read, rows, types

TEXT = {"format": "prometheus"}


def sample(line, **columns):
    [row] = rows(line.encode() + b"\n", parse_options=TEXT, columns=columns)
    return row


def test_a_sample_has_its_metric_type_labels_and_value():
    """Labels are JSON with sorted keys, so that equal ones are equal text."""
    data = b'# HELP up Whether it is up.\n# TYPE up gauge\nup{job="b",instance="a"} 1\n\nother 2.5\n'

    assert rows(data) == [
        {"metric": "up", "type": "gauge", "labels": '{"instance":"a","job":"b"}', "value": 1.0},
        {"metric": "other", "type": "untyped", "labels": "{}", "value": 2.5},
    ]


def test_samples_of_a_histogram_have_the_type_of_their_family():
    """`x_bucket`, `x_sum` and `x_count` belong to `x`."""
    data = b'# TYPE x histogram\nx_bucket{le="+Inf"} 3\nx_sum 1\nx_count 3\n# TYPE y unknown\ny 1\n'

    assert [row["type"] for row in rows(data)] == ["histogram"] * 3 + ["untyped"]


def test_times_are_milliseconds_or_the_seconds_of_openmetrics():
    """The column is there when a sample has a time."""
    data = b"a 1 1395066363000\nb 1 1395066363.250\nc 1\n"

    assert [row["timestamp"] for row in rows(data, parse_options=TEXT)] == [
        datetime(2014, 3, 17, 14, 26, 3, tzinfo=UTC), datetime(2014, 3, 17, 14, 26, 3, 250000, UTC), None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "value"),
    [("+Inf", math.inf), ("-Inf", -math.inf), ("NaN", None), ("1.8446744073709537e+19", 1.8446744073709537e19)],
)
def test_values_are_floats(written, value):
    """Infinity is a value, NaN is none."""
    assert sample(f"x {written}")["value"] == value


def test_a_value_declared_as_decimal_or_text_keeps_its_digits():
    """A counter beyond 2^53 as it was sent."""
    digits = "9007199254740993"

    assert sample(f"x {digits}", value="decimal")["value"] == Decimal(digits)
    assert sample(f"x {digits}", count={"from": "value", "type": "integer"})["count"] == int(digits)


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        (r'x{a="say \"hi\"",b="C:\\DIR",c="two\nlines"} 1', r'{"a":"say \"hi\"","b":"C:\\DIR","c":"two\nlines"}'),
        ('x{a="",b="ä},{",} 1', '{"a":"","b":"ä},{"}'),
        ('x { a = "1" , b="2" } 1', '{"a":"1","b":"2"}'),
        ("x{} 1", "{}"),
        ('x{a="\x1c\x85\u2028"} 1', '{"a":"\\u001c\x85\u2028"}'),
        ('{"x", "odd.label"="1"} 1', '{"odd.label":"1"}'),
        ('x{le="1"} 17 # {trace_id="y"} 0.67', '{"le":"1"}'),
    ],
    ids=["escapes", "empty and braces", "blanks", "no labels", "line separators inside", "quoted names", "exemplar"],
)
def test_labels_are_read_as_they_are_written(line, labels):
    """Only a line feed ends a line; escapes are undone."""
    row = sample(line)

    assert (row["metric"], row["labels"]) == ("x", labels)


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])))
)
def test_every_label_value_comes_back(labels):
    """Whatever signs it holds."""
    escaped = {key: text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for key, text in labels.items()}
    line = "x{" + ",".join(f'{key}="{text}"' for key, text in escaped.items()) + "} 1"

    import orjson

    assert orjson.loads(sample(line)["labels"]) == labels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"up 1\ndown\n", "line 2 is no sample"),
        (b"up one\n", "`one` is no number"),
        (b"up 1_000\n", "is no number"),
        (b'up{a="1",a="2"} 1\n', "comes twice"),
        (b'up{a="1} 1\n', "expected"),
        (b"up{a=1} 1\n", "cannot be read at `a=1`"),
        (b"up 1 now\n", "no time"),
        (b"<html><body>login</body></html>", "got HTML"),
        (b"", "got nothing"),
    ],
)
def test_what_is_no_metrics_text_is_told_with_its_line(data, words):
    """The line's number is part of the message."""
    with pytest.raises(PayloadUnreadable, match=words.replace("(", r"\(")):
        read(data, parse_options=TEXT)


def test_comments_alone_are_no_rows_and_a_cut_end_is_noted():
    """Families without samples give none; a last line without an end may be cut."""
    assert rows(b"# HELP a b\n# TYPE a gauge\n# EOF\n") == []
    batch = read(b"# TYPE a gauge\na 12")
    assert batch.table["value"].to_pylist() == [12.0]
    assert "no line end" in batch.provenance.notes[0]
    assert types(batch)["value"] == "double"
