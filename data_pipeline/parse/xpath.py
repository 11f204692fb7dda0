"""Where the rows are in an XML document: a plain path step by step, anything else by XPath 1.0.

A plain path (`/a/b`, `a/b`, `//b`, names, `*` and prefixes only) can be followed while the document is read. A name
without a prefix there means the element in whatever namespace; in other expressions it means none, as XPath says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NAME = r"(?:[^\W\d][\w.-]*:)?(?:[^\W\d][\w.-]*|\*)"
_PLAIN = re.compile(rf"(?P<start>//|/|\./|)(?P<steps>{_NAME}(?:/{_NAME})*)")

ANY = "*"


@dataclass(frozen=True, slots=True)
class PlainPath:
    """Steps as (prefix, name) from the document (`anchored`), or from anywhere (`//`)."""

    steps: tuple[tuple[str, str], ...]
    anchored: bool
    relative: bool = False

    def matches(self, tags: Sequence[str], namespaces: Mapping[str, str]) -> bool:
        """Whether the element with these tags (`{uri}name`), from the root down to itself, is a record.

        Raises:
            KeyError: a prefix that nobody declared.
        """
        steps = self.steps
        if not self.anchored:
            return len(tags) >= len(steps) and self._fit(tags[-len(steps) :], namespaces)
        if len(tags) == len(steps):
            return self._fit(tags, namespaces)
        # A relative path may begin at the root or below it: people write both.
        return self.relative and len(tags) == len(steps) + 1 and self._fit(tags[1:], namespaces)

    def _fit(self, tags: Sequence[str], namespaces: Mapping[str, str]) -> bool:
        return all(_is(tag, prefix, name, namespaces) for tag, (prefix, name) in zip(tags, self.steps, strict=True))


def _is(tag: str, prefix: str, name: str, namespaces: Mapping[str, str]) -> bool:
    uri, _, local = tag.rpartition("}")
    return (name in (ANY, local)) and (not prefix or uri.removeprefix("{") == namespaces[prefix])


def plain_path(text: str) -> PlainPath | None:
    """The steps of a plain path; None when it takes an XPath engine."""
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        return None
    steps = []
    for step in match["steps"].split("/"):
        prefix, _, name = step.rpartition(":")
        steps.append((prefix, name))
    start = match["start"]
    return PlainPath(tuple(steps), anchored=start != "//", relative=start in {"", "./"})


def check_xpath(text: str) -> None:
    """Raises ValueError when `text` is no XPath 1.0 expression."""
    if plain_path(text) is not None:
        return
    from lxml import etree

    try:
        etree.XPath(text)
    except etree.XPathSyntaxError as error:
        raise ValueError(f"`{text}` is not an XPath expression: {error}") from error
