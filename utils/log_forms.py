"""One entry of the log, and how it is written: a line for the console, a line of text, a line of JSON."""

import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

__all__ = ["Entry", "as_console", "as_json", "as_text", "one_line", "pairs"]

_COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.INFO: "\x1b[32m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[31m",
}
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
# A provider's text must not draw on the terminal, run backwards, or fake a line of its own.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_QUOTED = re.compile(r"[\s\"'=]")
_FRAME = frozenset(("time", "level", "component", "event"))


class Entry(NamedTuple):
    """What happened, redacted. `created`: epoch seconds; `number`: the level's; `trace`: of an exception."""

    created: float
    number: int
    level: str
    component: str
    event: str
    fields: dict[str, Any]
    trace: str | None = None


def as_console(entry: Entry, *, colour: bool, traces: bool) -> str:
    """In local time, with the time of day only; a traceback when `traces`."""
    moment = datetime.fromtimestamp(entry.created, UTC).astimezone().strftime("%H:%M:%S")
    if colour:
        shown = "".join(f" {_DIM}{one_line(key)}={_RESET}{_shown(value)}" for key, value in entry.fields.items())
        level = f"{_COLOURS.get(entry.number, '')}{entry.level:<7}{_RESET}"
        line = f"{_DIM}{moment}{_RESET} {level} {entry.component} {_BOLD}{one_line(entry.event)}{_RESET}{shown}"
    else:
        line = f"{moment} {entry.level:<7} {entry.component} {one_line(entry.event)}{pairs(entry.fields)}"
    return line + (_indented(entry.trace) if traces and entry.trace is not None else "")


def as_text(entry: Entry) -> bytes:
    """One line, and indented ones of a traceback; UTF-8, ended by a newline."""
    line = f"{_moment(entry.created)} {entry.level:<7} {entry.component} {one_line(entry.event)}{pairs(entry.fields)}"
    if entry.trace is not None:
        line += _indented(entry.trace)
    return (line + "\n").encode("utf-8", "backslashreplace")


def as_json(entry: Entry) -> bytes:
    """One object in one line, ended by a newline. Fields that are named like the frame get a `_` behind their name."""
    dumps, option = _orjson or _load_orjson()
    created, _, level, component, event, fields, trace = entry
    if not _FRAME.isdisjoint(fields):
        fields = {key if key not in _FRAME else f"{key}_": value for key, value in fields.items()}
    whole = {"time": _moment(created), "level": level, "component": component, "event": event, **fields}
    if trace is not None:
        whole["traceback"] = trace
    try:
        line = dumps(whole, option=option)
    except TypeError:  # integers beyond 64 bits, halves of surrogate pairs
        text = one_line(json.dumps(whole, ensure_ascii=False, separators=(",", ":")))
        return text.encode("utf-8", "backslashreplace") + b"\n"
    if line.isascii() and b"\x7f" not in line:
        return line
    return one_line(line[:-1].decode()).encode() + b"\n"  # readers split lines at U+2028 too


_orjson: "tuple[Callable[..., bytes], int] | None" = None


def _load_orjson() -> "tuple[Callable[..., bytes], int]":
    """A program that logs nothing does not import it; an import statement in each line would cost as much as JSON."""
    global _orjson  # noqa: PLW0603 - loaded once
    import orjson

    _orjson = (orjson.dumps, orjson.OPT_APPEND_NEWLINE)
    return _orjson


def pairs(fields: dict[str, Any]) -> str:
    """Fields as ` key=value`, each value in one line: words bare, the rest as JSON."""
    return "".join(f" {one_line(key)}={_shown(value)}" for key, value in fields.items())


def one_line(text: str) -> str:
    """What would break a line, or draw, is written as its escape."""
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


_second: list[tuple[int, str]] = [(-1, "")]
"""The second that was written out last, and its text: most lines of a burst share it."""


def _moment(created: float) -> str:
    """RFC 3339, UTC, milliseconds."""
    number = int(created)
    known, text = _second[0]
    if number != known:
        text = datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _second[0] = (number, text)
    return f"{text}.{int((created - number) * 1000):03d}Z"


def _shown(value: Any) -> str:
    kind = type(value)
    if kind is str:
        if value and value.isprintable() and _QUOTED.search(value) is None:
            return str(value)
    elif kind is int or kind is float:
        return repr(value)
    return one_line(json.dumps(value, ensure_ascii=False, default=str))


def _indented(trace: str) -> str:
    return "".join(f"\n    {one_line(line)}" for line in trace.split("\n"))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
