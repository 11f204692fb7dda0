"""One XML element as one row: attributes and children by name, nested ones as `a.b`, repeated ones as a JSON list."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from data_pipeline.parse.names import unique_names
from utils.arrow import pa

MAX_COLUMNS = 10_000

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_SEP, _ATTRIBUTE, _OWN_TEXT, _ELSEWHERE = "\0", "@", "#value", "\1"
"""Parts of a column's key. Element names may hold dots, and an attribute may be called like a child, so keys are no
names."""

Row = dict[str, str | None]


class Rows:
    """Turns records into batches of text columns; names once given stay over all batches.

    Args:
        repeated: Keys of children that come more than once in some record: they are lists in every row.
        elsewhere: Column name and text of what belongs to a record and stands outside of it; they come first.
    """

    def __init__(
        self,
        *,
        attributes: bool,
        na_values: Iterable[str],
        repeated: set[str],
        elsewhere: Callable[[Any], Iterable[tuple[str, str | None]]] | None = None,
    ) -> None:
        self._attributes = attributes
        self._elsewhere = elsewhere
        self._na = frozenset(na_values)
        self._repeated = repeated
        self._columns: dict[str, str] = {}
        self.notes: list[str] = []

    def row(self, record: Any) -> Row:
        """The cells of an element, or of what else an XPath may find: an attribute, a text, a number."""
        row: Row = {}
        if isinstance(record, str):
            name = getattr(record, "attrname", None)
            row[f"{_ATTRIBUTE}{local(name)}" if name else _OWN_TEXT] = self._cell(str(record))
        elif isinstance(record, int | float):
            row[_OWN_TEXT] = str(record).lower() if isinstance(record, bool) else f"{record:.15g}"
        else:
            for name, text in self._elsewhere(record) if self._elsewhere else ():
                row[f"{_ELSEWHERE}{name}"] = None if text is None else self._cell(text)
            self._fill(row, record, "")
        return row

    def batch(self, rows: list[Row]) -> "pa.RecordBatch":
        """Raises ValueError when there are too many columns."""
        keys = dict.fromkeys(key for row in rows for key in row)
        self._name(key for key in keys if key not in self._columns)
        arrays = {name: pa.array([row.get(key) for row in rows], pa.string()) for key, name in self._columns.items()}
        if not arrays and rows:
            return pa.RecordBatch.from_pydict({"value": pa.nulls(len(rows), pa.string())})
        return pa.RecordBatch.from_pydict(arrays)

    def _name(self, keys: Iterable[str]) -> None:
        new = list(keys)
        if not new:
            return
        if len(self._columns) + len(new) > MAX_COLUMNS:
            raise ValueError(f"more than {MAX_COLUMNS:,} columns are refused")
        known = list(self._columns.values())
        names, notes = unique_names([*known, *(_shown(key) for key in new)])
        self._columns.update(zip(new, names[len(known) :], strict=True))
        self.notes += notes

    def _fill(self, row: Row, element: Any, prefix: str) -> None:
        if self._attributes:
            for name, value in element.attrib.items():
                if not name.startswith(_XSI):
                    row[f"{prefix}{_ATTRIBUTE}{local(name)}"] = self._cell(value)
        own = prefix.removesuffix(_SEP) or _OWN_TEXT
        children = list(element)
        if not children or is_mixed(element):
            text = self._cell(text_of(element))
            # An element of attributes alone has no column of its own, unless another row has a text there.
            if text is not None or (prefix and not (self._attributes and element.attrib)):
                row[own] = text
            return
        lists: dict[str, list[Any]] = {}
        for child in children:
            key = f"{prefix}{local(child.tag)}"
            if key in self._repeated:
                lists.setdefault(key, []).append(child)
            else:
                self._fill(row, child, f"{key}{_SEP}")
        for key, items in lists.items():
            row[key] = orjson.dumps([self._object(item) for item in items]).decode()

    def _object(self, element: Any) -> Any:
        """An item of a list as JSON: a text, null, or an object of what it holds."""
        result: dict[str, Any] = {}
        if self._attributes:
            for name, value in element.attrib.items():
                if not name.startswith(_XSI):
                    result[local(name)] = self._cell(value)
        children = list(element)
        if not children or is_mixed(element):
            text = self._cell(text_of(element))
            if not result:
                return text
            if text is not None:
                result["value" if "value" not in result else "value_2"] = text
            return result
        for name, items in _by_name(children):
            while name in result:
                name += "_2"  # noqa: PLW2901 - an attribute has the name already
            result[name] = self._object(items[0]) if len(items) == 1 else [self._object(item) for item in items]
        return result

    def _cell(self, text: str) -> str | None:
        text = text.strip()
        return None if not text or text in self._na else text


def repeated_in(record: Any, found: set[str], prefix: str = "") -> None:
    """Adds to `found` the keys of children that come more than once in the record."""
    children = list(record)
    if not children or is_mixed(record):
        return
    for name, items in _by_name(children):
        key = f"{prefix}{name}"
        if len(items) > 1:
            found.add(key)
        elif key not in found:
            repeated_in(items[0], found, f"{key}{_SEP}")


def is_mixed(element: Any) -> bool:
    """Whether text stands beside the element's children: `<p>a <b>word</b></p>` is one text."""
    if _filled(element.text):
        return True
    for child in element:  # noqa: SIM110 - asked of every element, and twice as quick as any()
        if _filled(child.tail):
            return True
    return False


def text_of(element: Any) -> str:
    """All its text, that of children included; runs of blanks in mixed content are one blank."""
    if not len(element):
        return element.text or ""
    return re.sub(r"\s+", " ", "".join(element.itertext()))


@lru_cache(maxsize=20_000)
def local(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


def _by_name(children: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    groups: dict[str, list[Any]] = {}
    for child in children:
        groups.setdefault(local(child.tag), []).append(child)
    return iter(groups.items())


def _filled(text: str | None) -> bool:
    return bool(text) and not str(text).isspace()


def _shown(key: str) -> str:
    if key.startswith(_ELSEWHERE):
        return key.removeprefix(_ELSEWHERE)
    return key.replace(_SEP, ".").replace(_ATTRIBUTE, "").removeprefix("#")
