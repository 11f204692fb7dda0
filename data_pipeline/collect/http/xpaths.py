"""Ask an XML answer: XPath with the prefixes that the document declares."""

import re
from typing import Any

from data_pipeline.parse.xpath import plain_path

__all__ = ["asked", "prefixes", "root_of"]

_PREFIX = re.compile(r"(?<![\w:.-])([A-Za-z_][\w.-]*):(?=[A-Za-z_*])")


def root_of(content: bytes) -> Any:
    """The root element. Nothing is fetched.

    Raises:
        ValueError: it is no XML, or it declares entities.
    """
    from lxml import etree

    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"the answer is no XML ({str(error).splitlines()[0]})") from error
    # XPath would unfold them in the text of an element, a thousand times if they are nested (CVE-2003-1564).
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and next(declared.iterentities(), None) is not None:
        raise ValueError("the answer declares XML entities, which are not read")
    return root


def asked(root: Any, path: str) -> Any:
    """What the path finds: elements, or a text, number or truth value.

    As in `parse.records`, in a plain path a name without a prefix is the element in whatever namespace. `soap` is the
    envelope's namespace, whatever the document calls it. A prefix that the document does not know finds nothing.

    Raises:
        ValueError: the path does not fit.
    """
    from lxml import etree

    namespaces = _namespaces(root, path)
    plain = plain_path(path)
    try:
        if plain is None:
            return root.getroottree().xpath(path, namespaces=namespaces)
        steps = "/".join(_step(prefix, name) for prefix, name in plain.steps)
        found = root.getroottree().xpath(("/" if plain.anchored else "//") + steps, namespaces=namespaces)
        # A relative path may begin at the root or below it.
        return found or (root.xpath(steps, namespaces=namespaces) if plain.relative else [])
    except etree.XPathError as error:
        raise ValueError(f"it does not fit the document: {error}") from error


def prefixes(path: str) -> list[str]:
    """The prefixes in a path.

    >>> prefixes("not(//soap:Fault) and count(/a:b/child::c) > 1")
    ['soap', 'a']
    """
    return _PREFIX.findall(path)


def _step(prefix: str, name: str) -> str:
    if prefix:
        return f"{prefix}:{name}"
    return "*" if name == "*" else f"*[local-name()='{name}']"


def _namespaces(root: Any, path: str) -> dict[str, str]:
    known: dict[str, str] = {}
    for element in root.iter("*"):
        for prefix, uri in element.nsmap.items():
            if prefix is not None:
                known.setdefault(prefix, uri)
    tag = str(root.tag)
    if tag.startswith("{") and tag.endswith("}Envelope"):
        known.setdefault("soap", tag[1:].partition("}")[0])
    for prefix in prefixes(path):
        known.setdefault(prefix, f"urn:not-declared:{prefix}")
    return known
