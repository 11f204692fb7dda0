"""The `python` rule: a function of the user's own, given the whole batch as a frame, says which rows are good."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.dataset import UNPARSED
from data_pipeline.user_function import find, told_of
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.kernels.packing import packed, unpacked
from data_pipeline.validate.kernels.where import widened
from utils.arrow import compute, pa, with_pandas

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Framed", "python_rule"]


class Framed:
    """The rows that a function is to see, and what it said of them once it was asked.

    Args:
        columns: Name and place in a chunk of each column of the frame.
        selected: Where in a chunk stands which rows the function sees; None: all.
    """

    __slots__ = ("_columns", "_failed", "_function", "_of", "_selected")

    certain = False

    def __init__(self, function: str, columns: tuple[tuple[str, int], ...], selected: int | None, rows: int) -> None:
        self._function = function
        self._columns = columns
        self._selected = selected
        self._of = rows
        self._failed: int | None = None

    def merge(self, other: "Framed") -> "Framed":
        return Framed(self._function, self._columns, self._selected, self._of + other._of)

    def found(self, rule: "Rule", now: datetime) -> Found:
        """Before the function was asked: that all rows may fail."""
        return Found(self._of if self._failed is None else self._failed, self._of)

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        """Where the function says no; null where it does not know. It is called once, and for no rows not at all.

        Raises:
            CannotJudge: it raised, or what it gave is no mask of these rows; or they take too much memory.
        """
        frame = self._frame(again())
        good = _mask(self._function, len(frame), _called(self._function, frame))
        self._of, self._failed = len(good) - good.null_count, good.false_count
        bad, start = compute.invert(good), 0
        for chunk in again():
            rows = self._rows(chunk)
            seen = chunk.rows if rows is None else rows.true_count
            mine = bad.slice(start, seen)
            start += seen
            yield mine if rows is None else widened(mine, rows)

    def to_bytes(self) -> bytes:
        return packed(
            {"function": self._function, "columns": self._columns, "selected": self._selected, "rows": self._of}
        )

    @classmethod
    def from_bytes(cls, found: bytes) -> "Framed":
        figures, _ = unpacked(found)
        columns = tuple([(name, at) for name, at in figures["columns"]])
        return cls(figures["function"], columns, figures["selected"], figures["rows"])

    def _rows(self, chunk: Chunk) -> "pa.BooleanArray | None":
        return None if self._selected is None else chunk.arrays[self._selected]

    def _frame(self, chunks: Iterator[Chunk]) -> Any:
        """The rows as a pandas frame with Arrow's types, so that integers with nulls stay integers."""
        parts: list[pa.RecordBatch] = []
        nbytes = 0
        for chunk in chunks:
            part = pa.RecordBatch.from_arrays(
                [chunk.arrays[at] for _, at in self._columns], names=[name for name, _ in self._columns]
            )
            rows = self._rows(chunk)
            parts.append(part if rows is None else part.filter(rows))
            nbytes += parts[-1].nbytes
            if nbytes > chunk.memory:
                raise CannotJudge(
                    f"{self._function}: the frame that it is to judge takes more than {chunk.memory:,} bytes"
                    " (`app.memory_limit`); name the `columns` that it needs, or raise the limit"
                )
        pd = with_pandas()
        return pa.Table.from_batches(parts).to_pandas(types_mapper=pd.ArrowDtype)


def python_rule(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers how many rows a function is to judge: behind the columns of a chunk stands which of them `where` selects.

    Args:
        columns: All columns of the batch; the function sees those that the rule names, or every one.
    """
    selected = max(at for at, _ in columns.values()) + 1 if rule.where else None
    names = rule.columns or tuple(name for name in columns if name != UNPARSED)
    places = tuple([(name, columns[name][0]) for name in names])
    function = rule.params["function"]

    def gather(chunk: Chunk) -> Framed:
        rows = None if selected is None else chunk.arrays[selected]
        return Framed(function, places, selected, chunk.rows if rows is None else rows.true_count)

    return gather


def _called(function: str, frame: Any) -> Any:
    from data_pipeline.user_output import to_standard_error

    try:
        with to_standard_error():
            return find(function)(frame)
    except (Exception, SystemExit) as error:
        raise CannotJudge(told_of(function, error)) from error


def _mask(function: str, rows: int, said: Any) -> "pa.BooleanArray":
    """What a function gave as one truth value a row; null where it does not know.

    Raises:
        CannotJudge: it is something else.
    """
    wanted = "give one true or false for each row of the frame, true where the row is good"
    pd = with_pandas()
    if isinstance(said, pd.Series):
        index = pd.RangeIndex(rows)
        if not said.index.equals(index) and len(said) == rows and _sorted(said.index).equals(index):
            said = said.sort_index()  # rows that the function put into another order
    elif isinstance(said, pd.DataFrame) or not hasattr(said, "__len__") or isinstance(said, str | bytes):
        raise CannotJudge(f"{function} gave a {type(said).__name__}; {wanted}")
    try:
        given = len(said)
        mask = pa.array(said, from_pandas=True) if given == rows else None
    except Exception as error:  # also what a container of theirs raises; its words may tell values of rows
        raise CannotJudge(
            f"{function} gave values that are not true or false ({type(error).__name__}); {wanted}"
        ) from error
    if mask is None:
        raise CannotJudge(f"{function} gave {given} values for {rows} rows; {wanted}")
    mask = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
    if pa.types.is_null(mask.type):
        return mask.cast(pa.bool_())
    if not pa.types.is_boolean(mask.type):
        raise CannotJudge(f"{function} gave {mask.type} values; {wanted}")
    return mask


def _sorted(index: Any) -> Any:
    try:
        return index.sort_values()
    except TypeError:  # labels that have no order, such as texts among numbers
        return index
