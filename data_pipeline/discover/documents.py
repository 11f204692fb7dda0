"""Where the rows of a JSON document are, where its next page is, and when it says that it was made."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data_pipeline.discover.findings import Finding, Layout
from data_pipeline.discover.table import missing_in, number_signs
from data_pipeline.parse.json_shapes import by_column
from data_pipeline.parse.records import search

DEEPEST = 5
_NEXT = re.compile(r"(?i)@odata\.nextlink|__next|_?next(?:[_-]?(?:page|url|link|href|uri|page[_-]?url))?")
_TOKEN = re.compile(r"(?i)(?:next|after|end|continuation)[_-]?(?:page[_-]?)?(?:cursor|token|after)|cursor")
_PAGES = re.compile(r"(?i)(?:total|num|page)[_-]?(?:pages?|count)|pages|last[_-]?page")
_MADE = re.compile(
    r"(?i)(?:generated|updated|last[_-]?updated?|timestamp|date|time|as[_-]?of|published)(?:[_-]?(?:at|on|time|date))?"
)
_ADDRESS = re.compile(r"(?:https?://|/|\?)\S*")
_CODE = re.compile(r"[A-Za-z0-9_./:+-]{1,24}")


@dataclass(frozen=True, slots=True)
class _Rows:
    path: tuple[str, ...]
    rows: list[Any]


def document(found_in: Any) -> Layout:
    """The keys of `parse` and `collect` for a decoded document."""
    found = Layout(parse=[Finding("format", "json")])
    rows: Any = found_in
    path: tuple[str, ...] = ()
    if isinstance(found_in, dict):
        lists = sorted(_lists(found_in, ()), key=lambda one: (_is_table(one.rows), len(one.rows)), reverse=True)
        if lists and _is_table(lists[0].rows):
            path, rows = lists[0].path, lists[0].rows
            others = ", ".join(path_text(one.path) for one in lists[1:4] if _is_table(one.rows))
            why = f"a list of {len(rows):,} objects" + (f"; there are also {others}" if others else "")
            found.parse.append(Finding("records", path_text(path), why))
        else:
            _without_list(found, found_in, lists)
        _paging(found, found_in, path)
        found.data_time = _made_at(found_in, path)
    if isinstance(rows, list) and rows:
        if _is_table(rows) and (within := _within(rows, path)):
            found.parse.append(within)
        _signs(found, rows)
    return found


def lines(text: str) -> Layout:
    """The keys of `parse` for JSON lines."""
    found = Layout(parse=[Finding("format", "jsonl")])
    rows = []
    for line in text.split("\n")[:5_000]:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    _signs(found, rows)
    return found


def path_text(path: tuple[str, ...]) -> str:
    """A path as JMESPath writes it.

    >>> path_text(("data", "odd name"))
    'data."odd name"'
    """
    return ".".join(key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else json.dumps(key) for key in path)


def _is_table(rows: list[Any]) -> bool:
    return bool(rows) and all(isinstance(row, dict) for row in rows[:100])


def _lists(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[_Rows]:
    for key, value in node.items():
        if isinstance(value, list) and value:
            yield _Rows((*path, key), value)
        elif isinstance(value, dict) and len(path) + 1 < DEEPEST and len(node) < 200:
            yield from _lists(value, (*path, key))


def _without_list(found: Layout, node: dict[str, Any], lists: list[_Rows]) -> None:
    """Figures by code, objects by key, or columns: as far as `parse` can say it."""
    for path, inner in _objects(node, ()):
        values = list(inner.values())
        if len(values) >= 3 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            if path and all(_CODE.fullmatch(key) for key in inner) and len(inner) >= max(3, len(node) - 1):
                found.parse.append(Finding("records", path_text(path), f"figures by name, such as {next(iter(inner))}"))
                found.parse.append(Finding("melt", _LONG, "each name becomes a row"))
                return
        elif len(values) >= 2 and all(isinstance(value, dict) and value for value in values) and _alike(values):
            why = f"{len(inner):,} objects by key, such as {next(iter(inner))}; the key becomes the column _key"
            found.parse.append(Finding("records", f"keyed({path_text(path) or '@'})", why))
            return
    if columns := _columns(node, lists):
        found.parse.append(columns)
    elif nameless := next((one for one in lists if all(isinstance(row, list) for row in one.rows[:100])), None):
        why = f"{len(nameless.rows):,} rows without names; name them in `columns`"
        found.parse.append(Finding("records", path_text(nameless.path), why))


_LONG = {"id": [], "name": "name", "value": "value"}


def _alike(values: list[dict[str, Any]]) -> bool:
    """Whether objects are rows of one table: all figures, or most keys in all of them."""
    if all(isinstance(cell, int | float | type(None)) for value in values for cell in value.values()):
        return True
    counts = Counter(key for value in values for key in value)
    return sum(counts.values()) >= 0.7 * len(counts) * len(values)


def _columns(node: dict[str, Any], lists: list[_Rows]) -> Finding | None:
    """Lists of plain values, most of them of one length: columns instead of rows."""
    plain = [one for one in lists if not any(isinstance(cell, dict | list) for cell in one.rows)]
    counts = Counter(len(one.rows) for one in plain)
    if not counts or max(counts.values()) < 2:
        return None
    length = max((count, length) for length, count in counts.items() if count > 1)[1]
    columns = [one for one in plain if len(one.rows) == length]
    parent = columns[0].path[:-1]
    inner = search(path_text(parent))(node) if parent else node
    why = f"columns of {length:,} values each: every position is a row"
    if all(one.path[:-1] == parent for one in columns) and by_column(inner) is not None:
        return Finding("records", path_text(parent) or "@", why)
    chosen = {one.path[-1]: path_text(one.path) for one in reversed(columns)}
    written = ", ".join(f"{path_text((name,))}: {path}" for name, path in reversed(chosen.items()))
    return Finding("records", f"{{{written}}}", why, sure=length > 2)


def _within(rows: list[Any], path: tuple[str, ...]) -> Finding | None:
    """Rows that hold lists of rows themselves, such as the values of a series; which of them is meant only a person
    knows."""
    counts: Counter[str] = Counter()
    for row in rows[:100]:
        counts.update(
            key
            for key, value in row.items()
            if isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict | list) for item in value)
        )
    if len(counts) != 1:
        return None
    [(key, count)] = counts.items()
    if count * 2 < len(rows[:100]) or "'" in key:
        return None
    why = f"a row for each item of {key}, with the rest of its row beside it"
    return Finding("records", f"explode({path_text(path) or '@'}, '{key}')", why, sure=False)


def _objects(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    yield path, node
    for key, value in node.items():
        if isinstance(value, dict) and len(path) + 1 < DEEPEST and len(node) < 200:
            yield from _objects(value, (*path, key))


def _paging(found: Layout, node: dict[str, Any], rows_at: tuple[str, ...]) -> None:
    for path, value in _scalars(node, (), rows_at):
        key = path[-1]
        parent = path[-2] if len(path) > 1 else ""
        is_next = _NEXT.fullmatch(key) or (key.lower() in ("href", "url") and parent.lower() == "next")
        if is_next and isinstance(value, str) and _ADDRESS.fullmatch(value):
            paginate = {"kind": "json_next", "next": path_text(path)}
            found.collect.append(Finding("paginate", paginate, "the answer names its next page there"))
            return
    links = node.get("links")
    for at, link in enumerate(links if isinstance(links, list) else ()):
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            paginate = {"kind": "json_next", "next": f"links[{at}].href"}
            found.collect.append(Finding("paginate", paginate, "the answer names its next page there"))
            return
    for path, value in _scalars(node, (), rows_at):
        key = path[-1]
        if (
            (_TOKEN.fullmatch(key) or _NEXT.fullmatch(key))
            and isinstance(value, str | int)
            and value not in ("", 0, False)
        ):
            paginate = {"kind": "cursor", "from": path_text(path), "into": f"params.{key.removeprefix('next_')}"}
            why = "the answer has such a token; which parameter takes it stands in the provider's documentation"
            found.collect.append(Finding("paginate", paginate, why, sure=False))
            return
        if _PAGES.fullmatch(key) and isinstance(value, int) and not isinstance(value, bool) and 1 < value < 10_000:
            why = f"{path_text(path)} is {value}; which parameter chooses the page stands in the documentation"
            found.collect.append(Finding("paginate", {"kind": "page", "param": "page"}, why, sure=False))
            return


def _scalars(
    node: dict[str, Any], path: tuple[str, ...], rows_at: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything beside the rows that is no list, with its path."""
    for key, value in list(node.items())[:200]:
        here = (*path, key)
        if isinstance(value, dict) and len(here) < DEEPEST and here != rows_at:
            yield from _scalars(value, here, rows_at)
        elif not isinstance(value, list | dict):
            yield here, value


def _made_at(node: dict[str, Any], rows_at: tuple[str, ...]) -> Finding | None:
    from data_pipeline.parse.times import Zone, moment

    if not rows_at:
        return None
    for path, value in _scalars(node, (), rows_at):
        if len(path) > 2 or not _MADE.fullmatch(path[-1]) or isinstance(value, bool | None):
            continue
        try:
            at = moment(value, Zone())
        except (ValueError, TypeError, OverflowError):
            continue
        if isinstance(at, datetime) and at.year > 2000:
            return Finding("data_time", f"$.{path_text(path)}", "when the document says that it was made")
    return None


def _signs(found: Layout, rows: list[Any]) -> None:
    """Missing values and number signs of the texts in the rows."""
    columns: dict[str, list[str]] = {}
    for row in rows[:5_000]:
        for key, value in row.items() if isinstance(row, dict) else ():
            if isinstance(value, str):
                columns.setdefault(key, []).append(value)
    if missing := missing_in(columns.values()):
        found.parse.append(Finding("na_values", missing, "stand in columns of numbers or dates"))
    decimal, thousands, example = number_signs(columns.values())
    if decimal == ",":
        found.parse.append(Finding("decimal", ",", f"such as {example}"))
    if thousands:
        found.parse.append(Finding("thousands", thousands, f"such as {example}"))
