"""What a user's function returned or yielded, whatever it is, to record batches."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from data_pipeline.collect.python.columns import TooManyColumns, arrays_of, columns_of
from data_pipeline.parse.names import unique_names
from utils.arrow import pa, with_pandas

CHUNK_BYTES = 8 * 2**20
FIRST_ROWS, MOST_ROWS = 1_000, 32_768
"""Dicts that become one record batch: few at first, then as many as make about 8 MB."""


class NotRows(TypeError):
    """What came is not rows; the text says what it is and what to return instead."""


def batches_of(items: Iterable[Any], between: Callable[[], None]) -> Iterator["pa.RecordBatch"]:
    """Record batches of a stream of dicts, lists of dicts, frames, tables, in order.

    Args:
        between: Called between items, for a deadline to be seen.

    Raises:
        NotRows: an item is none of these.
    """
    waiting: list[Any] = []
    wanted = FIRST_ROWS
    try:
        for item in items:
            if type(item) is dict:
                waiting.append(item)
                if len(waiting) < wanted:
                    continue
            elif isinstance(item, list | tuple) and not hasattr(item, "_asdict"):
                waiting += (row if type(row) is dict else _row(row) for row in item)
            elif item is None:
                continue
            elif (whole := _whole(item)) is None:
                waiting.append(_row(item))
            else:
                yield from _rest(waiting)
                waiting = []
                yield from whole
            between()
            while len(waiting) >= wanted:
                batch = _batch(waiting[:wanted])
                waiting = waiting[wanted:]
                row_bytes = max(1, batch.get_total_buffer_size() // batch.num_rows)
                wanted = max(16, min(MOST_ROWS, CHUNK_BYTES // row_bytes))
                yield batch
    except Exception:
        # What came before the failure is kept.
        yield from _rest(waiting)
        raise
    yield from _rest(waiting)


def items_of(result: Any) -> Iterable[Any]:
    """What a function returned as a stream of items.

    Raises:
        NotRows: it is nothing that rows could be in.
    """
    if result is None:
        raise NotRows("it returned nothing; does it end with `return rows`, or `yield` each row?")
    if isinstance(result, str | bytes | bytearray):
        raise NotRows("it returned text, not rows; return dicts (`json.loads` reads JSON, `csv.DictReader` CSV)")
    if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
        if hasattr(result, "close"):
            result.close()
        raise NotRows("it is `async`; write a plain function (`asyncio.run` inside it runs coroutines)")
    if isinstance(result, Mapping) or _is_table(result):
        return [result]
    if not isinstance(result, Iterable):
        raise NotRows(f"it returned a {type(result).__name__}, not rows; return or yield dicts, frames or Arrow tables")
    selected = getattr(result, "selected_resources", None)  # a dlt source
    if selected is not None and len(selected) != 1:
        names = ", ".join(selected) or "none"
        raise NotRows(
            f"it returned a dlt source with {len(selected)} resources ({names}), but a dataset is one table; "
            "return one of them: `source.resources[NAME]`"
        )
    return result


def _is_table(value: Any) -> bool:
    return isinstance(value, pa.Table | pa.RecordBatch) or hasattr(value, "__arrow_c_stream__") or _is_frame(value)


def _is_frame(value: Any) -> bool:
    # Who has a frame has imported it; while another thread still does, it has no frames yet.
    frame = getattr(sys.modules.get("pandas"), "DataFrame", None)
    return frame is not None and isinstance(value, frame)


def _row(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    if hasattr(value, "_asdict"):
        named: Mapping[Any, Any] = value._asdict()
        return named
    raise NotRows(f"it gave a {type(value).__name__} where a row was expected; a row is a dict of column and value")


def _whole(item: Any) -> "Iterator[pa.RecordBatch] | None":
    """Record batches of a thing that has columns already; None: it is something else."""
    if isinstance(item, pa.RecordBatch):
        return iter((_plain(item),))
    if _is_frame(item):
        return iter((_of_frame(item),))
    if hasattr(item, "__arrow_c_stream__"):  # Arrow tables and readers, polars, duckdb
        return map(_plain, pa.RecordBatchReader.from_stream(item))
    return None


def _rest(rows: list[Any]) -> Iterator["pa.RecordBatch"]:
    if rows:
        yield _batch(rows)


def _batch(rows: list[Any]) -> "pa.RecordBatch":
    try:
        names, arrays = columns_of(rows)
        return pa.RecordBatch.from_arrays(arrays, names)
    except (TooManyColumns, MemoryError):
        raise
    except Exception as error:
        # A value holds itself, is nested without end, has more digits than Python writes, or methods that raise.
        said = str(error).partition("\n")[0][:200]
        raise NotRows(f"it gave a value that no column can hold ({type(error).__name__}: {said})") from error


def _plain(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """Unique names, no metadata, categories as their values, objects as columns of their own: as dicts would give."""
    try:
        batch.validate(full=True)  # offsets and indices that lead out of their buffers end the process
    except pa.ArrowInvalid as error:
        raise NotRows(f"it gave Arrow data that is damaged ({str(error).partition(chr(10))[0][:200]})") from error
    names: list[str] = []
    arrays: list[pa.Array] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            found = [(name, column.dictionary_decode())]
        elif pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType):
            found = arrays_of(name, column.to_pylist(maps_as_pydicts="lossy"))
        else:
            found = [(name, column)]
        for inner, array in found:
            names.append(inner)
            arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, unique_names(names)[0])


def _of_frame(frame: Any) -> "pa.RecordBatch":
    """A pandas frame; an index that has a name, or is not a mere number, becomes columns."""
    pd = with_pandas()
    index = frame.index
    if any(name is not None for name in index.names) or not pd.api.types.is_integer_dtype(index.dtype):
        frame = frame.reset_index() if not len(frame) or len(frame.columns) else index.to_frame(index=False)
    names: list[str] = []
    arrays: list[pa.Array] = []
    for position, label in enumerate(frame.columns):
        name = ".".join(str(part) for part in label if part != "") if isinstance(label, tuple) else str(label)
        for inner, array in _of_series(pd, name, frame.iloc[:, position]):
            names.append(inner)
            arrays.append(array)
    if not arrays:
        return pa.RecordBatch.from_arrays([pa.nulls(len(frame))], ["value"])
    return pa.RecordBatch.from_arrays(arrays, unique_names(names)[0])


def _of_series(pd: Any, name: str, series: Any) -> list[tuple[str, "pa.Array"]]:
    if series.dtype != object:
        try:
            array = pa.array(series, from_pandas=True)
        except (pa.ArrowException, NotImplementedError, TypeError, ValueError):
            pass  # intervals, periods, sparse and complex columns: value by value
        else:
            if isinstance(array, pa.ChunkedArray):
                array = array.combine_chunks()
            if pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
            if not isinstance(array, pa.ExtensionArray):  # a period would be its number
                return [(name, array)]
    return arrays_of(name, [None if _is_missing(pd, value) else value for value in series.tolist()])


def _is_missing(pd: Any, value: Any) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))
