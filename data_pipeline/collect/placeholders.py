"""`{now}` and `{run_date}` in addresses, parameters, headers and paths, encoded for the place where they stand."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

__all__ = ["check", "in_path", "in_query", "plain", "render"]

_KNOWN = ("now", "run_date")
_LATER = ("cursor", "partition.start", "partition.end", "partition.key")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def plain(value: str) -> str:
    return value


def in_path(value: str) -> str:
    """Inside the path of an address. A slash can only come from the user's own format, `{now:%Y/%m}`, so it stays."""
    return quote(value, safe="/:")


def in_query(value: str) -> str:
    return quote(value, safe="")


def check(template: str) -> str:
    """The template itself, so that it serves as a validator.

    Raises:
        ValueError: an unknown placeholder, one that is not supported yet, or a lonely brace.
    """
    render(template, datetime(2000, 1, 1, tzinfo=UTC))
    return template


def render(template: str, now: datetime, *, encode: Callable[[str], str] = plain) -> str:
    """Fill the placeholders with the run's moment; `{{` and `}}` are literal braces.

    A format follows a colon: strftime codes, or `iso`, `epoch_s`, `epoch_ms`. Without one `{now}` is RFC 3339 and
    `{run_date}` is `YYYY-MM-DD`, both UTC.

    >>> render("day={run_date}&t={now:%H:%M}", datetime(2026, 3, 1, 7, 5, tzinfo=UTC), encode=in_query)
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
        return encode(_value(name.strip(), form, now, template))

    return _TOKEN.sub(fill, template)


def _value(name: str, form: str, now: datetime, template: str) -> str:
    if name in _LATER:
        raise ValueError(f"placeholder `{{{name}}}` in `{template}` is not supported yet")
    if name not in _KNOWN:
        known = ", ".join(f"{{{known}}}" for known in _KNOWN)
        raise ValueError(
            f"unknown placeholder `{{{name}}}` in `{template}`; known: {known} (a literal brace is doubled)"
        )
    moment = now.astimezone(UTC)
    if name == "run_date":
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if form == "epoch_s":
        return str(int(moment.timestamp()))
    if form == "epoch_ms":
        return str(int(moment.timestamp() * 1000))
    if form and form != "iso":
        return moment.strftime(form)
    return moment.strftime("%Y-%m-%d" if name == "run_date" else "%Y-%m-%dT%H:%M:%SZ")
