"""YAML text -> plain data, by the YAML 1.2 core schema: `no`, `on`, `16:00` and `2024-01-01` stay text.

YAML 1.1, which PyYAML follows, makes false of Norway's `NO`, 960 of `16:00`, and a date of what a provider's
parameter spells as text. Only safe values come out: no tags, no objects, no key twice in a map.

Values are made from libyaml's events as they come. The tree of nodes that `yaml.compose` makes first takes, for 10,000
datasets, twice the time and 350 MB.
"""

import re
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser

_INT = re.compile(r"[-+]?[0-9]{1,4000}|0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,4000}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp", "value", "merge", "str")
}
_TEXT, _MAP, _SEQUENCE = (f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq"))
_NO_TAG = (None, "!")
_MERGE = "tag:yaml.org,2002:merge"
Event = Any
"""One of libyaml's; the types that are known of PyYAML do not say which has a value."""
_EVENTS = yaml.events
_SCALAR, _MAP_START, _MAP_END = _EVENTS.ScalarEvent, _EVENTS.MappingStartEvent, _EVENTS.MappingEndEvent
_LIST_START, _LIST_END = _EVENTS.SequenceStartEvent, _EVENTS.SequenceEndEvent
_ALIAS, _DOCUMENT_START = _EVENTS.AliasEvent, _EVENTS.DocumentStartEvent


class Refused(ValueError):
    """Valid YAML that a configuration may not hold. `line` from 1."""

    def __init__(self, message: str, event: Event, hint: str = "") -> None:
        super().__init__(message)
        self.line = event.start_mark.line + 1
        self.hint = hint


class _Anchored(NamedTuple):
    """What an anchor stands for; `made` is False while it is read: an alias of it is then inside itself."""

    event: Event
    value: Any = None
    made: bool = False


def value_of(text: str, *, max_nodes: int, max_depth: int) -> Any:
    """Maps with text keys, lists, texts, numbers, booleans and None; None for a text without a document.

    Raises:
        Refused: a key twice in one map, a key that is no single value, a tag, an alias inside itself, or too much.
        yaml.YAMLError: it is no YAML, or more than one document.
    """
    return _Reader(text, max_nodes, max_depth).document()


class _Reader:
    def __init__(self, text: str, max_nodes: int, max_depth: int) -> None:
        self._next = CParser(text).get_event
        self._left = max_nodes
        self._max_depth = max_depth
        self._anchors: dict[str, _Anchored] = {}

    def document(self) -> Any:
        self._next()  # the stream begins
        event = self._next()
        if type(event) is not _DOCUMENT_START:
            return None
        first = event.start_mark
        value = self._value(self._next(), 0)
        self._next()  # the document ends
        event = self._next()
        if type(event) is _DOCUMENT_START:
            raise _broken("expected a single document in the stream", first, "but found another document", event)
        return value

    def _value(self, event: Event, depth: int) -> Any:
        """What begins with this event; the parser then stands behind it."""
        kind = type(event)
        if kind is _ALIAS:
            return self._alias(event, depth)
        self._count(event, depth)
        anchor = event.anchor
        if anchor is not None:
            self._open(anchor, event)
        if kind is _SCALAR:
            value = _scalar(event)
        elif event.tag not in _NO_TAG and event.tag != (_MAP if kind is _MAP_START else _SEQUENCE):
            raise _tag(event, event.tag)
        elif kind is _MAP_START:
            value = self._map(depth + 1)
        else:
            value = self._list(depth + 1)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(event, value, made=True)
        return value

    def _list(self, depth: int) -> list[Any]:
        made = []
        while type(event := self._next()) is not _LIST_END:
            made.append(self._value(event, depth))
        return made

    def _map(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        get_event = self._next
        while type(key := get_event()) is not _MAP_END:
            name = self._key(key)
            event = get_event()
            if name is None:
                merged = _merge(self._value(event, depth), event) | merged
                continue
            if name in made:
                raise Refused(f"key `{name}` is there twice in one map", key, "Keep one of the two.")
            if type(event) is _SCALAR and event.anchor is None:  # most of a file, without the calls
                self._left -= 1
                if self._left < 0:
                    self._count(event, depth)
                made[name] = _scalar(event)
            else:
                made[name] = self._value(event, depth)
        return merged | made if merged else made

    def _key(self, event: Event) -> str | None:
        """The name; None for the `<<` that merges."""
        if type(event) is _ALIAS and type(named := self._known(event).event) is _SCALAR:
            return str(named.value)
        if type(event) is not _SCALAR:
            raise Refused("a key must be a single value", event, "Put quotes around a text that begins with { or [.")
        if event.anchor is not None:
            self._open(event.anchor, event)
            self._anchors[event.anchor] = _Anchored(event, _scalar(event), made=True)
        name = str(event.value)
        merges = not event.style and (event.tag == _MERGE or (event.tag in _NO_TAG and name == "<<"))
        return None if merges else name

    def _open(self, anchor: str, event: Event) -> None:
        if (before := self._anchors.get(anchor)) is not None:
            first = before.event.start_mark
            raise _broken(f"found duplicate anchor `{anchor}`; first occurrence", first, "second occurrence", event)
        self._anchors[anchor] = _Anchored(event)

    def _known(self, event: Event) -> _Anchored:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise _broken(None, None, f"found undefined alias `{event.anchor}`", event)
        return known

    def _alias(self, event: Event, depth: int) -> Any:
        known = self._known(event)
        if not known.made:
            raise Refused("is nested too deeply", event, "Does a YAML alias contain itself?")
        return self._copy(known.value, event, depth)

    def _copy(self, value: Any, event: Event, depth: int) -> Any:
        """A copy for each alias: what lies over one must not change the other."""
        self._count(event, depth)
        if isinstance(value, dict):
            return {key: self._copy(item, event, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy(item, event, depth + 1) for item in value]
        return value

    def _count(self, event: Event, depth: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise Refused("holds too many values", event, "Are YAML aliases used within aliases?")
        if depth > self._max_depth:
            raise Refused("is nested too deeply", event, "Does a YAML alias contain itself?")


def _broken(context: str | None, mark: Any, problem: str, event: Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(context, mark, problem, event.start_mark)


def _merge(found: Any, event: Event) -> dict[str, Any]:
    """What `<<: *alias` brings; of several maps the first wins."""
    maps = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in maps):
        raise Refused("`<<` needs a map, or a list of maps", event)
    made: dict[str, Any] = {}
    for item in maps:
        made = item | made
    return made


def _scalar(event: Event) -> Any:
    text: str = event.value
    tag = event.tag
    if event.style:  # quoted or block: text
        if tag is not None and tag not in (_TEXT, "!"):
            raise _tag(event, tag)
        return text
    if tag is not None and tag != "!" and tag not in _PLAIN_TAGS:
        raise _tag(event, tag)
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_STARTS:
        if _INT.fullmatch(text):
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _tag(event: Event, tag: str) -> Refused:
    return Refused(f"the YAML tag `{tag.replace('tag:yaml.org,2002:', '!!')}` is not allowed here", event)
