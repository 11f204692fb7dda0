"""JSON documents and JSON lines: objects become rows, nested objects columns `a.b`, and no digit is lost."""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any

import orjson

from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse.encoding import open_text
from data_pipeline.parse.json_columns import TooManyColumns, to_batch
from data_pipeline.parse.json_shapes import by_column, column_lengths
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.records import search
from data_pipeline.parse.sniff import markup
from data_pipeline.parse.unreadable import first_bytes, not_as_promised, unreadable
from utils.arrow import pa

LINES_AT_ONCE = 2**19
"""Bytes of JSON lines decoded together. The objects take ten times as much: more would leave the processor's cache."""

MAX_LINE = 64 * 2**20

_OBJECT_COST = 4
"""Decoded objects take about this many times the bytes of their text."""

_DIGITS = bytes(48 if 48 <= code <= 57 else 101 if code in b"eE" else 32 for code in range(256))
"""Every digit to `0`, all else but `e` to a blank: finds long numbers at memory speed."""

_HUGE = re.compile(rb"(?:^|[\s:,\[])-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]{3}")
"""A number of a hundred digits or more, which may be beyond what a float holds."""

_MANY_DIGITS = 4_000  # Python refuses to turn longer text into an int


def parse_json(request: ParseRequest) -> Parsed:
    """The rows at `records` of one document; a single object there is one row.

    Raises:
        MemoryLimitExceeded: the document, which must be held as a whole, is too large for `memory_limit`.
    """
    limit = request.memory_limit // _OBJECT_COST
    if request.payload.size > limit:
        raise MemoryLimitExceeded(
            f"{request.dataset}: a JSON document of {request.payload.size:,} bytes does not fit into app.memory_limit",
            hint="ask the provider for pages, JSON lines, CSV or Parquet, which are read in parts",
        )
    text = open_text(request, whole=True, limit=limit, guess=False)
    assert text.data is not None
    document = _decode(request, text.data)
    notes: list[str] = []
    rows = _by_shape(request, document, notes)
    return Parsed(iter([_batch(request, rows)]), [*text.notes, *notes], document=document)


def parse_jsonl(request: ParseRequest) -> Parsed:
    """One JSON value a line; blank lines are skipped. Streamed in blocks."""
    text = open_text(request, guess=False)
    return Parsed(_blocks(request, text.open()), text.notes)


def _blocks(request: ParseRequest, stream: Any) -> Iterator["pa.RecordBatch"]:
    number, empty = 1, True
    with stream:
        for lines in _whole_lines(stream):
            if len(lines[0]) > MAX_LINE:
                what = f"line {number:,} is longer than {MAX_LINE:,} bytes"
                raise unreadable(request, what, hint="check `parse.format`: one JSON document is `json`, not `jsonl`")
            documents = _decode_lines(request, lines, number)
            number += len(lines)
            rows = documents
            if request.options.records:
                rows = [row for document in documents for row in _rows_of(request, document)]
            if rows:
                empty = False
                yield _batch(request, rows)
    if empty:
        yield to_batch([])


def _whole_lines(stream: Any) -> Iterator[list[bytes]]:
    """Some lines at a time, each with its end. A line that grows too long comes alone and unfinished."""
    whole: list[bytes] = []
    begun: list[bytes] = []
    held = 0
    while chunk := stream.read(LINES_AT_ONCE):
        end = chunk.rfind(b"\n") + 1
        if end:
            if whole:
                yield whole
            whole = BytesIO(b"".join((*begun, chunk[:end]))).readlines()
            begun, held = [chunk[end:]], len(chunk) - end
        else:
            begun.append(chunk)
            held += len(chunk)
            if held > MAX_LINE:
                if whole:
                    yield whole
                yield [b"".join(begun)]
                return
    if whole or held:
        yield [*whole, b"".join(begun)] if held else whole


def _decode_lines(request: ParseRequest, lines: list[bytes], number: int) -> list[Any]:
    filled = [line for line in lines if not line.isspace()]
    whole = b"[" + b",".join(filled) + b"]"
    with contextlib.suppress(ValueError, RecursionError):
        documents = _decode_exactly(request, whole) if _long_numbers(request, whole) else orjson.loads(whole)
        # `1,2` on one line would pass as two values of the list.
        if isinstance(documents, list) and len(documents) == len(filled):
            return documents
    documents = []
    for offset, line in enumerate(lines):
        if not line.isspace():
            documents.append(_decode(request, line, line_number=number + offset))
    return documents


def _decode(request: ParseRequest, data: bytes, line_number: int | None = None) -> Any:
    try:
        if _long_numbers(request, data):
            return _decode_exactly(request, data)
        return orjson.loads(data)
    except RecursionError as error:
        raise unreadable(request, "nested too deeply", hint="look at what the provider sends") from error
    except ValueError as error:
        raise _explained(request, data, error, line_number) from error


def _long_numbers(request: ParseRequest, data: bytes) -> bool:
    """Whether a number may be longer than orjson keeps: 64 bits, or a float's digits where decimals are declared."""
    decimals = any(column.type == "decimal" for column in request.columns.values())
    digits = data.translate(_DIGITS, b"+." if decimals else b"+")
    if b"0" * (16 if decimals else 19) in digits:
        return True
    return b"0e000" in digits and _HUGE.search(data) is not None  # `3e100` stands in many a hash too


def _decode_exactly(request: ParseRequest, data: bytes) -> Any:
    decimals = any(column.type == "decimal" for column in request.columns.values())

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    return json.loads(
        data.decode(),
        parse_int=lambda digits: int(digits) if len(digits) < _MANY_DIGITS else digits,
        parse_float=_exact_float if decimals else _finite_float,
        parse_constant=refuse,
    )


def _finite_float(digits: str) -> float | str:
    number = float(digits)
    return digits if math.isinf(number) else number  # 1e400 stays what was sent


def _exact_float(digits: str) -> float | Decimal | str:
    number = _finite_float(digits)
    if isinstance(number, str) or len(digits) < 16 or repr(number) == digits:
        return number
    try:
        return Decimal(digits)
    except InvalidOperation:  # an exponent beyond what Python's decimals know
        return digits


def _explained(request: ParseRequest, data: bytes, error: ValueError, line: int | None) -> PayloadUnreadable:
    position = getattr(error, "pos", None)
    other = markup(data)
    if other is not None or not data.strip():
        return not_as_promised(request, "JSON", other or "nothing", data)
    message = getattr(error, "msg", str(error))
    if line is not None:
        where = f"line {line:,}, column {(position or 0) + 1:,}"
    elif position is None:
        where = "the document"
    else:
        before = data.decode("utf-8", "replace")[:position]
        where = f"line {before.count(chr(10)) + 1:,}, column {len(before) - before.rfind(chr(10)):,}"
        where += f" (character {position:,} of {len(data.decode('utf-8', 'replace')):,})"
    cut = "; the document looks cut off" if "end of data" in message or "EOF" in message else ""
    return unreadable(
        request,
        f"expected JSON, but at {where}: {message}{cut} (first bytes: {first_bytes(data)})",
        hint="check `parse.format`, or whether the download was cut off",
    )


def _by_shape(request: ParseRequest, document: Any, notes: list[str]) -> list[Any]:
    """The rows of a whole document; one object there may hold columns instead of being a row."""
    found = _found(request, document)
    if isinstance(found, list):
        return found
    path = request.options.records
    turned = by_column(found, empty=path is not None)
    if turned is not None:
        where = f"`records: {path}`" if path else "the document"
        notes.append(f"{where} holds {len(found):,} columns of {len(turned):,} values: each position is a row")
        return turned
    if path and len(lengths := column_lengths(found)) > 1:
        words = ", ".join(f"{length:,}" for length in sorted(lengths))
        notes.append(f"`records: {path}` holds lists of different lengths ({words}), so it is one row and no columns")
    return [found]


def _rows_of(request: ParseRequest, document: Any) -> list[Any]:
    found = _found(request, document)
    return found if isinstance(found, list) else [found]


def _found(request: ParseRequest, document: Any) -> Any:
    path = request.options.records
    found = document
    if path:
        try:
            found = search(path)(document)
        except (ValueError, RecursionError) as error:
            raise unreadable(request, f"records: {error}", hint="check `parse.records`") from error
        if found is None:
            keys = f"its keys are {', '.join(list(document)[:12])}" if isinstance(document, dict) else "it is a list"
            raise unreadable(
                request, f"`records: {path}` finds nothing in the document; {keys}", hint="check `parse.records`"
            )
    return found


def _batch(request: ParseRequest, rows: list[Any]) -> "pa.RecordBatch":
    try:
        return to_batch(rows, flatten=request.options.flatten)
    except TooManyColumns as error:
        raise unreadable(request, str(error), hint="set `parse.records`, or `flatten: false`") from error
    except (RecursionError, TypeError) as error:
        raise unreadable(request, f"cannot be laid out as rows: {error}", hint="check `parse.records`") from error
