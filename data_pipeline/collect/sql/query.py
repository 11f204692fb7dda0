"""A query as written to a query with bound parameters: no value ever becomes part of the text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from config.errors import Fault
from data_pipeline.collect import placeholders
from data_pipeline.collect.placeholders import Partition, Values
from data_pipeline.sql_database import as_literal

__all__ = ["BoundQuery", "bind", "check"]

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?\*/ )
  | (?P<quoted> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
              | \$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$ )
  | (?P<brace> \{\{ | \}\} | \{[^{}]*\} | [{}] )
  | \\:
  | (?<![:\w\\]):(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_BRACE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_IS_NULL = re.compile(r"\s+is\s+(?:not\s+)?null\b", re.IGNORECASE)

_Y2K = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """The text for SQLAlchemy's `text()`, its values by name, and which of them are lists (`IN :ids`)."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)
    lists: tuple[str, ...] = ()


def check(query: str, params: Mapping[str, Any]) -> None:
    """Look for faults before there are values.

    Raises:
        ValueError: an unknown placeholder or parameter, one in quotes, a lonely brace, a parameter that is not used.
    """
    for value in params.values():
        if isinstance(value, str):
            placeholders.check(value)
    bind(query, params, Values(_Y2K, partition=Partition("2000-01-01", _Y2K, _Y2K)))
    unused = [name for name in params if not re.search(rf"(?<![:\w\\]):{re.escape(name)}\b", query)]
    if unused:
        raise Fault(f"`params.{unused[0]}` is not used", hint=f"Write `:{unused[0]}` where the query needs it.")


def bind(query: str, params: Mapping[str, Any], values: Values) -> BoundQuery:
    """Replace `{placeholder}` and `:name` by parameters.

    A parameter that is nothing (there is no cursor yet) becomes the keyword NULL, which fits every type; a parameter
    tested with `IS NULL` becomes NULL or 0 for the same reason. Each place has a parameter of its own, for a database
    may take one text as a date here and as a number there.

    Raises:
        ValueError: as `check`; or a placeholder needs a partition, and there is none.
    """
    bound: dict[str, Any] = {}
    lists: list[str] = []
    parts: list[str] = []

    def put(value: Any, end: int) -> None:
        if value is None:
            parts.append("NULL")
        elif _IS_NULL.match(query, end):
            parts.append("0")
        else:
            name = f"value_{len(bound) + 1}"
            bound[name] = value
            if isinstance(value, list | tuple):
                lists.append(name)
            parts.append(f" :{name} ")  # spaces: `text()` sees no parameter in `:x::date`

    start = 0
    for found in _TOKEN.finditer(query):
        parts.append(as_literal(query[start : found.start()]))
        start = found.end()
        token = found[0]
        if found["quoted"]:
            parts.append(as_literal(_BRACE.sub(_in_quotes, token)))
        elif found["brace"]:
            if token in {"{{", "}}"}:
                parts.append(token[0])
            else:
                put(_placeholder(token, values), start)
        elif found["name"]:
            if found["name"] not in params:
                raise Fault(
                    f"`:{found['name']}` stands in the query and not in `params`",
                    hint="Add it to `params`; a colon that is none is written `\\:`.",
                )
            put(_parameter(params[found["name"]], values), start)
        else:
            parts.append(as_literal(token))
    parts.append(as_literal(query[start:]))
    return BoundQuery("".join(parts).strip().rstrip(";").rstrip(), bound, tuple(lists))


def _placeholder(token: str, values: Values) -> Any:
    """What a placeholder stands for: a value of its own type; with a format, text (or a number of an epoch)."""
    if len(token) < 2:
        raise Fault(f"lonely `{token}` in the query", hint=f"A literal brace is doubled: `{token}{token}`.")
    name, _, form = token[1:-1].partition(":")
    name = name.strip()
    value = placeholders.value_of(name, values)
    if not form and name == "cursor" and values.cursor_format != "iso" and isinstance(value, date):
        form = values.cursor_format
    if not form or value is None:
        return value
    if form in {"epoch_s", "epoch_ms"} and isinstance(value, date):
        return int(placeholders.render(f"{{{name}:{form}}}", values))
    return placeholders.render(f"{{{name}:{form}}}", values)


def _parameter(value: Any, values: Values) -> Any:
    """A value of `params`: a placeholder alone keeps its type, within a text it is written out."""
    if isinstance(value, list | tuple):
        return [_parameter(item, values) for item in value]
    if not isinstance(value, str):
        return value
    alone = _BRACE.fullmatch(value)
    if alone and value not in {"{{", "}}"}:
        return _placeholder(value, values)
    return placeholders.render(value, values)


def _in_quotes(found: "re.Match[str]") -> str:
    token = found[0]
    if token in {"{{", "}}"}:
        return token[0]
    name = token.strip("{}").partition(":")[0].strip()
    if name in placeholders.KNOWN:
        raise Fault(f"`{token}` stands in quotes", hint="It is bound as a value: take the quotes away.")
    raise Fault(f"lonely `{token}` in the query", hint="A literal brace is doubled: `{{` and `}}`.")
