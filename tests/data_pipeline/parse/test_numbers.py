"""Numbers in text: what few cells give is what many cells give."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.parse.infer import TextColumn
from data_pipeline.parse.numbers import FEW
from tests.counts import few
from utils.arrow import pa

PLAIN = st.one_of(st.integers(-(2**70), 2**70).map(str), st.floats().map(str), st.floats().map("{:.3f}".format))
ODD = st.sampled_from(["", " 1", "007", "-0", "0", "+5", "1.", ".5", "-0.0", "nan", "inf", "1e3", "0x1F", "1,5", "x"])
WRITTEN = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,20})?", fullmatch=True)


def _typed(cells: list[str | None]) -> "pa.Array":
    column = TextColumn()
    text = pa.array(cells, pa.string())
    read = column.read(text)
    column.settle()
    widened = column.widen(read)
    return column.convert(text) if widened is None else widened


def _written(array: "pa.Array") -> list[str]:
    """Zero and minus zero are equal, but not the same number."""
    return [repr(value) for value in array.to_pylist()]


@given(st.lists(st.none() | PLAIN | ODD | WRITTEN, min_size=1, max_size=6))
@settings(max_examples=few(1000))
def test_few_cells_are_read_as_many_are(cells: list[str | None]) -> None:
    """The quick way for a small column and the way for a large one agree: type, values, sign of zero."""
    few, many = _typed(cells), _typed(cells * FEW)

    assert few.type == many.type
    assert _written(few) == _written(many[: len(cells)])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", None, "-20"], pa.int64()),
        (["999999999999999999", "-999999999999999999"], pa.int64()),
        (["1.5", "2", None], pa.float64()),
        (["1", "2.5"], pa.float64()),
        (["007", "1"], pa.string()),
        (["1.5", "01.5"], pa.string()),
        (["18446744073709551616", "1"], pa.decimal128(38, 0)),
    ],
    ids=["integers", "eighteen digits", "fractions", "a fraction later", "an id", "an odd fraction", "beyond 64 bits"],
)
@pytest.mark.parametrize("times", [1, FEW], ids=["few", "many"])
def test_a_column_of_numbers_has_their_type(cells: list[str | None], kind: "pa.DataType", times: int) -> None:
    """Ids stay text, gaps stay gaps, and nothing is rounded, however few cells there are."""
    assert _typed(cells * times).type == kind
