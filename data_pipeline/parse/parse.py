"""From what a collector brought to one batch of typed rows, whatever the format and however many payloads."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from data_pipeline.batch import MEMORY_LIMIT, ROWS_PER_BATCH, SPOOL_AFTER, Batch
from data_pipeline.dataset import UNPARSED, Collected, Payload
from data_pipeline.errors import CollectError
from data_pipeline.parse.columns import CannotWiden, Columns, LateFailure
from data_pipeline.parse.data_time import find_data_time, parse_data_time
from data_pipeline.parse.encoding import open_bytes, open_text
from data_pipeline.parse.extra_columns import with_extra
from data_pipeline.parse.numbers import NumberStyle
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parser import MAX_SIZE, Parsed, Parser, ParseRequest
from data_pipeline.parse.sniff import HEAD, detect_format
from data_pipeline.parse.times import Zone
from data_pipeline.parse.unreadable import not_as_promised, unreadable
from data_pipeline.row_spool import RowSpool
from utils.arrow import has_nan

if TYPE_CHECKING:
    from utils.arrow import pa

COPY_MEMORY = 16 * 2**20
"""Bytes of a collector's rows as sent that are held while types are not settled; more goes to disk."""


@dataclass(slots=True)
class _Learned:
    """What the payloads told beside their rows."""

    notes: list[str] = field(default_factory=list)
    documents: dict[int, Any] = field(default_factory=dict)
    """By the position of their payload, so that a second reading changes nothing."""
    rows: dict[int, int] = field(default_factory=dict)
    """Of several payloads: how many each has, likewise."""


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
    options = _with_extra_ids(options or ParseOptions(), columns or {}, collected)
    as_it_is = not (columns or data_time or options.melt or options.drop_where)
    if as_it_is and (plain := _plain(collected, memory_limit)) is not None:
        return plain
    place = Zone(zone, ambiguous, nonexistent)
    typing = Columns(columns or {}, options, place)
    learned = _Learned()
    ask = partial(
        ParseRequest, dataset, options=options, columns=columns or {}, max_size=max_size, memory_limit=memory_limit
    )
    try:
        batch = _typed(partial(_sent, collected, ask, learned), typing, collected, memory_limit)
        batch = _arranged(batch, dataset, options, columns or {}, place, learned)
    except CollectError as error:
        error.provider = error.provider or collected.provenance.provider
        raise
    return _with_news(batch, collected, learned, typing, data_time, place)


def _with_extra_ids(options: ParseOptions, columns: dict[str, ColumnOptions], collected: Collected) -> ParseOptions:
    """What a payload's rows have in common is never melted: it belongs to each of the long rows."""
    melt = options.melt
    sent = dict.fromkeys(name for payload in collected.payloads for name, _ in payload.extra)
    if melt is None or not sent:
        return options
    given = {old: new for new, column in columns.items() for old in (*column.aliases, column.source or new)}
    names = (given.get(name, name) for name in sent)
    more = tuple(name for name in names if name not in {*melt.id, melt.name, melt.value})
    return options.model_copy(update={"melt": melt.model_copy(update={"id": (*melt.id, *more)})})


_NEVER_CHANGED = ("int64", "bool", "string", "timestamp[us, tz=UTC]", "decimal128")


def _plain(collected: Collected, memory_limit: int) -> Batch | None:
    """One record batch of a collector that typing would leave as it is; None when it has to be looked at."""
    if collected.rows is None or collected.payloads:
        return None
    rows = collected.rows()
    first = next(rows, None)
    if first is None or first.num_rows > ROWS_PER_BATCH or next(rows, None) is not None:
        return None
    schema = first.schema
    floats = _plain_layout(schema)
    if floats is None:
        return None
    for position in floats:
        column = first.column(position)
        if column.null_count or has_nan(column):
            return None
    return Batch.from_batches([first], schema=schema, provenance=collected.provenance, memory_limit=memory_limit)


@lru_cache(maxsize=4096)
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
        if kind == "zip":
            advice = "name a member, such as `path: a.zip!*.csv`, or set `parse.format`"
            raise unreadable(request, "this is a zip archive", hint=advice)
        raise not_as_promised(request, "rows of data", kind, head)
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
    if kind == "xml":
        from data_pipeline.parse.xml import parse_xml

        return parse_xml
    if kind == "excel":
        from data_pipeline.parse.excel import parse_excel

        return parse_excel
    if kind == "prometheus":
        from data_pipeline.parse.prometheus import parse_prometheus

        return parse_prometheus
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
    for position, payload in enumerate(collected.payloads):
        parsed = read_payload(ask(payload=payload))
        learned.rows[position] = 0
        for batch in parsed.batches:
            learned.rows[position] += batch.num_rows
            yield with_extra(batch, payload.extra, ask.keywords["columns"], text=parsed.text), parsed.text
        learned.notes += (note for note in parsed.notes if note not in learned.notes)
        if parsed.document is not None:
            learned.documents[position] = parsed.document


def _typed(
    sent: "Callable[[], Iterator[tuple[pa.RecordBatch, bool]]]", typing: Columns, collected: Collected, limit: int
) -> Batch:
    """Every batch typed by what is known when it comes; where the end shows that more is needed, widened.

    Where a typed column cannot be widened (a late `A12` makes text of a column, and of 7 we no longer know how it was
    written), everything is read again: payloads from their bytes, a collector's rows from a copy, because a query may
    not run twice.
    """
    copy = RowSpool(COPY_MEMORY) if collected.rows is not None and typing.may_need_sent else None
    typed = RowSpool(SPOOL_AFTER)
    schemas: set[pa.Schema] = set()
    with contextlib.ExitStack() as spools:
        spools.callback(typed.drop)
        for batch, text in sent():
            if copy is not None:
                copy.append(batch)
            result = typing.read(batch, text=text)
            schemas.add(result.schema)
            for part in _sliced(result):
                typed.append(part)
        typed.finish()
        if copy is not None:
            spools.callback(copy.drop)
            copy.finish()
        schema = typing.settle()

        def built(batches: Iterator["pa.RecordBatch"]) -> Batch:
            final = _with_unparsed(schema) if typing.failed else schema
            parts = (part for batch in batches for part in _sliced(batch))
            return Batch.from_batches(parts, schema=final, provenance=collected.provenance, memory_limit=limit)

        def again() -> Iterator["pa.RecordBatch"]:
            return map(typing.convert, copy.batches() if copy is not None else (batch for batch, _ in sent()))

        final = _with_unparsed(schema) if typing.failed else schema
        if all(known.equals(final) for known in schemas):
            spools.pop_all()
            return _kept(typed, final, collected, limit)
        with contextlib.suppress(CannotWiden):
            return built(map(typing.widen, typed.batches()))
        with contextlib.suppress(LateFailure):
            return built(again())
        typing.failed = True
        return built(again())


def _kept(typed: RowSpool, schema: "pa.Schema", collected: Collected, limit: int) -> Batch:
    """The spool itself as a batch; it lives as long as the batch does."""

    def batches() -> Iterator["pa.RecordBatch"]:
        return (batch for batch in typed.batches() if batch.num_rows)

    return Batch(
        schema, batches, rows=typed.rows, nbytes=typed.nbytes, provenance=collected.provenance, memory_limit=limit
    )


def _sliced(batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
    if batch.num_rows <= ROWS_PER_BATCH:
        yield batch
        return
    for start in range(0, batch.num_rows, ROWS_PER_BATCH):
        yield batch.slice(start, ROWS_PER_BATCH)


def _arranged(
    batch: Batch,
    dataset: str,
    options: ParseOptions,
    columns: dict[str, ColumnOptions],
    zone: Zone,
    learned: _Learned,
) -> Batch:
    """The steps that need typed columns: `melt`, then `drop_where`."""
    if options.melt is not None:
        from data_pipeline.parse.melt import melted

        style = NumberStyle(options.decimal, options.thousands)
        batch = melted(batch, options.melt, columns, dataset=dataset, style=style, zone=zone)
    if options.drop_where:
        from data_pipeline.parse.drop import dropped

        rows = batch.rows
        batch, count = dropped(batch, options.drop_where, dataset=dataset)
        if count:
            learned.notes.append(f"`drop_where` left out {count:,} of {rows:,} rows")
    return batch


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
            documents=list(learned.documents.values()),
            zone=zone,
        )
        if missing:
            notes.append(missing)
    origins = _origins(collected, learned, batch.rows) if len(collected.payloads) > 1 else ()
    if not notes and moment is None and not origins:
        return batch
    provenance = batch.provenance
    return batch.with_provenance(
        replace(
            provenance,
            data_time=moment or provenance.data_time,
            notes=(*provenance.notes, *notes),
            origins=origins,
        )
    )


def _origins(collected: Collected, learned: _Learned, rows: int) -> tuple[tuple[str, int], ...]:
    """Which rows each file brought; not known when rows were left out or turned since, or a file has no name."""
    names = [payload.name for payload in collected.payloads]
    if not all(names) or sum(learned.rows.values()) != rows:
        return ()
    return tuple((name, learned.rows.get(position, 0)) for position, name in enumerate(names))
