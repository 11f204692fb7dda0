"""Bytes <-> values, without pickle: bytes, JSON, Arrow IPC, each with a header that proves it whole.

Header, big-endian, 61 bytes, times in seconds since the epoch:

    magic "OCV2" (4) | kept_until float64 (8) | expires float64 (8) | stored float64 (8) | codec (1) | SHA-256 (32)

The digest covers the rest of the header, the key and the payload: a damaged value, and one that turns up under another
key, are both found out. The times come right after the magic because doubles that are not negative sort as their bytes
do, so the store can find what is over without decoding it. Values of the format before ("OCV1") count as expired.

The digest guards against damage, not against somebody who may write to the directory: such a person can make a valid
value, but only of these three kinds, so never one that runs code.
"""

import hashlib
import math
import struct
import sys
from typing import Any, Final, NamedTuple

import orjson

from utils.cache.cache import CacheValueInvalid, Hit, check_stale, check_ttl
from utils.cache.tables import table_from_bytes, table_to_bytes

MAGIC: Final = b"OCV2"
HEADER_SIZE: Final = 61
KEPT_UNTIL: Final = slice(4, 12)  # where the header says how long the value is kept

_MAGIC_BEFORE = b"OCV1"
_HEAD = struct.Struct(">4sdddB")
_DIGEST = _HEAD.size  # where the header keeps it
_LAST_MOMENT = 253402300799.0  # the end of the year 9999: the calendar has no more
_BYTES, _JSON, _ARROW = 0, 1, 2
_CLOCK_TOLERANCE_S = 5.0  # a value "stored later than now" is believed up to here: clocks are corrected now and then

# What JSON cannot hold must be refused, not turned into something else: no dataclasses, dates or subclasses.
_JSON_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


Payload = bytes | memoryview


class ValueDamaged(Exception):
    """What is stored is not what was stored, or was never ours. The value counts as missing."""


class Encoded(NamedTuple):
    """A value as it is stored, and its moments in seconds since the epoch (inf: never)."""

    codec: int
    payload: Payload
    stored: float
    expires: float
    kept_until: float


def encode(key: str, value: Any, *, now: float, ttl: float, stale: float = 0.0) -> Encoded:
    """`value` ready to be stored: fresh for `ttl` seconds from `now` on, kept for `stale` seconds more.

    Raises:
        CacheValueInvalid: It is not bytes, JSON or an Arrow table.
        ValueError: `ttl` or `stale` is no such number of seconds.
    """
    expires = now + check_ttl(ttl)
    if expires > _LAST_MOMENT:
        expires = math.inf
    kept_until = expires + check_stale(stale) if stale else expires
    return Encoded(*to_payload(key, value), max(now, 0.0), max(expires, 0.0), max(kept_until, 0.0))


def to_payload(key: str, value: Any) -> tuple[int, Payload]:
    """`value` as (codec, payload).

    Raises:
        CacheValueInvalid: It is not bytes, JSON or an Arrow table.
    """
    if type(value) is bytes:
        return _BYTES, value
    # Who holds a table has imported it already; half imported elsewhere, it has no `Table` yet.
    table = getattr(sys.modules.get("pyarrow"), "Table", None)
    if table is not None and isinstance(value, table):
        return _ARROW, table_to_bytes(value)
    try:
        return _JSON, orjson.dumps(value, None, _JSON_OPTIONS)
    except (TypeError, RecursionError) as error:
        raise CacheValueInvalid(
            f"cache key {key!r}: a {type(value).__name__} cannot be cached ({error})",
            "Values are bytes, JSON (dict keys are str) or a pyarrow.Table; turn a frame into a table first",
        ) from None


def decode(codec: int, payload: Payload) -> Any:
    """The value of an `encode`d payload. Raises `ValueDamaged` when it is not one."""
    if codec == _BYTES:
        return bytes(payload)
    try:
        if codec == _JSON:
            return orjson.loads(payload)
        if codec == _ARROW:
            return table_from_bytes(payload)
    except (ValueError, OSError, KeyError) as error:  # pyarrow's errors are kinds of these
        raise ValueDamaged(f"does not decode: {error}") from error
    raise ValueDamaged(f"codec {codec} is unknown")


def seal(key: str, encoded: Encoded) -> bytes:
    """The header for an encoded value: its moments and its digest."""
    head = _HEAD.pack(MAGIC, encoded.kept_until, encoded.expires, encoded.stored, encoded.codec)
    return head + _digest(head, key, encoded.payload)


def unseal(key: str, header: bytes, payload: Payload, now: float, stale: float = 0.0) -> Hit | None:
    """The value, checked; `None` when it expired `stale` seconds or more before `now` (epoch seconds).

    Raises:
        ValueDamaged: Header, digest or payload are not what was stored under this key.
    """
    try:
        magic, kept_until, expires, stored, codec = _HEAD.unpack_from(header)
    except struct.error:
        raise ValueDamaged("the header is cut") from None
    if magic != MAGIC or len(header) != HEADER_SIZE:
        if magic == _MAGIC_BEFORE:
            return None
        raise ValueDamaged("not a value of ours")
    if header[_DIGEST:] != _digest(header[:_DIGEST], key, payload):
        raise ValueDamaged("the checksum differs")
    if not (0.0 <= stored <= _LAST_MOMENT and (0.0 <= expires <= _LAST_MOMENT or expires == math.inf)):
        raise ValueDamaged("its times are out of range")  # the checksum fits, so somebody made this header on purpose
    return _hit(codec, payload, stored, expires, kept_until, now, stale)


def hit(encoded: Encoded, now: float, stale: float = 0.0) -> Hit | None:
    """What a lookup at `now` gives for an encoded value; `None` once it expired more than `stale` seconds ago.

    A value from the future (the clock was set back since) counts as missing: its age cannot be told honestly.
    """
    return _hit(*encoded, now, stale)


def moment_bytes(moment: float) -> bytes:
    """`moment` as the header holds it, to be compared as bytes."""
    return struct.pack(">d", max(moment, 0.0))


def _hit(  # not of an `Encoded`: making one costs a tenth of a lookup
    codec: int, payload: Payload, stored: float, expires: float, kept_until: float, now: float, stale: float
) -> Hit | None:
    if now < stored - _CLOCK_TOLERANCE_S:
        return None
    if now >= expires and not now < min(expires + stale, kept_until):
        return None
    return Hit(decode(codec, payload), stored, expires, now)


def _digest(head: bytes, key: str, payload: Payload) -> bytes:
    name = key.encode()
    digest = hashlib.sha256(b"%b%d:%b" % (head, len(name), name))
    digest.update(payload)
    return digest.digest()
