"""How many rows a page holds, and whether it holds the same ones as another, as far as can be told without parsing."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from data_pipeline.collect.http.paging import is_empty
from data_pipeline.collect.http.xpaths import asked, root_of
from data_pipeline.collect.spool import Spool
from data_pipeline.parse.sniff import HEAD, detect_format

__all__ = ["PageRows", "rows_of"]

_CHOICE = re.compile(r"\s*\|?\s*\[(?:\?|\*|\]).*|\.\*.*", re.DOTALL)
"""Where a JMESPath begins to choose among rows, or to go into each of them."""
_FUNCTION = re.compile(r"\s*(?:keyed\((?P<keyed>.*)\)|explode\((?P<exploded>.*),\s*'[^']*'\s*\))\s*", re.DOTALL)
"""What makes rows of an object or of lists inside of rows: no rows come from nothing."""
_PREDICATE = re.compile(r"\[[^\[\]]*\]")

LARGEST = 64 * 10**6
"""Bytes of a page that are read into memory to look at its rows."""


@dataclass(frozen=True, slots=True)
class PageRows:
    """What is known of a page's rows.

    Attributes:
        count: None: it cannot be told.
        mark: Equal marks are equal rows, whatever page counter stands beside them.
        header: The first line of delimited text.
        missing: Nothing stands where `records` says that the rows are.
    """

    count: int | None
    mark: str
    header: bytes = b""
    missing: bool = False


def rows_of(body: Spool, *, name: str = "", media_type: str = "", records: str = "", header: bytes = b"") -> PageRows:
    """Look at one page.

    A page is empty when it has no rows at all: a filter in `records` that takes none of them does not end the pages.
    JSON: the list at `records`; without it the only list in the document, or all of them when all are empty. XML: the
    elements that `records` finds; without it only a root without children tells something. Delimited text and JSON
    lines: no line but the header of the first page is no row.

    Args:
        media_type: Without its parameters.
        records: JMESPath or XPath, `parse.records` of the dataset.
        header: The first line of the first page, when it was delimited text.
    """
    unknown = PageRows(None, body.sha256)
    if body.size > LARGEST:
        return unknown
    with body.open() as stream:
        content: bytes = stream.read()
    if is_empty(content[:64], body.size) or not content.strip():
        return PageRows(0, body.sha256)
    kind = detect_format(content[:HEAD], name, media_type)
    if kind == "json":
        return _of_json(content, records) or unknown
    if kind == "xml" or content.lstrip().startswith(b"<"):  # one empty element does not look like XML yet
        return _of_xml(content, records) or unknown
    if kind == "jsonl":
        return PageRows(sum(1 for line in content.splitlines() if line.strip()), body.sha256)
    if kind == "csv":
        first, _, rest = content.strip().partition(b"\n")
        # How many rows there are only the parser can say: line breaks may stand inside of cells.
        empty = bool(header) and first.strip() == header and not rest.strip()
        return PageRows(0 if empty else None, body.sha256, first.strip())
    return unknown


def _of_json(content: bytes, records: str) -> PageRows | None:
    import orjson

    try:
        document = orjson.loads(content)
    except ValueError:
        return None
    if document in (None, [], {}):
        return PageRows(0, "")
    is_keyed = False
    while inner := _FUNCTION.fullmatch(records):
        is_keyed = inner["keyed"] is not None
        records = inner["keyed"] if is_keyed else inner["exploded"]
    records = _CHOICE.sub("", records, count=1)
    if records:
        found = _at(document, records)
        if found is None:
            return PageRows(None, _mark(document), missing=not _has(document, records))
        rows = found if isinstance(found, list) else _pairs(found) if is_keyed else _in_an_object(found)
    elif isinstance(document, list):
        rows = document
    else:
        lists = list(_lists(document))
        if not lists or (len(lists) > 1 and any(lists)):
            return PageRows(None, _mark(document))
        rows = lists[0]
    return PageRows(len(rows), _mark(rows))


def _in_an_object(found: Any) -> list[Any]:
    """One row, or as many as there are values in its columns."""
    from data_pipeline.parse.json_shapes import by_column

    rows = by_column(found, empty=True)
    return [found] if rows is None else list(rows)


def _pairs(found: Any) -> list[Any]:
    return list(found.items()) if isinstance(found, dict) else [found]


def _at(document: Any, records: str) -> Any:
    from data_pipeline.parse.records import search

    try:
        return search(records)(document)
    except ValueError:
        return None


def _has(document: Any, records: str) -> bool:
    """Whether the place of the rows is there, and empty: `{"data": null}`."""
    parent, _, last = records.rpartition(".")
    above = _at(document, parent) if parent else document
    return isinstance(above, dict) and last in above


def _lists(document: dict[str, Any]) -> Iterator[list[Any]]:
    """All lists of a document that are not inside of another."""
    for value in document.values():
        if isinstance(value, list):
            yield value
        elif isinstance(value, dict):
            yield from _lists(value)


def _mark(value: Any) -> str:
    import orjson

    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _of_xml(content: bytes, records: str) -> PageRows | None:
    from lxml import etree

    try:
        root = root_of(content)
        if not records:
            return PageRows(0, "") if len(root) == 0 and not (root.text or "").strip() else None
        while (wider := _PREDICATE.sub("", records)) != records:
            records = wider
        found = asked(root, records)
    except ValueError:
        return None
    if not isinstance(found, list) or not all(isinstance(item, etree._Element) for item in found):
        return None
    digest = hashlib.sha256()
    for item in found:
        digest.update(etree.tostring(item, with_tail=False))
    return PageRows(len(found), digest.hexdigest())
