"""The body of a request: text, JSON, or a form, its placeholders filled for the place where they stand."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from data_pipeline.collect import placeholders
from data_pipeline.collect.placeholders import Values

__all__ = ["Body", "body_of", "texts_of"]

_ALONE = re.compile(r"\{(\w+)\}")
_TYPES = {
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
}


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: a text, a JSON document, or the fields of a form."""

    kind: Literal["text", "json", "form"]
    value: Any

    @property
    def media_type(self) -> str:
        """What it is sent as when no header says otherwise."""
        return _TYPES[self.kind]

    def put(self, path: tuple[str, ...], value: Any) -> "Body":
        """The same body with one value set; maps on the way are made.

        Raises:
            ValueError: it is a text, or something else than a map is in the way.
        """
        if self.kind == "text":
            raise ValueError(f"`body.{'.'.join(path)}` needs a body that is a map")
        return replace(self, value=_with(self.value, path, value))

    def content(self, charset: str = "") -> bytes:
        """The bytes. `charset`: of a text, when its header names one."""
        if self.kind == "text":
            return _encoded(self.value, charset)
        if self.kind == "form":
            pairs = (f"{quote_plus(name)}={quote_plus(text)}" for name, text in _fields(self.value))
            return "&".join(pairs).encode("ascii")
        import orjson

        return orjson.dumps(self.value, option=orjson.OPT_NON_STR_KEYS, default=str)


def body_of(written: Any, values: Values, media_type: str = "") -> Body | None:
    """The body of one request from what stands in the configuration. `media_type`: what a header says it is."""
    if written is None:
        return None
    if isinstance(written, str):
        return Body("text", placeholders.render(written, values, encode=_encoding_of(written, media_type)))
    if set(written) == {"form"} and isinstance(written["form"], dict):
        return Body("form", _filled(written["form"], values))
    return Body("json", _filled(written, values))


def texts_of(written: Any) -> Iterator[str]:
    """All texts in which placeholders may stand."""
    if isinstance(written, str):
        yield written
    elif isinstance(written, dict):
        for value in written.values():
            yield from texts_of(value)
    elif isinstance(written, list | tuple):
        for value in written:
            yield from texts_of(value)


def _filled(written: Any, values: Values) -> Any:
    if isinstance(written, dict):
        return {name: _filled(value, values) for name, value in written.items()}
    if isinstance(written, list | tuple):
        return [_filled(value, values) for value in written]
    if not isinstance(written, str):
        return written
    # `after: "{cursor}"` with a cursor that is a number becomes a number, as an API that counts expects it.
    if (alone := _ALONE.fullmatch(written)) and isinstance(
        value := placeholders.value_of(alone[1], values, written), int | float
    ):
        return value
    return placeholders.render(written, values)


def _encoding_of(text: str, media_type: str) -> Callable[[str], str]:
    kind = media_type.lower()
    if "xml" in kind or text.lstrip().startswith("<"):
        return _in_xml
    if "json" in kind:
        return _in_json
    return placeholders.in_query if "urlencoded" in kind else placeholders.plain


def _in_xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


def _in_json(value: str) -> str:
    import json

    return json.dumps(value)[1:-1]


def _with(tree: Any, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if not isinstance(tree, dict | None):
        raise ValueError(f"`{path[0]}` of the body cannot be set: its parent is not a map")
    below = dict(tree or {})
    below[path[0]] = value if len(path) == 1 else _with(below.get(path[0]), path[1:], value)
    return below


def _fields(form: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and texts of a form; a list is one field several times."""
    for name, value in form.items():
        for item in value if isinstance(value, list) else [value]:
            yield str(name), str(item).lower() if isinstance(item, bool) else "" if item is None else str(item)


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset or "utf-8")
    except (LookupError, UnicodeEncodeError) as error:
        raise ValueError(f"the body cannot be sent as `{charset}`: {error}") from error
