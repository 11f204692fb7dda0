"""The tables of the page of a dataset: pages, columns, cells that a browser can show."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dashboard.language import Words
from dashboard.view_model.dataset_table import PAGE, ColumnLine, as_rows, columns, paged, rows, shown
from tests.dashboard.configuration import HARM
from tests.dashboard.view_model.dataset_answers import WORDS, WRONG, answered


@given(st.integers(0, 10**9), st.integers())
def test_a_page_is_always_one_that_there_is(count: int, asked: int) -> None:
    """Whatever stands in the address."""
    number, pages = paged(count, asked)

    assert 1 <= number <= pages
    assert (pages - 1) * PAGE <= max(count - 1, 0) < pages * PAGE


def test_types_of_columns_are_named_in_the_readers_language() -> None:
    """What there is no word for stays as Arrow calls it."""
    lines = (ColumnLine("id", "whole number", ()), ColumnLine("parts", "list<item: double>", ()))

    assert [row["Tipo"] for row in as_rows(lines, Words.of("pt"))] == ["número inteiro", "list<item: double>"]


def test_cells_are_made_fit_for_a_browser() -> None:
    """Long texts cut, control characters gone, what a browser's numbers cannot hold as text; all else as it is."""
    moment = datetime(2026, 11, 20, 8, tzinfo=UTC)
    table = pa.table(
        {
            HARM: ["x" * 1_000_000, "\x1b[31ma\u202eb"],
            "wide": [2**53 + 1, 1],
            "small": [1, None],
            "decimal": [Decimal("0.10"), None],
            "list": [[1, {"a": 2}["a"]], None],
            "half": [float("nan"), 0.5],
            "time": [moment, None],
            "yes": [True, None],
        }
    )

    told = shown(table)

    texts = told[0].to_pylist()
    assert len(texts[0]) < 400
    assert texts[1] == "[31ma b"
    assert told["wide"].to_pylist() == ["9007199254740993", "1"]
    assert told["small"].type == pa.int64()
    assert told["decimal"].to_pylist() == ["0.10", None]
    assert told["list"].to_pylist() == ["[1,2]", None]
    assert told["half"].type == pa.float64()
    assert told["time"].to_pylist() == [moment, None]
    assert told["yes"].to_pylist() == [True, None]
    assert len(told.column_names[0]) < 100


def test_columns_whose_names_look_alike_stay_apart() -> None:
    """A table of the page needs a name for each."""
    assert len(set(shown(pa.table([[1], [2], [3]], names=["a\n", "a ", ""])).column_names)) == 3


def test_a_table_says_why_it_has_no_rows() -> None:
    """Empty, or not to be read."""
    empty, face = rows(answered(pa.table({"a": pa.array([], pa.int64())})), WORDS)
    nothing, broken = rows(WRONG, WORDS)

    assert empty is not None
    assert face is not None
    assert (face.kind, nothing, broken and broken.kind) == ("no data yet", None, "broken")


def test_a_column_tells_what_moved_since_the_batch_before() -> None:
    """And nothing of what stayed the same."""
    profile = [{"column": "id", "figures": {"nulls": 0.25, "mean": 5.0}, "before": {"nulls": 0.0, "mean": 5.0}}]

    panel = columns(pa.table({"id": [1], "new": ["a"]}), answered({"profile": profile}), WORDS)

    assert [(one.column, one.type) for one in panel.rows] == [("id", "whole number"), ("new", "text")]
    assert dict(panel.rows[0].figures) == {"Empty": "25 % (was 0 %)", "Mean": "5"}
