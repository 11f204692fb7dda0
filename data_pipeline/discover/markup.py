"""Which elements of an XML document are its rows."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from data_pipeline.discover.columns import TIME_NAME
from data_pipeline.discover.findings import Finding, Layout
from data_pipeline.parse.xml_rows import local

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


def elements(data: bytes) -> Layout:
    """The keys of `parse`: an XPath to the repeated element, and the namespaces it needs.

    The outermost element that repeats and holds something; but where it holds nothing of its own beside others that
    repeat, those (rates inside of days); the attributes of their day become columns by `from`.
    """
    found = Layout(parse=[Finding("format", "xml")])
    root = _root(data)
    if root is None:
        return found
    counts: Counter[tuple[str, ...]] = Counter()
    rich: Counter[tuple[str, ...]] = Counter()
    parents: dict[tuple[str, ...], set[int]] = {}
    for element, path, parent in _walk(root):
        counts[path] += 1
        rich[path] += bool(len(element) or element.attrib)
        parents.setdefault(path, set()).add(parent)
    repeated = [path for path, count in counts.items() if count > len(parents[path]) and rich[path] * 2 > count]
    if not repeated:
        return found
    shallow = min(repeated, key=lambda path: (len(path), -counts[path]))
    chosen = _inner(shallow, counts, repeated)
    found.columns = _around(chosen, root)
    prefixes = _prefixes(chosen, root)
    expression = "/" + "/".join(_step(tag, prefixes) for tag in chosen)
    found.parse.append(Finding("records", expression, f"this element comes {counts[chosen]:,} times"))
    if prefixes:
        found.parse.append(Finding("namespaces", {prefix: uri for uri, prefix in prefixes.items()}))
    return found


def _around(chosen: tuple[str, ...], root: Any) -> dict[str, str]:
    """Attributes of what stands around the rows that differ there, or are times: column name -> path to them."""
    seen: dict[tuple[int, str], set[str]] = {}
    own: set[str] = set()
    for element, path, _ in _walk(root):
        if path == chosen:
            own.update(local(name) for name in (*element.attrib, *(child.tag for child in element if _is_tag(child))))
        elif 1 < len(path) < len(chosen) and chosen[: len(path)] == path:
            for name, value in element.attrib.items():
                if not name.startswith(_XSI):
                    seen.setdefault((len(path), local(name)), set()).add(value)
    found: dict[str, str] = {}
    for (depth, name), values in seen.items():
        if len(values) > 1 or TIME_NAME.fullmatch(name):
            column = name if name not in own and name not in found else f"{local(chosen[depth - 1])}_{name}"
            if column not in own and column not in found:
                found[column] = "../" * (len(chosen) - depth) + f"@{name}"
    return found


def _is_tag(element: Any) -> bool:
    """Whether it is an element, and no comment or instruction."""
    return isinstance(element.tag, str)


def _inner(
    path: tuple[str, ...], counts: "Counter[tuple[str, ...]]", repeated: list[tuple[str, ...]]
) -> tuple[str, ...]:
    """Down to the only children, as long as these repeat as well."""
    while True:
        children = [other for other in counts if other[:-1] == path]
        if len(children) == 1 and children[0] in repeated:
            path = children[0]
        else:
            return path


def _root(data: bytes) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None  # the parser says why it is no XML


def _walk(root: Any) -> Iterator[tuple[Any, tuple[str, ...], int]]:
    """Every element with its path and the number of the one around it."""
    waiting: list[tuple[Any, tuple[str, ...], int]] = [(root, (root.tag,), 0)]
    number = 0
    while waiting:
        element, path, parent = waiting.pop()
        number += 1
        yield element, path, parent
        waiting += [(child, (*path, child.tag), number) for child in element if _is_tag(child)]


def _prefixes(path: tuple[str, ...], root: Any) -> dict[str, str]:
    """URI -> prefix for the namespaces of a path: the document's own, `ns` for the one without."""
    made: dict[str, str] = {}
    for tag in path:
        uri = tag[1:].partition("}")[0] if tag.startswith("{") else ""
        if uri and uri not in made:
            own = next((prefix for prefix, known in root.nsmap.items() if known == uri and prefix), None)
            made[uri] = own or ("ns" if "ns" not in made.values() else f"ns{len(made) + 1}")
    return made


def _step(tag: str, prefixes: dict[str, str]) -> str:
    if not tag.startswith("{"):
        return tag
    uri, _, name = tag[1:].partition("}")
    return f"{prefixes[uri]}:{name}"
