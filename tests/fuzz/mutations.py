"""Things that happen to bytes on the way, drawn from a seeded `random.Random`."""

import gzip
import random
from collections.abc import Callable

_SIGNS = (
    b'"', b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b",", b";", b"\t", b"<",
    b">", b"&", b"&#0;", b"]]>", b"'", b"\\", b"\\ud800", b"-", b"+", b"%", b"NaN", b"Infinity", b"null", b"true", b"#",
    b"\xc3", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80",
)  # fmt: skip
_NUMBERS = (
    b"1e999", b"-1e400", b"9" * 20, b"9" * 45, b"9" * 5_000, b"0." + b"0" * 400 + b"1", b"-0", b"1e-5000", b"0x1F",
    b"2999-01-01T00:00:00Z", b"0000-00-00", b"9999-12-31T23:59:59.999999999Z", b"2024-02-30", b"18446744073709551616",
)  # fmt: skip
_ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "cp1254", "iso8859-9", "cp037", "utf-7")
_NESTING = ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"(", b")"))


LARGEST = 16 * 2**20
"""Bytes that a payload may grow to, so that what takes memory is the parser and not the payload."""


def mutated(data: bytes, draw: random.Random, other: Callable[[], bytes]) -> bytes:
    """The bytes after one to four accidents; `other` gives the bytes of another payload to splice with."""
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        data = draw.choice(_MUTATIONS)(data, draw, other)[:LARGEST]
    return data


def _cut(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _flip(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    result = bytearray(data)
    for _ in range(draw.randint(1, 8) if data else 0):
        result[draw.randrange(len(result))] ^= 1 << draw.randrange(8)
    return bytes(result)


def _delete(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.randint(1, 60) :]


def _repeat(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    piece = data[at : at + draw.randint(1, 300)]
    return data[:at] + piece * draw.choice((2, 2, 3, 500)) + data[at:]


def _random(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.randint(1, 40)) + data[at:]


def _sign(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_SIGNS) * draw.choice((1, 1, 1, 2, 1000)) + data[at:]


def _number(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    places = [at for at, byte in enumerate(data) if 48 <= byte <= 57] or [0]
    at = draw.choice(places)
    return data[:at] + draw.choice(_NUMBERS) + data[at + 1 :]


def _splice(data: bytes, draw: random.Random, other: Callable[[], bytes]) -> bytes:
    rest = other()
    return data[: draw.randrange(len(data) + 1)] + rest[draw.randrange(len(rest) + 1) :]


def _encode(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    return data.decode("latin-1").encode(draw.choice(_ENCODINGS), "replace")


def _pack(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    packed = gzip.compress(data, mtime=0)
    return packed if draw.random() < 0.5 else packed[: draw.randrange(len(packed) + 1)]


def _nest(data: bytes, draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    before, after = draw.choice(_NESTING)
    deep = draw.choice((3, 200, 2_000, 100_000))
    at = draw.randrange(len(data) + 1)
    return data[:at] + before * deep + b"1" + after * deep + data[at:]


def _old_mac(data: bytes, _draw: random.Random, _other: Callable[[], bytes]) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r")


_MUTATIONS = (
    _cut, _cut, _flip, _flip, _delete, _repeat, _random, _sign, _sign, _number, _number, _splice, _encode, _pack, _nest,
    _old_mac,
)  # fmt: skip
