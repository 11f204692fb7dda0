"""Bytes as sent to UTF-8: gzip, zstd and bzip2 undone, encoding found, byte order mark dropped, sizes bounded."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.options import is_text_encoding
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.unreadable import unreadable

IN_MEMORY = 4 * 2**20
"""Payloads up to this many bytes are held as one piece; larger ones are streamed."""

CHUNK = 2**20
MAX_RATIO = 200
"""How much larger than sent a payload may become; honest CSV and JSON seldom pass 30, a gzip bomb reaches 1,000."""

_MAGIC = 10
_COMPRESSED = ((re.compile(rb"\x1f\x8b"), "gzip"), (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd"),
               (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "bzip2"))  # fmt: skip
"""How compressed payloads begin; looked for in the first `_MAGIC` bytes."""

_RATIO_FREE = 16 * 2**20
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


@dataclass(slots=True)
class Text:
    """A payload as UTF-8 without byte order mark.

    Attributes:
        open: A fresh binary stream with `read` and `readline`.
        data: The whole of it when it is small, else `None`.
    """

    open: Callable[[], IO[bytes]]
    data: bytes | None = None
    notes: list[str] = field(default_factory=list)


def open_bytes(request: ParseRequest) -> IO[bytes]:
    """The payload's bytes, gzip, zstd or bzip2 undone, bounded by `max_size`.

    Raises:
        PayloadUnreadable: while reading, when it grows too large or is damaged.
    """
    stream: IO[bytes] = request.payload.open()
    head = stream.read(_MAGIC)
    rest: IO[bytes]
    if stream.seekable():
        stream.seek(0)
        rest = stream
    else:
        rest = io.BufferedReader(_Chained(head, stream), CHUNK)
    for magic, kind in _COMPRESSED:
        if magic.match(head):
            return io.BufferedReader(_Decompressed(rest, kind, request), CHUNK)
    if request.payload.size > request.max_size:
        raise _too_large(request)
    return rest


def read_all(request: ParseRequest, stream: IO[bytes], limit: int) -> bytes:
    """Everything, up to `limit` bytes; beyond it the payload is refused."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise _too_large(request, limit)
    return data


def open_text(request: ParseRequest, *, whole: bool = False, limit: int | None = None, guess: bool = True) -> Text:
    """The payload as UTF-8.

    Args:
        whole: Hold it in memory whatever its size (formats that cannot be streamed), up to `limit` bytes.
        guess: Whether what is not UTF-8, and names no charset, may be read as Windows-1252 (JSON is UTF-8: RFC 8259).

    Raises:
        PayloadUnreadable: it is not in its declared encoding (byte offset in the message), too large, or damaged.
    """
    with open_bytes(request) as stream:
        data = read_all(request, stream, limit or request.max_size) if whole else stream.read(IN_MEMORY + 1)
    if whole or len(data) <= IN_MEMORY:
        return _in_memory(request, data, guess=guess)
    return _streamed(request, data, guess=guess)


def _in_memory(request: ParseRequest, data: bytes, *, guess: bool) -> Text:
    notes: list[str] = []
    for encoding, sure in _candidates(request, data, notes, guess=guess):
        try:
            if encoding == "utf-8":
                if not data.isascii():
                    data.decode()
                data = data.removeprefix(codecs.BOM_UTF8)
            else:
                data = data.decode(encoding).removeprefix("\ufeff").encode()
        except UnicodeError as error:
            if sure:
                raise _not_in(request, encoding, data, getattr(error, "start", 0), 0) from error
            continue
        return Text(partial(io.BytesIO, data), data, _told(notes, encoding, request))
    raise AssertionError("the last candidate is final")  # pragma: no cover


def _streamed(request: ParseRequest, head: bytes, *, guess: bool) -> Text:
    notes: list[str] = []
    for encoding, sure in _candidates(request, head, notes, guess=guess):
        try:
            # A look through everything first: half of a file in one encoding and half in another helps nobody.
            for _ in _utf8_chunks(request, encoding):
                pass
        except _BadByte as error:
            if sure:
                raise _not_in(request, encoding, error.data, error.start, error.before) from error
            continue
        return Text(partial(_utf8_stream, request, encoding), None, _told(notes, encoding, request))
    raise AssertionError("the last candidate is final")  # pragma: no cover


def _candidates(request: ParseRequest, head: bytes, notes: list[str], *, guess: bool) -> Iterator[tuple[str, bool]]:
    """Encodings to try, in order, and whether the first failure is final."""
    declared = request.options.encoding
    if declared != "auto":
        yield codecs.lookup(declared).name.removesuffix("-sig"), True
        return
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            yield encoding, True
            return
    charset = request.payload.charset
    named = bool(charset) and is_text_encoding(charset)
    if named:
        yield codecs.lookup(charset).name, False
        notes.append(f"the bytes are not in the charset `{charset}` that the provider names")
    elif charset:
        notes.append(f"the provider's charset `{charset}` is unknown and was ignored")
    yield "utf-8", named or not guess  # it proves itself; a guess against the provider's own word would be a lie
    yield "cp1252", False
    yield "utf-8", True  # the bytes that Windows-1252 does not know are no text in any Latin encoding


def _told(notes: list[str], encoding: str, request: ParseRequest) -> list[str]:
    # A note waits in the list only when its candidate failed, because the generator stops at the one that worked.
    if request.options.encoding == "auto" and encoding == "cp1252" and not (request.payload.charset and not notes):
        notes.append(f"not UTF-8; read as {encoding} (a guess; set `parse.encoding` to be sure)")
    return notes


def _utf8_stream(request: ParseRequest, encoding: str) -> IO[bytes]:
    return io.BufferedReader(ChunkStream(_utf8_chunks(request, encoding)), CHUNK)


class _BadByte(Exception):
    def __init__(self, data: bytes, start: int, before: int) -> None:
        super().__init__()
        self.data, self.start, self.before = data, start, before


def _utf8_chunks(request: ParseRequest, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    before, first = 0, True
    with open_bytes(request) as stream:
        while True:
            chunk = stream.read(CHUNK)
            held = len(decoder.getstate()[0])
            if encoding == "utf-8" and chunk and not held and chunk.isascii():
                before, first = before + len(chunk), False
                yield chunk  # as it is: most payloads are all ASCII, and copies of them take as long as reading does
                continue
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                # Bytes held back from the chunk before are part of what the decoder counts.
                bad = getattr(error, "object", chunk)
                raise _BadByte(bad, getattr(error, "start", 0), before - held) from error
            before += len(chunk)
            if text:
                yield (text.removeprefix("\ufeff") if first else text).encode()
                first = False
            if not chunk:
                return


def _not_in(request: ParseRequest, encoding: str, data: bytes, start: int, before: int) -> PayloadUnreadable:
    bad = f"byte 0x{data[start]:02x}" if start < len(data) else "the end"
    guessed = request.options.encoding == "auto"
    hint = "name the encoding in `parse.encoding`" if guessed else "check `parse.encoding`; `auto` detects it"
    return unreadable(
        request,
        f"not in {encoding}: {bad} at offset {before + start}",
        hint=hint,
    )


def _too_large(request: ParseRequest, limit: int | None = None) -> PayloadUnreadable:
    return unreadable(
        request,
        f"larger than {limit or request.max_size:,} bytes once decompressed",
        hint="ask the provider for less at once, or for CSV or Parquet, which are read in parts",
    )


class ChunkStream(io.RawIOBase):
    """An iterator of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._held = memoryview(chunk)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


class _Chained(io.RawIOBase):
    """Some bytes already read, then the rest of their stream."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data, self._head = (self._head, b"") if self._head else (self._stream.read(len(buffer)), b"")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Decompressed(io.RawIOBase):
    """A decompressing stream that stops a bomb early and tells damage in our words."""

    def __init__(self, sent: IO[bytes], kind: str, request: ParseRequest) -> None:
        self._sent, self._kind, self._request, self._count = sent, kind, request, 0
        self._stream: Any = _decompressor(sent, kind)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            raise unreadable(
                self._request,
                f"the {self._kind} data is damaged or cut off ({error})",
                hint="the download was incomplete",
            ) from error
        self._count += len(data)
        size = self._request.payload.size
        if self._count > self._request.max_size:
            raise _too_large(self._request)
        if self._count > _RATIO_FREE and size and self._count > MAX_RATIO * size:
            raise unreadable(
                self._request,
                f"the {self._kind} data grows to more than {MAX_RATIO} times its {size:,} bytes; refused as a bomb",
                hint="look at what the provider sends",
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        self._sent.close()  # GzipFile leaves what it was given open
        super().close()


def _decompressor(sent: IO[bytes], kind: str) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=sent)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2File(sent)
    from utils.arrow import pa

    return pa.CompressedInputStream(sent, "zstd")
