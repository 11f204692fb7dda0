"""Where the next page is: nowhere, in the `Link` header, or in a field of the JSON answer."""

import re
from typing import IO, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["Paginate", "is_empty", "next_in_json", "next_in_links"]

_LATER = ("page", "offset", "cursor")
_STEP = re.compile(r'\s*(?:"((?:[^"\\]|\\.)+)"|([A-Za-z_][\w-]*)|\[(-?\d+)\])\s*(?:\.(?=.)|(?=\[)|$)')


class Paginate(BaseModel):
    """How to go from page to page.

    Attributes:
        next: For `json_next`: the path of the next page's address, e.g. `meta.next`, `"@odata.nextLink"`,
            `links[0].href` (names, quoted names and indexes of JMESPath).
        max_pages: Stop after so many; what was collected until then is whole, a note says that it was cut.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["none", "link_header", "json_next"] = "none"
    next: str = ""
    max_pages: int = Field(default=10_000, ge=1)

    @field_validator("kind", mode="before")
    @classmethod
    def _known_kind(cls, kind: Any) -> Any:
        if kind in _LATER:
            raise ValueError(f"paging kind `{kind}` is not supported yet; use none, link_header or json_next")
        return kind

    @model_validator(mode="after")
    def _next_belongs_to_json(self) -> Self:
        if self.kind == "json_next":
            if not self.next:
                raise ValueError('json_next needs `next`: the path of the next page\'s address, e.g. next: "meta.next"')
            _steps(self.next)
        elif self.next:
            raise ValueError(f"`next` belongs to json_next, not to {self.kind}")
        return self


def next_in_links(header: str) -> str | None:
    """The target of `rel="next"` in a `Link` header (RFC 8288), or None.

    >>> next_in_links('<https://a/?p=1>; rel="prev", </x?p=3>; title="a, b"; rel="last next"')
    '/x?p=3'
    """
    position = 0
    while (target := re.compile(r"[\s,]*<([^>]*)>").match(header, position)) is not None:
        position = target.end()
        relation: str | None = None
        parameter = re.compile(r'\s*;\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
        while (found := parameter.match(header, position)) is not None:
            position = found.end()
            # Only the first `rel` of a link counts (RFC 8288, 3.3).
            if found[1].lower() == "rel" and relation is None:
                relation = found[2] if found[2] is not None else (found[3] or "")
        if relation is not None and "next" in relation.lower().split():
            return target[1].strip()
    return None


def next_in_json(stream: IO[bytes], path: str) -> str | None:
    """The text at `path` in a JSON document; None when the path leads nowhere, to null or to an empty text.

    Raises:
        ValueError: the document is not JSON, or something else than text stands there.
    """
    import orjson

    value: Any = orjson.loads(stream.read())
    for step in _steps(path):
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    if value is None or value == "" or value is False:
        return None
    if not isinstance(value, str):
        raise ValueError(f"`{path}` holds {type(value).__name__}, not an address")
    return value


def is_empty(head: bytes, size: int) -> bool:
    """Whether a page holds nothing: no bytes, or an empty JSON list or object."""
    return size == 0 or (size <= 64 and head.strip() in (b"", b"[]", b"{}", b"null"))


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f'`{path}` is not a path; write it like meta.next, "@odata.nextLink" or links[0].href')
        quoted, name, index = found.groups()
        steps.append(int(index) if index is not None else name or re.sub(r"\\(.)", r"\1", quoted))
        position = found.end()
    return steps
