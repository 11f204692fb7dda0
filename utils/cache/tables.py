"""Arrow tables as bytes: an IPC stream, compressed from 64 KiB on.

Texts and binaries with 32-bit offsets are written with 64-bit ones, and read back as what they were. Of a wide offset
more than half is always the same, so zstd finds a match at each one; the narrow offsets of a frame of 50 MB alone
made it a third larger (22.7 MB instead of 17.1), and short texts that repeat twice as large.
"""

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

_LEVEL = -1  # a tenth quicker than 1; numbers that are noise take less room, text takes a tenth more
_COMPRESS_FROM = 1 << 16  # below 64 KiB compression costs more time than the bytes are worth
_WIDENED: Final = b"orchestrator.widened"  # in the schema: "1" for each column that was widened, "0" for the others


def table_to_bytes(table: "pa.Table") -> memoryview:
    """`table` as a stream that `table_from_bytes` reads."""
    from utils.arrow import pa

    compress = table.nbytes >= _COMPRESS_FROM
    if compress:
        table = _widened(table)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_write_options(compress)) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def table_from_bytes(stream: bytes | memoryview) -> "pa.Table":
    """The table, with the types it had. Raises what pyarrow raises when `stream` is not one."""
    from utils.arrow import pa

    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        table = reader.read_all()
    table.validate()
    return _narrowed(table)


@functools.cache
def _write_options(compress: bool) -> "pa.ipc.IpcWriteOptions":
    from utils.arrow import pa

    return pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=_LEVEL) if compress else None)


def _widened(table: "pa.Table") -> "pa.Table":
    from utils.arrow import pa

    table, changed = _cast(table, {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}, b"")
    if b"1" not in changed:
        return table
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _WIDENED: changed})


def _narrowed(table: "pa.Table") -> "pa.Table":
    from utils.arrow import pa

    metadata = dict(table.schema.metadata or {})
    widened = metadata.pop(_WIDENED, None)
    if widened is None:
        return table
    table, _ = _cast(table, {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}, widened)
    return table.replace_schema_metadata(metadata or None)


def _cast(table: "pa.Table", types: "dict[pa.DataType, pa.DataType]", only: bytes) -> "tuple[pa.Table, bytes]":
    """With columns of one of `types` as what that becomes (`only` those with a "1", when given); and which were."""
    changed = bytearray()
    for index, field in enumerate(table.schema):
        wanted = types.get(field.type)
        if wanted is None or (only and only[index : index + 1] != b"1"):
            changed += b"0"
            continue
        table = table.set_column(index, field.with_type(wanted), table.column(index).cast(wanted))
        changed += b"1"
    return table, bytes(changed)
