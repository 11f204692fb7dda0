"""Undo `Content-Encoding` a bounded piece at a time, so that a few kilobytes cannot grow to gigabytes unseen."""

import zlib
from collections.abc import Iterable, Iterator

__all__ = ["ACCEPTED", "BrokenEncoding", "CutOff", "UnknownEncoding", "decoded"]

ACCEPTED = "gzip, deflate"
"""What we ask for: the two that the standard library undoes with a bound on the output."""

PIECE = 256 * 1024
"""Bytes of output at most at a time. httpx undoes a whole network chunk at once: 64 KB of zeros become 64 MB."""

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class UnknownEncoding(ValueError):
    """The provider used an encoding that we did not offer."""


class BrokenEncoding(ValueError):
    """The bytes are not what `Content-Encoding` says."""


class CutOff(ValueError):
    """The encoded stream ended in the middle."""


def decoded(chunks: Iterable[bytes], encodings: str) -> Iterator[bytes]:
    """The chunks with the encodings of a `Content-Encoding` header undone, last one first (RFC 9110, 8.4).

    Raises:
        UnknownEncoding, BrokenEncoding, CutOff: see there; each may come in the middle of the stream.
    """
    names = [name.strip().lower() for name in encodings.split(",") if name.strip()]
    if len(names) > 3:
        raise UnknownEncoding(f"{len(names)} encodings on top of each other")
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            chunks = _inflated(chunks, _GZIP)
        elif name == "deflate":
            chunks = _inflated(chunks, None)
        elif name != "identity":
            raise UnknownEncoding(name)
    return iter(chunks)


def _inflated(chunks: Iterable[bytes], window: int | None) -> Iterator[bytes]:
    """`window` None: deflate, which some servers send with and some without the zlib header (RFC 9110, 8.4.1.2)."""
    decoder = None if window is None else zlib.decompressobj(window)
    started = False
    for chunk in chunks:
        data = chunk
        while data:
            if decoder is None:
                decoder = zlib.decompressobj(_ZLIB if data[0] & 0x0F == 8 else _RAW)
            if decoder.eof:
                if window != _GZIP or not data.strip(b"\0"):
                    break  # padding after the end
                decoder = zlib.decompressobj(window)  # the next member of a gzip file
            started = True
            try:
                piece = decoder.decompress(data, PIECE)
            except zlib.error as error:
                raise BrokenEncoding(str(error)) from error
            if piece:
                yield piece
            data = decoder.unconsumed_tail or decoder.unused_data
            # Output may wait inside although all input is eaten: go on until it is out.
            while not data and not decoder.eof and len(piece) == PIECE:
                piece = decoder.decompress(b"", PIECE)
                if piece:
                    yield piece
                data = decoder.unconsumed_tail or decoder.unused_data
    if started and decoder is not None and not decoder.eof:
        raise CutOff("the compressed answer ends in the middle")
