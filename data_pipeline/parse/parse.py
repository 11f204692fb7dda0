"""From what a collector brought to one batch of typed rows, whatever the format and however many payloads."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from data_pipeline.batch import MEMORY_LIMIT, ROWS_PER_BATCH, Batch
from data_pipeline.dataset import UNPARSED, Collected, Payload
from data_pipeline.errors import CollectError
from data_pipeline.parse.columns import Columns, LateFailure
from data_pipeline.parse.data_time import find_data_time, parse_data_time
from data_pipeline.parse.encoding import open_bytes, open_text
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parser import MAX_SIZE, Parsed, Parser, ParseRequest
from data_pipeline.parse.sniff import HEAD, detect_format
from data_pipeline.parse.spool import Spool
from data_pipeline.parse.times import Zone
from data_pipeline.parse.unreadable import not_as_promised, unreadable

if TYPE_CHECKING:
    from utils.arrow import pa

RAW_MEMORY = 16 * 2**20
TYPED_MEMORY = 16 * 2**20
"""Bytes of columns as sent, and of typed ones, that are held while types are not settled; more goes to disk."""


@dataclass(slots=True)
class _Learned:
    """What the payloads told beside their rows."""

    notes: list[str] = field(default_factory=list)
    documents: list[Any] = field(default_factory=list)


def parse(
    collected: Collected,
    *,
    dataset: str,
    options: ParseOptions | None = None,
    columns: dict[str, ColumnOptions] | None = None,
    zone: str = "UTC",
    ambiguous: str = "infer",
    nonexistent: str = "shift",
    data_time: str | None = None,
    memory_limit: int = MEMORY_LIMIT,
    max_size: int = MAX_SIZE,
) -> Batch:
    """Read every payload in order (or the collector's rows) into one batch with one schema.

    The provenance gets `data_time` and notes: what was guessed, renamed, or missing.

    Raises:
        PayloadUnreadable: a payload is not what was promised; the message says what came instead.
        MemoryLimitExceeded: a format that must be held as a whole is too large.
    """
    if not columns and not data_time and (plain := _plain(collected, memory_limit)) is not None:
        return plain
    options = options or ParseOptions()
    place = Zone(zone, ambiguous, nonexistent)
    typing = Columns(columns or {}, options, place)
    learned = _Learned()
    ask = partial(
        ParseRequest, dataset, options=options, columns=columns or {}, max_size=max_size, memory_limit=memory_limit
    )
    try:
        batch = _typed(_sent(collected, ask, learned), typing, collected, memory_limit)
    except CollectError as error:
        error.provider = error.provider or collected.provenance.provider
        raise
    return _with_news(batch, collected, learned, typing, data_time, place)


_NEVER_CHANGED = ("int64", "bool", "string", "timestamp[us, tz=UTC]", "decimal128")
_floats: dict["pa.Schema", tuple[int, ...] | None] = {}


def _plain(collected: Collected, memory_limit: int) -> Batch | None:
    """One record batch of a collector that typing would leave as it is; None when it has to be looked at."""
    if collected.rows is None or collected.payloads:
        return None
    import numpy as np

    rows = collected.rows()
    first = next(rows, None)
    if first is None or first.num_rows > ROWS_PER_BATCH or next(rows, None) is not None:
        return None
    schema = first.schema
    floats = _floats[schema] if schema in _floats else _floats.setdefault(schema, _plain_layout(schema))
    if floats is None:
        return None
    for position in floats:
        column = first.column(position)
        if column.null_count or np.isnan(column.to_numpy()).any():
            return None
    return Batch.from_batches([first], schema=schema, provenance=collected.provenance, memory_limit=memory_limit)


def _plain_layout(schema: "pa.Schema") -> tuple[int, ...] | None:
    """Where the float columns are, in which a NaN would have to become null; None when another column needs typing."""
    if len(set(schema.names)) < len(schema.names) or "" in schema.names:
        return None
    kinds = [str(field.type) for field in schema]
    if not all(kind == "double" or kind.startswith(_NEVER_CHANGED) for kind in kinds):
        return None
    return tuple(position for position, kind in enumerate(kinds) if kind == "double")


def read_payload(request: ParseRequest) -> Parsed:
    """One payload by the parser of its format; `auto` looks at the content."""
    kind: str = request.options.format
    if kind == "auto":
        kind = _detect(request)
    parser = _parser(kind)
    if parser is None:
        head = _head(request)
        if kind in {"html", "binary"}:
            raise not_as_promised(request, "rows of data", kind, head)
        raise unreadable(request, f"this is {kind}, which is not supported yet", hint="ask for CSV, JSON or Parquet")
    return parser(request)


def _parser(kind: str) -> Parser | None:
    # Imported one by one: a run over CSV files should not load what only Parquet needs.
    if kind == "csv":
        from data_pipeline.parse.csv import parse_csv

        return parse_csv
    if kind in {"json", "jsonl"}:
        from data_pipeline.parse.json import parse_json, parse_jsonl

        return parse_json if kind == "json" else parse_jsonl
    if kind in {"parquet", "arrow"}:
        from data_pipeline.parse.parquet import parse_arrow, parse_parquet

        return parse_parquet if kind == "parquet" else parse_arrow
    return None


def _detect(request: ParseRequest) -> str:
    head = _head(request)
    payload: Payload = request.payload
    found = detect_format(head, payload.name, payload.media_type)
    if found == "binary":
        # UTF-16 is full of zero bytes too; with a byte order mark or a charset it is text.
        with open_text(request).open() as stream:
            found = detect_format(stream.read(HEAD), payload.name, payload.media_type)
    return found


def _head(request: ParseRequest) -> bytes:
    with open_bytes(request) as stream:
        return stream.read(HEAD)


def _sent(
    collected: Collected, ask: "partial[ParseRequest]", learned: _Learned
) -> Iterator[tuple["pa.RecordBatch", bool]]:
    """Batches as sent, and whether they are all text."""
    if collected.rows is not None:
        for batch in collected.rows():
            yield batch, False
    for payload in collected.payloads:
        parsed = read_payload(ask(payload=payload))
        for batch in parsed.batches:
            yield batch, parsed.text
        learned.notes += (note for note in parsed.notes if note not in learned.notes)
        if parsed.document is not None:
            learned.documents.append(parsed.document)


def _typed(
    sent: Iterator[tuple["pa.RecordBatch", bool]], typing: Columns, collected: Collected, memory_limit: int
) -> Batch:
    raw = Spool(RAW_MEMORY)
    typed: list[pa.RecordBatch] | None = []
    held = 0
    for batch, text in sent:
        raw.append(batch)
        result = typing.read(batch, text=text)
        if typed is not None:
            held += result.get_total_buffer_size()
            typed.append(result)
            if held > TYPED_MEMORY:
                typed = None  # too much to hold twice; it is read again from the spool
    raw.finish()
    schema = typing.settle()

    def finished(batches: Iterator["pa.RecordBatch"]) -> Batch:
        final = _with_unparsed(schema) if typing.failed else schema
        return Batch.from_batches(
            _sliced(batches), schema=final, provenance=collected.provenance, memory_limit=memory_limit
        )

    try:
        final = _with_unparsed(schema) if typing.failed else schema
        if typed is not None and all(batch.schema.equals(final) for batch in typed):
            return finished(iter(typed))
        try:
            return finished(map(typing.convert, raw.batches()))
        except LateFailure:
            typing.failed = True
            return finished(map(typing.convert, raw.batches()))
    finally:
        raw.drop()


def _sliced(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
    for batch in batches:
        if batch.num_rows <= ROWS_PER_BATCH:
            yield batch
        else:
            for start in range(0, batch.num_rows, ROWS_PER_BATCH):
                yield batch.slice(start, ROWS_PER_BATCH)


def _with_unparsed(schema: "pa.Schema") -> "pa.Schema":
    from utils.arrow import pa

    return schema.append(pa.field(UNPARSED, pa.string()))


def _with_news(
    batch: Batch, collected: Collected, learned: _Learned, typing: Columns, data_time: str | None, zone: Zone
) -> Batch:
    notes = [*learned.notes, *typing.notes]
    moment = None
    if data_time:
        moment, missing = find_data_time(
            parse_data_time(data_time),
            batch,
            provenance=collected.provenance,
            names=[payload.name for payload in collected.payloads],
            documents=learned.documents,
            zone=zone,
        )
        if missing:
            notes.append(missing)
    if not notes and moment is None:
        return batch
    provenance = batch.provenance
    return batch.with_provenance(
        replace(provenance, data_time=moment or provenance.data_time, notes=(*provenance.notes, *notes))
    )
