"""Look at what a source sent, once, and say how it is to be read and what must hold."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED, Collected
from data_pipeline.discover.columns import TIME_NAME, Typed, typed
from data_pipeline.discover.findings import Finding, Layout
from data_pipeline.discover.keys import key_of
from data_pipeline.discover.times import Rhythm, rhythm_of, time_of
from data_pipeline.errors import PayloadUnreadable, PipelineError
from data_pipeline.parse.encoding import open_bytes, open_text
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parse import parse
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.sniff import HEAD, detect_format
from data_pipeline.suggest.candidate import Candidate
from data_pipeline.suggest.first import first_rules

LOOKED_AT = 32 * 2**20
"""Bytes of a payload that are looked at; tables are parsed as a whole anyway."""


@dataclass(slots=True)
class Look:
    """What a source holds: the keys of its configuration with their reasons, and its rows as they would be read."""

    layout: Layout
    batch: Batch
    columns: dict[str, Typed] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    key_why: str = ""
    data_time: Finding | None = None
    rhythm: Rhythm | None = None
    rules: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look(collected: Collected, *, dataset: str, now: datetime) -> Look:
    """Find out everything about a collection.

    Raises:
        PayloadUnreadable: it is nothing that rows could be read from; the message says what came.
    """
    layout = layout_of(collected, dataset)
    brought = {name: Typed("", source=source) for name, source in layout.columns.items()}
    batch = _read(collected, dataset, layout, brought)
    columns = {**brought, **_typed(batch, layout)}
    if columns:
        batch = _read(collected, dataset, layout, columns)
        for name in _unread(batch):
            columns.pop(name, None)  # what was looked at fitted, a later cell does not
            columns.update({name: brought[name]} if name in brought else {})
        if UNPARSED in batch.schema.names:
            batch = _read(collected, dataset, layout, columns)
    if not batch.rows:
        raise PayloadUnreadable(f"{dataset}: it holds no rows", hint="try again when it has some")
    table = batch.table
    time, why = time_of(table, now)
    key, key_why = key_of(table, time)
    found = Look(layout, batch, columns, key, key_why, rules=first_rules(table, key, time))
    found.data_time = Finding("data_time", time, why) if time else layout.data_time
    found.rhythm = rhythm_of(table, time, now) if time else None
    found.notes = list(dict.fromkeys((*layout.notes, *collected.provenance.notes, *batch.provenance.notes)))
    return found


def layout_of(collected: Collected, dataset: str) -> Layout:
    """How the first payload is laid out; rows that need no parsing have no layout."""
    if not collected.payloads:
        return Layout()
    payload = collected.payloads[0]
    request = ParseRequest(dataset, payload=payload)
    with open_bytes(request) as stream:
        head = stream.read(HEAD)
    kind = detect_format(head, payload.name, payload.media_type)
    if kind == "binary":
        with suppress(PayloadUnreadable), open_text(request).open() as stream:  # UTF-16 is full of zero bytes too
            kind = detect_format(stream.read(HEAD), payload.name, payload.media_type)
    if not head.strip():
        raise PayloadUnreadable(
            f"{dataset}: nothing came (0 bytes)", hint="check the address; does it need parameters?"
        )
    if kind in {"html", "binary"}:
        raise _no_data(dataset, kind, head)
    return _layout(kind, request)


def _layout(kind: str, request: ParseRequest) -> Layout:
    from data_pipeline.discover import delimited, documents, markup, sheet

    if kind in {"csv", "json", "jsonl"}:
        text = open_text(request, guess=kind == "csv")
        with text.open() as stream:
            data = stream.read(delimited.LOOKED_AT if kind != "json" else LOOKED_AT)
            whole = not stream.read(1)
        words = data.decode("utf-8", "replace")
        if kind == "csv":
            found = delimited.delimited(words, whole=whole)
            if any("cp1252" in note for note in text.notes):
                found.parse.insert(1, Finding("encoding", "cp1252", "not UTF-8, so most likely Windows; a guess"))
            return found
        if kind == "jsonl":
            return documents.lines(words)
        return _document(words)
    if kind not in {"xml", "excel"}:
        return Layout(parse=[Finding("format", kind)])
    with open_bytes(request) as stream:
        data = stream.read(LOOKED_AT)
    return markup.elements(data) if kind == "xml" else sheet.workbook(data)


def _document(text: str) -> Layout:
    from data_pipeline.discover import documents

    try:
        return documents.document(json.loads(text))
    except (ValueError, RecursionError):
        return Layout(parse=[Finding("format", "json")])  # its parser has the words for what is wrong


def _read(collected: Collected, dataset: str, layout: Layout, columns: dict[str, Typed]) -> Batch:
    declared = {name: ColumnOptions.model_validate(kind.block()) for name, kind in columns.items()}
    return parse(collected, dataset=dataset, options=ParseOptions(**layout.options()), columns=declared)


def _typed(batch: Batch, layout: Layout) -> dict[str, Typed]:
    """Texts and integers that mean something else."""
    from utils.arrow import pa

    options = layout.options()
    melted = set() if "melt" not in options else {options["melt"]["name"], options["melt"]["value"]}
    found: dict[str, Typed] = {}
    head = next(iter(batch.batches()), None)
    for field_ in batch.schema:
        kind = field_.type
        if head is None or field_.name in melted or not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
            continue
        if pa.types.is_integer(kind) and not TIME_NAME.fullmatch(field_.name) and head.num_rows < 10:
            continue
        values = head.column(field_.name).slice(0, 20_000).to_pylist()
        decimal, thousands = options.get("decimal", "."), options.get("thousands")
        if kind_of := typed(field_.name, values, decimal=decimal, thousands=thousands):
            found[field_.name] = replace(kind_of, source=layout.columns.get(field_.name, ""))
    return found


def _unread(batch: Batch) -> Sequence[str]:
    if UNPARSED not in batch.schema.names:
        return ()
    names: dict[str, None] = {}
    for part in batch.batches():
        for cell in part.column(UNPARSED).to_pylist():
            names.update(dict.fromkeys(json.loads(cell) if cell else ()))
    return tuple(names)


def _no_data(dataset: str, kind: str, head: bytes) -> PipelineError:
    if kind == "binary":
        what = f"{dataset}: this is binary data of no known format (first bytes: {head[:16].hex(' ')})"
        return PayloadUnreadable(what, hint="known are CSV, JSON, XML, Excel, Parquet, Arrow and Prometheus text")
    import html
    import re

    title = re.search(rb"(?is)<title[^>]*>(.*?)</title>", head)
    words = " ".join(html.unescape(title[1].decode("utf-8", "replace")).split())[:60] if title else ""
    named = f', called "{words}"' if words else ""
    login = re.search(rb"(?i)type=.?password|log ?in|sign ?in", head) is not None
    advice = (
        "it looks like a login page: configure `auth` of the provider, or ask for the address of the data itself"
        if login
        else "look on it for a link to CSV, JSON or Excel, and add that address"
    )
    return PayloadUnreadable(f"{dataset}: this is an HTML page for people{named}, not data", hint=advice)
