"""How one page leads to the next: not at all, by an address it names, by a counter, or by a cursor."""

import re
from typing import IO, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_pipeline.collect.http.targets import Target, target

__all__ = ["Paginate", "is_empty", "next_in_json", "next_in_links", "value_in_json"]

_STEP = re.compile(r'\s*(?:"((?:[^"\\]|\\.)+)"|([A-Za-z_][\w-]*)|\[(-?\d+)\])\s*(?:\.(?=.)|(?=\[)|$)')

_KEYS: dict[str, set[str]] = {
    "none": set(),
    "link_header": set(),
    "json_next": {"next"},
    "page": {"param", "start", "size_param", "size"},
    "offset": {"param", "start", "size_param", "size"},
    "cursor": {"from", "into"},
}


class Paginate(BaseModel):
    """How to go from page to page.

    Attributes:
        next: Of `json_next`: the path of the next page's address, e.g. `meta.next`, `"@odata.nextLink"`,
            `links[0].href` (names, quoted names and indexes of JMESPath).
        param: Of `page` and `offset`: the parameter that counts, or a place such as `body.page`. "": as the kind.
        start: Its first value. None: 1 for `page`, 0 for `offset`.
        size_param: Where the rows of a page are asked for; "": they are not.
        size: How many. `offset` needs it: the step when a page does not tell how many rows it has.
        source: `from` in the configuration, of `cursor`: the path of the next cursor in the answer.
        into: Of `cursor`: where it goes, `params.after` or `body.after`.
        max_pages: Stop after so many; what came until then is a part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["none", "link_header", "json_next", "page", "offset", "cursor"] = "none"
    next: str = ""
    param: str = ""
    start: int | None = Field(default=None, ge=0)
    size_param: str = ""
    size: int | None = Field(default=None, ge=1)
    source: str = Field(default="", alias="from")
    into: str = ""
    max_pages: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        written = {"from" if name == "source" else name for name in self.model_fields_set} - {"kind", "max_pages"}
        for key in sorted(written - _KEYS[self.kind]):
            owners = " and ".join(kind for kind, keys in _KEYS.items() if key in keys)
            raise ValueError(f"`{key}` belongs to {owners}, not to {self.kind}")
        if self.kind == "json_next":
            if not self.next:
                raise ValueError('json_next needs `next`: the path of the next page\'s address, e.g. next: "meta.next"')
            steps(self.next)
        elif self.kind == "cursor":
            if not self.source or not self.into:
                raise ValueError("cursor needs `from` and `into`, e.g. {from: meta.next, into: params.after}")
            steps(self.source)
        elif self.kind == "offset" and self.size is None:
            raise ValueError("offset needs `size`: how many rows a page has, e.g. size: 100")
        if bool(self.size_param) and self.size is None:
            raise ValueError("`size_param` needs `size`: how many rows to ask for, e.g. size: 100")
        if self.kind == "page" and self.size is not None and not self.size_param:
            raise ValueError("`size` needs `size_param`: the parameter that asks for so many rows, e.g. per_page")
        _ = self.targets  # raises for what is no place
        return self

    @property
    def counts(self) -> bool:
        """Whether we count the pages ourselves, so that only an empty one can end them."""
        return self.kind in ("page", "offset")

    @property
    def counter(self) -> Target:
        """Where the counter of `page` and `offset` goes."""
        return target(self.param or self.kind)

    @property
    def first(self) -> int:
        """The counter's first value."""
        return self.start if self.start is not None else int(self.kind == "page")

    @property
    def targets(self) -> tuple[Target, ...]:
        """All places of a request that paging writes to.

        Raises:
            ValueError: one of them is no place.
        """
        if self.kind == "cursor":
            return (target(self.into),)
        if not self.counts:
            return ()
        return (self.counter, *([target(self.size_param)] if self.size_param else []))


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
    value = value_in_json(stream, path)
    if value is None or value == "" or value is False:
        return None
    if not isinstance(value, str):
        raise ValueError(f"`{path}` holds {type(value).__name__}, not an address")
    return value


def value_in_json(stream: IO[bytes], path: str) -> Any:
    """What stands at `path` in a JSON document; None when the path leads nowhere.

    Raises:
        ValueError: the document is not JSON.
    """
    import orjson

    content = stream.read()
    value = _at(path, orjson.loads(content))
    if isinstance(value, float) and abs(value) >= 2**53:
        import json

        return _at(path, json.loads(content))  # orjson makes a float of an integer beyond 64 bits
    return value


def _at(path: str, value: Any) -> Any:
    for step in steps(path):
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def is_empty(head: bytes, size: int) -> bool:
    """Whether a page holds nothing: no bytes, or an empty JSON list or object."""
    return size == 0 or (size <= 64 and head.strip() in (b"", b"[]", b"{}", b"null"))


def steps(path: str) -> list[str | int]:
    """The names and indexes of a path.

    Raises:
        ValueError: it is not a path.
    """
    found: list[str | int] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f'`{path}` is not a path; write it like meta.next, "@odata.nextLink" or links[0].href')
        quoted, name, index = step.groups()
        found.append(int(index) if index is not None else name or re.sub(r"\\(.)", r"\1", quoted))
        position = step.end()
    return found
