"""YAML nodes -> plain data, by the YAML 1.2 core schema: `no`, `on`, `16:00` and `2024-01-01` stay text.

YAML 1.1, which PyYAML follows, makes false of Norway's `NO`, 960 of `16:00`, and a date of what a provider's
parameter spells as text. Only safe values come out: no tags, no objects, no key twice in a map.
"""

import re
from typing import Any

import yaml

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
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp", "value", "merge", "str")
}
_MAP, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_MERGE = "tag:yaml.org,2002:merge"


class Refused(ValueError):
    """Valid YAML that a configuration may not hold. `line` from 1."""

    def __init__(self, message: str, node: yaml.Node, hint: str = "") -> None:
        super().__init__(message)
        self.line = node.start_mark.line + 1
        self.hint = hint


def value_of(root: yaml.Node, *, max_nodes: int, max_depth: int) -> Any:
    """Maps with text keys, lists, texts, numbers, booleans and None.

    Raises:
        Refused: a key twice in one map, a key that is no single value, a tag, an alias inside itself, or too much.
    """
    return _Reader(max_nodes, max_depth).value(root, 0)


class _Reader:
    def __init__(self, max_nodes: int, max_depth: int) -> None:
        self._left = max_nodes
        self._max_depth = max_depth

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Refused("holds too many values", node, "Are YAML aliases used within aliases?")
        if depth > self._max_depth:  # also where an alias that contains itself ends
            raise Refused("is nested too deeply", node, "Does a YAML alias contain itself?")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._map(node, depth)
        raise _tag(node)

    def _map(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Refused("a key must be a single value", key, "Put quotes around a text that begins with { or [.")
            if key.tag == _MERGE and not key.style:
                merged = self._merge(item, depth) | merged
                continue
            name = str(key.value)
            if name in made:
                raise Refused(f"key `{name}` is there twice in one map", key, "Keep one of the two.")
            made[name] = self.value(item, depth + 1)
        return merged | made if merged else made

    def _merge(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        """What `<<: *alias` brings; of several maps the first wins."""
        found = self.value(node, depth + 1)
        maps = found if isinstance(found, list) else [found]
        if not all(isinstance(item, dict) for item in maps):
            raise Refused("`<<` needs a map, or a list of maps", node)
        made: dict[str, Any] = {}
        for item in maps:
            made = item | made
        return made


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style:  # quoted or block: text
        if node.tag != "tag:yaml.org,2002:str":
            raise _tag(node)
        return text
    if node.tag not in _PLAIN_TAGS:
        raise _tag(node)
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isdigit() or first in "+-.":
        if _INT.fullmatch(text):
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _tag(node: yaml.Node) -> Refused:
    return Refused(f"the YAML tag `{node.tag.replace('tag:yaml.org,2002:', '!!')}` is not allowed here", node)
