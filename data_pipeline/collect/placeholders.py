"""`{now}`, `{cursor}`, `{partition.start}` in addresses, parameters, bodies and paths, encoded for where they stand."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

__all__ = ["Partition", "Values", "check", "in_path", "in_query", "named", "plain", "render", "value_of"]

KNOWN = ("now", "run_date", "cursor", "partition.start", "partition.end", "partition.key")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Partition:
    """One piece of a partitioned dataset. `start` and `end` (exclusive) are aware; a piece of a list has neither."""

    key: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """What the placeholders stand for in one collection.

    Attributes:
        cursor: None: there is none (yet); then `{cursor}` is the empty text.
        cursor_format: How the cursor is written when `{cursor}` names no format of its own.
        named: Placeholders of a dataset's own (`for_each`), by name.
    """

    now: datetime
    cursor: Any = None
    cursor_format: str = "iso"
    partition: Partition | None = None
    named: Mapping[str, Any] = field(default_factory=dict)


_Y2K = datetime(2000, 1, 1, tzinfo=UTC)


def plain(value: str) -> str:
    return value


def in_path(value: str) -> str:
    """Inside the path of an address. A slash can only come from the user's own format, `{now:%Y/%m}`, so it stays."""
    return quote(value, safe="/:")


def in_query(value: str) -> str:
    return quote(value, safe="")


def check(template: str, *, also: tuple[str, ...] = ()) -> str:
    """The template itself, so that it serves as a validator. `also`: placeholders of the dataset's own.

    Raises:
        ValueError: an unknown placeholder, or a lonely brace.
    """
    if "{" in template or "}" in template:
        render(template, Values(_Y2K, partition=Partition("2000-01-01", _Y2K, _Y2K), named=dict.fromkeys(also, "")))
    return template


def named(template: str) -> set[str]:
    """The names of the placeholders in a template, without their formats.

    >>> sorted(named("{now:%Y}/{{x}}/{cursor}"))
    ['cursor', 'now']
    """
    if "{" not in template:
        return set()
    return {found[1].partition(":")[0].strip() for found in _TOKEN.finditer(template) if found[1] is not None}


def render(template: str, values: Values, *, encode: Callable[[str], str] = plain) -> str:
    """Fill the placeholders; `{{` and `}}` are literal braces.

    A format follows a colon: strftime codes, or `iso`, `epoch_s`, `epoch_ms`. Without one a moment is RFC 3339 and
    a day is `YYYY-MM-DD`; all moments are UTC but those of a partition, which are in the partition's zone.

    >>> at = Values(datetime(2026, 3, 1, 7, 5, tzinfo=UTC))
    >>> render("day={run_date}&t={now:%H:%M}", at, encode=in_query)
    'day=2026-03-01&t=07%3A05'
    """
    if "{" not in template and "}" not in template:
        return template

    def fill(match: re.Match[str]) -> str:
        token = match[0]
        if token in ("{{", "}}"):
            return token[0]
        if match[1] is None:
            raise ValueError(f"lonely `{token}` in `{template}`; a literal brace is doubled: `{token}{token}`")
        name, _, form = match[1].partition(":")
        name = name.strip()
        value = value_of(name, values, template)
        if name == "now" and not form:
            value = value.replace(microsecond=0)  # as everybody writes a moment
        return encode(_text(value, form or (values.cursor_format if name == "cursor" else "iso")))

    return _TOKEN.sub(fill, template)


def value_of(name: str, values: Values, template: str = "") -> Any:
    """What a placeholder stands for, as a value: SQL binds it as a parameter.

    Raises:
        ValueError: there is no such placeholder; or it needs a `partition`, and the dataset has none.
    """
    if name in values.named:
        return values.named[name]
    if name == "now":
        return values.now.astimezone(UTC)
    if name == "run_date":
        return values.now.astimezone(UTC).date()
    if name == "cursor":
        return values.cursor
    if name in KNOWN:
        if values.partition is None:
            raise ValueError(f"`{{{name}}}` needs `partition` in the dataset")
        return getattr(values.partition, name.partition(".")[2])
    known = ", ".join(f"{{{known}}}" for known in (*KNOWN, *values.named))
    where = f" in `{template}`" if template else ""
    raise ValueError(f"unknown placeholder `{{{name}}}`{where}; known: {known} (a literal brace is doubled)")


def _text(value: Any, form: str) -> str:
    if value is None:
        return ""
    if isinstance(value, date) and not isinstance(value, datetime):
        if form == "iso":
            return value.isoformat()
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return str(value)
    if form == "epoch_s":
        return str(int(value.timestamp()))
    if form == "epoch_ms":
        return str(int(value.timestamp() * 1000))
    if form != "iso":
        return value.strftime(form)
    # A cursor's fraction must not be lost.
    text = value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")
