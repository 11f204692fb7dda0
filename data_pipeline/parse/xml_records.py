"""The elements that are most likely the rows of an XML document whose reader was not told."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from data_pipeline.parse.xml_rows import is_mixed, local

SHOWN = 8


def find_records(root: Any) -> tuple[list[Any], str]:
    """The elements and their path.

    Of all elements that hold something (children or attributes) those with the most sisters of their name count;
    then bare texts that repeat; a document without repetition is one row, at the first element with more than one
    child.
    """
    best: tuple[int, int] = (1, 0)
    best_path: tuple[str, ...] = ()
    for bare in (False, True):
        for path, parent in _elements(root):
            if is_mixed(parent):
                continue
            counts = Counter(child.tag for child in parent if bare or len(child) or child.attrib)
            if not counts or (bare and len(counts) > 1):
                continue
            tag, count = counts.most_common(1)[0]
            if (count, -len(path)) > best:
                best, best_path = (count, -len(path)), (*path, tag)
        if best_path:
            return [element for path, element in _elements(root) if path == best_path], _written(best_path)
    element, tags = root, [root.tag]
    while len(element) == 1 and len(element[0]):
        element = element[0]
        tags.append(element.tag)
    return [element], _written(tuple(tags))


def shown_path(root: Any) -> list[str]:
    """A few paths of the document, for messages."""
    paths: dict[str, None] = {}
    for path, _ in _elements(root):
        paths.setdefault(_written(path))
        if len(paths) == SHOWN:
            break
    return list(paths)


def _elements(root: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every element and the tags that lead to it."""
    from lxml import etree

    tags: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            tags.append(element.tag)
            yield tuple(tags), element
        else:
            tags.pop()


def _written(path: tuple[str, ...]) -> str:
    return "/" + "/".join(map(local, path))
