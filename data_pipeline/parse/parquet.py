"""Parquet and Arrow IPC files: columns with types of their own, read batch by batch."""

import io
from collections.abc import Callable, Iterator
from typing import IO, Any

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.parse.encoding import open_bytes, read_all
from data_pipeline.parse.names import unique_names
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import detect_format
from data_pipeline.parse.unreadable import first_line, not_as_promised, unreadable
from utils.arrow import pa

_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError)


def parse_parquet(request: ParseRequest) -> Parsed:
    """Columns as stored. INT96 times are read in microseconds, because nanoseconds would wrap round after 2262."""
    stream = _seekable(request)
    _check_magic(request, stream, b"PAR1", "Parquet")
    notes: list[str] = []
    return Parsed(_guarded(request, stream, _parquet, notes), notes)


def parse_arrow(request: ParseRequest) -> Parsed:
    """An Arrow IPC file or stream."""
    stream = _seekable(request)
    _check_magic(request, stream, b"ARROW1" if stream.read(1) == b"A" else b"\xff\xff\xff\xff", "Arrow IPC")
    notes: list[str] = []
    return Parsed(_guarded(request, stream, _ipc, notes), notes)


def _parquet(stream: IO[bytes]) -> tuple["pa.Schema", Iterator["pa.RecordBatch"]]:
    from pyarrow import parquet

    file = parquet.ParquetFile(stream, coerce_int96_timestamp_unit="us")
    return file.schema_arrow, file.iter_batches(batch_size=ROWS_PER_BATCH)


def _ipc(stream: IO[bytes]) -> tuple["pa.Schema", Iterator["pa.RecordBatch"]]:
    is_file = stream.read(6) == b"ARROW1"
    stream.seek(0)
    if not is_file:
        reader = pa.ipc.open_stream(stream)
        return reader.schema, iter(reader)
    file = pa.ipc.open_file(stream)
    return file.schema, (file.get_batch(index) for index in range(file.num_record_batches))


def _guarded(
    request: ParseRequest,
    stream: IO[bytes],
    read: Callable[[IO[bytes]], tuple["pa.Schema", Iterator["pa.RecordBatch"]]],
    notes: list[str],
) -> Iterator["pa.RecordBatch"]:
    with stream:
        try:
            stream.seek(0)
            schema, batches = read(stream)
            names, renamed = unique_names(schema.names)
            notes += renamed
            empty = True
            for batch in batches:
                # Text that is not UTF-8 or offsets that point nowhere would crash a kernel later.
                batch.validate(full=True)
                empty = False
                yield batch.rename_columns(names) if renamed else batch
            if empty:
                yield pa.RecordBatch.from_pylist([], schema=schema.empty_table().rename_columns(names).schema)
        except _DAMAGE as error:
            raise unreadable(request, f"damaged or cut off: {first_line(error)}", hint="collect it again") from error


def _seekable(request: ParseRequest) -> IO[bytes]:
    stream = open_bytes(request)
    if stream.seekable():
        return stream
    with stream:
        return io.BytesIO(read_all(request, stream, request.memory_limit))


def _check_magic(request: ParseRequest, stream: Any, magic: bytes, expected: str) -> None:
    stream.seek(0)
    head = stream.read(4096)
    stream.seek(0)
    if not head.startswith(magic):
        stream.close()
        raise not_as_promised(request, expected, detect_format(head), head)
