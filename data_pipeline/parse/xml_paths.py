"""Cells of an XML row that stand elsewhere in its document: `from: "../@time"` is asked of every record."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from data_pipeline.parse.options import ColumnOptions
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.unreadable import first_line, unreadable
from data_pipeline.parse.xml_rows import text_of

_NAME = r"[^\W\d][\w.-]*"
_STEP = rf"(?:\.\.?|\*|(?:{_NAME}:)?{_NAME})"
_PLAIN = re.compile(rf"/{{0,2}}(?:{_STEP}/{{1,2}})*(?:{_STEP}|@(?:{_NAME}:)?{_NAME})")
_BARE = re.compile(rf"(?<![\w.:@-])(@?)({_NAME})(?![\w.:-]|\()")
_KEPT = re.compile(r"(?:(?:\.\./)*|/[\w:.*-]+/|ancestor(?:-or-self)?::[\w:.*-]+/)@[\w:.*-]+")
"""Attributes of the record and of what it stands in, which are still there when a document is read in parts."""


def is_path(name: str) -> bool:
    """Whether a `from` is an XPath. No column of XML is called so: element names hold none of these signs."""
    return name.startswith((".", "/", "@")) or "::" in name


def paths_of(columns: Mapping[str, ColumnOptions]) -> tuple[str, ...]:
    """The XPaths among the names that columns are looked for by."""
    names = (name for column in columns.values() for name in (column.source, *column.aliases) if name)
    return tuple(dict.fromkeys(name for name in names if is_path(name)))


def all_kept(paths: Iterable[str]) -> bool:
    """Whether the paths can be followed while what was read is forgotten."""
    return all(map(_KEPT.fullmatch, paths))


class Paths:
    """The XPaths of a dataset, compiled.

    In a plain path (names, `..`, `*` and an attribute at its end) a name without a prefix is the element or attribute
    in whatever namespace, as in `records`; other expressions follow the standard.

    Args:
        prefixes: Prefix -> URI; the one without a prefix is left out, XPath 1.0 has no default namespace.

    Raises:
        PayloadUnreadable: no XPath, or a prefix that nobody declared.
    """

    def __init__(self, request: ParseRequest, paths: Iterable[str], prefixes: Mapping[str, str]) -> None:
        from lxml import etree

        self._request = request
        self._error = etree.XPathError
        self._compiled: list[tuple[str, Any]] = []
        namespaces = {prefix: uri for prefix, uri in prefixes.items() if prefix}
        for path in paths:
            try:
                self._compiled.append((path, etree.XPath(_widened(path), namespaces=namespaces)))
            except etree.XPathError as error:
                raise self._explained(path, error) from error

    def cells(self, record: Any) -> Iterator[tuple[str, str | None]]:
        """Path and text of what each finds from the record; nothing for one that finds nothing.

        Several finds are a JSON list, as children that repeat are.
        """
        for path, find in self._compiled:
            try:
                found = find(record)
            except self._error as error:
                raise self._explained(path, error) from error
            if not isinstance(found, list):
                yield path, _written(found)
            elif len(found) == 1:
                yield path, _written(found[0])
            elif found:
                yield path, orjson.dumps([_written(one) for one in found]).decode()

    def _explained(self, path: str, error: Any) -> Exception:
        return unreadable(
            self._request,
            f"`from: {path}` cannot be followed: {first_line(error)}",
            hint="check `columns` and `parse.namespaces`",
        )


def _widened(path: str) -> str:
    """Names without a prefix in a plain path, in any namespace.

    >>> _widened("../Key/@time")
    "../*[local-name()='Key']/@*[local-name()='time']"
    """
    return _BARE.sub(r"\1*[local-name()='\2']", path) if _PLAIN.fullmatch(path) else path


def _written(found: Any) -> str | None:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, float):
        return None if found != found else f"{found:.15g}"  # noqa: PLR0124 - NaN is what XPath calls no number
    text = found if isinstance(found, str) else text_of(found) if hasattr(found, "itertext") else ""
    return text.strip() or None
