"""Bytes <-> values, without pickle: bytes, JSON, Arrow IPC, each with a header that proves it whole.

Header, big-endian, 53 bytes:

    magic "OCV1" (4) | expires_at float64 (8) | stored_at float64 (8) | codec (1) | SHA-256 (32)

The digest covers the rest of the header, the key and the payload: a damaged value, and one that turns up under another
key, are both found out. `expires_at` comes right after the magic because doubles that are not negative sort as their
bytes do, so the store can find what has expired without decoding it.

The digest guards against damage, not against somebody who may write to the directory: such a person can make a valid
value, but only of these three kinds, so never one that runs code.
"""

import functools
import hashlib
import math
import struct
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from utils.cache.cache import CacheValueInvalid, Hit

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC: Final = b"OCV1"
HEADER_SIZE: Final = 53
EXPIRES_AT: Final = slice(4, 12)  # where the header keeps the expiry

_HEAD = struct.Struct(">4sddB")
_BYTES, _JSON, _ARROW = 0, 1, 2
_COMPRESS_FROM = 1 << 16  # below 64 KiB compression costs more time than the bytes are worth
_CLOCK_TOLERANCE_S = 5.0  # a value "stored later than now" is believed up to here: clocks are corrected now and then

# What JSON cannot hold must be refused, not turned into something else: no dataclasses, dates or subclasses.
_JSON_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


Payload = bytes | memoryview


class ValueDamaged(Exception):
    """What is stored is not what was stored, or was never ours. The value counts as missing."""


def encode(key: str, value: Any) -> tuple[int, Payload]:
    """`value` as (codec, payload).

    Raises:
        CacheValueInvalid: It is not bytes, JSON or an Arrow table.
    """
    if type(value) is bytes:
        return _BYTES, value
    # Who holds a table has imported it already; half imported elsewhere, it has no `Table` yet.
    table = getattr(sys.modules.get("pyarrow"), "Table", None)
    if table is not None and isinstance(value, table):
        return _ARROW, _table_to_bytes(value)
    try:
        return _JSON, orjson.dumps(value, None, _JSON_OPTIONS)
    except (TypeError, RecursionError) as error:
        raise CacheValueInvalid(
            f"cache key {key!r}: a {type(value).__name__} cannot be cached ({error})",
            "Values are bytes, JSON (dict keys are str) or a pyarrow.Table; turn a frame into a table first",
        ) from None


def decode(codec: int, payload: Payload) -> Any:
    """The value of an `encode`d payload. Raises `ValueDamaged` when it is not one."""
    try:
        if codec == _JSON:
            return orjson.loads(payload)
        if codec == _BYTES:
            return bytes(payload)
        if codec == _ARROW:
            return _table_from_bytes(payload)
    except (ValueError, OSError, KeyError) as error:  # pyarrow's errors are kinds of these
        raise ValueDamaged(f"does not decode: {error}") from error
    raise ValueDamaged(f"codec {codec} is unknown")


def seal(key: str, codec: int, payload: Payload, stored_at: float, expires_at: float) -> bytes:
    """The header for `payload`: when it was stored, when it expires (epoch seconds), and its digest."""
    head = _HEAD.pack(MAGIC, max(expires_at, 0.0), max(stored_at, 0.0), codec)
    return head + _digest(head, key, payload)


def unseal(key: str, header: bytes, payload: Payload, now: float) -> Hit | None:
    """The value, checked; `None` when it has expired at `now` (epoch seconds).

    A value from the future (the clock was set back since) counts as expired: its age cannot be told honestly.

    Raises:
        ValueDamaged: Header, digest or payload are not what was stored under this key.
    """
    try:
        magic, expires_at, stored_at, codec = _HEAD.unpack_from(header)
    except struct.error:
        raise ValueDamaged("the header is cut") from None
    if magic != MAGIC or len(header) != HEADER_SIZE:
        raise ValueDamaged("not a value of ours")
    head = header[: _HEAD.size]
    if header[_HEAD.size :] != _digest(head, key, payload):
        raise ValueDamaged("the checksum differs")
    try:
        return hit(codec, payload, stored_at, expires_at, now)
    except (OverflowError, OSError):  # the checksum fits, so somebody made this header on purpose
        raise ValueDamaged("its times are out of range") from None


def hit(codec: int, payload: Payload, stored_at: float, expires_at: float, now: float) -> Hit | None:
    """What a lookup at `now` gives for an encoded value, `None` once it expired. All times in epoch seconds."""
    if not stored_at - _CLOCK_TOLERANCE_S <= now < expires_at:
        return None
    return Hit(
        decode(codec, payload),
        datetime.fromtimestamp(stored_at, UTC),
        None if expires_at == math.inf else datetime.fromtimestamp(expires_at, UTC),
        max(0.0, now - stored_at),
    )


def expiry_bytes(moment: float) -> bytes:
    """`moment` as `EXPIRES_AT` holds it, to be compared as bytes."""
    return struct.pack(">d", max(moment, 0.0))


def _digest(head: bytes, key: str, payload: Payload) -> bytes:
    name = key.encode()
    digest = hashlib.sha256(b"%b%d:%b" % (head, len(name), name))
    digest.update(payload)
    return digest.digest()


def _table_to_bytes(table: "pa.Table") -> memoryview:
    from utils.arrow import pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_write_options(table.nbytes >= _COMPRESS_FROM)) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


@functools.cache
def _write_options(compress: bool) -> "pa.ipc.IpcWriteOptions":
    from utils.arrow import pa

    return pa.ipc.IpcWriteOptions(compression="zstd" if compress else None)


def _table_from_bytes(payload: Payload) -> "pa.Table":
    from utils.arrow import pa

    with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
        table = reader.read_all()
    table.validate()
    return table
