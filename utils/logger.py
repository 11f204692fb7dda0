"""Structured logging: an event and its fields, to the console, to text files and to JSON lines.

On the standard library's `logging`, not on structlog: importing structlog costs 232 ms, and a one-dataset run has
800 ms for everything. What we want of it, a name for what happened and fields beside it, is this file.

    log = get_logger("collect")
    log.info("dataset.collected", dataset="fx", rows=31, seconds=0.4)
    with log.timed("store"):
        ...

Everything is redacted (`utils.redaction`) before a record exists, so no handler, ours or a program's own, sees a
secret. Until `configure` is called only warnings and errors show, as with any library.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from datetime import UTC, datetime
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.redaction import Redactor

__all__ = ["Logger", "configure", "get_logger", "timed"]

NAMESPACE: Final = "orchestrator"  # the parent of all our loggers in the standard library's tree

F = TypeVar("F", bound=Callable[..., Any])
Level = Literal["debug", "info", "warning", "error"]

_COLOURS = {logging.DEBUG: "\x1b[2m", logging.INFO: "\x1b[32m", logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m"}
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
# A provider's text must not draw on the terminal, run backwards, or fake a line of its own.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class _State:
    """What `configure` decided."""

    redactor = Redactor()
    clock: Clock = SYSTEM_CLOCK
    handlers: tuple[logging.Handler, ...] = ()


class Logger:
    """Writes events of one component. Get one with `get_logger`; cheap when the level is off."""

    __slots__ = ("_log", "component")

    def __init__(self, component: str) -> None:
        self.component = re.sub(r"[^a-z0-9_.-]+", "-", component.lower()).strip(".-") or "app"
        self._log = logging.getLogger(f"{NAMESPACE}.{self.component}")

    def debug(self, event: str, /, *, exc: BaseException | None = None, **fields: Any) -> None:
        """For whoever looks for a fault."""
        self._emit(logging.DEBUG, event, exc, fields)

    def info(self, event: str, /, *, exc: BaseException | None = None, **fields: Any) -> None:
        """What happened, as expected."""
        self._emit(logging.INFO, event, exc, fields)

    def warning(self, event: str, /, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Not as it should be, but dealt with."""
        self._emit(logging.WARNING, event, exc, fields)

    def error(self, event: str, /, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Somebody has to do something. `exc` adds its traceback to the files (on the console at DEBUG only)."""
        self._emit(logging.ERROR, event, exc, fields)

    def timed(self, event: str, /, *, level: Level = "info", **fields: Any) -> "Timed":
        """A decorator or `with` block that logs `event` with `duration_s` when it ends; see `Timed`."""
        return Timed(self, event, level, fields)

    def _emit(self, level: int, event: str, exc: BaseException | None, fields: dict[str, Any]) -> None:
        if not self._log.isEnabledFor(level):
            return
        redactor = _State.redactor
        event, fields = redactor.text(event), redactor.fields(fields)
        message = _line(event) + _pairs(fields)
        record = self._log.makeRecord(self._log.name, level, "", 0, message, (), None)
        record.created = _State.clock.time()
        record.component, record.event, record.fields = self.component, event, fields
        record.trace = None if exc is None else redactor.text("".join(traceback.format_exception(exc)).rstrip())
        self._log.handle(record)


class Timed(ContextDecorator):
    """Logs how long something took: `event duration_s=…`; a failure as an error with `error=…`, and passes it on.

    As a decorator it works for coroutine functions too, and measures each call by itself.
    """

    def __init__(self, logger: Logger, event: str, level: Level, fields: dict[str, Any]) -> None:
        self._logger = logger
        self._event = event
        self._level = level
        self._fields = fields
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = _State.clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fields = {**self._fields, "duration_s": round(_State.clock.monotonic() - self._started, 6)}
        if error is None:
            getattr(self._logger, self._level)(self._event, **fields)
        else:
            self._logger.error(self._event, exc=error, **fields, error=f"{type(error).__name__}: {error}")

    def __call__(self, function: F) -> F:
        if not iscoroutinefunction(function):
            return super().__call__(function)

        @wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        return call  # type: ignore[return-value]  # a wrapper with the same signature; mypy cannot know

    def _recreate_cm(self) -> Self:
        return type(self)(self._logger, self._event, self._level, self._fields)


def get_logger(component: str) -> Logger:
    """The logger of a component: a short name such as `collect`, which is also the name of its files."""
    return Logger(component)


def timed(event: str, /, *, component: str = "app", level: Level = "info", **fields: Any) -> Timed:
    """`get_logger(component).timed(event)`, for functions in modules without a logger of their own."""
    return Timed(get_logger(component), event, level, fields)


def configure(
    level: str = "INFO",
    console: Literal["auto", "on", "off"] = "auto",
    directory: Path | None = None,
    *,
    size: int = 50_000_000,
    files: int = 10,
    redact: Iterable[str] = (),
    secrets: Callable[[], Iterable[str]] = tuple,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Say where events go. May be called again: the last call holds.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        console: To stderr. `auto`: in colour on a terminal unless NO_COLOR is set, else plain; `on`: in colour also
            when it is no terminal (NO_COLOR still counts); `off`: nothing.
        directory: Where `<component>.log` and `<component>.jsonl` are made at a component's first record; `None`:
            no files.
        size: Bytes of one file before it is rotated and gzipped.
        files: Rotated files kept of each.
        redact: More words that make a field's name secret, besides password, token, secret and the like.
        secrets: Asked for every record: the values never to be written.
        clock: Stamps records and measures durations.

    Raises:
        ValueError: An unknown level or console; size or files below 1.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number not in _COLOURS:
        raise ValueError(f"logging.level: {level!r} is unknown; use DEBUG, INFO, WARNING or ERROR")
    if console not in {"auto", "on", "off"}:
        raise ValueError(f"logging.console: {console!r} is unknown; use auto, on or off")
    if size < 1 or files < 1:
        raise ValueError(f"logging: size and files must be at least 1, got {size} and {files}")
    handlers: list[logging.Handler] = []
    if console != "off":
        handlers.append(_Console(always_colour=console == "on"))
    if directory is not None:
        from utils.log_files import ComponentFiles

        handlers.append(ComponentFiles(directory, size=size, files=files, text=_as_text, json=_as_json))
    parent = logging.getLogger(NAMESPACE)
    for old in _State.handlers:
        parent.removeHandler(old)
        old.close()
    _State.redactor, _State.clock, _State.handlers = Redactor(redact, secrets), clock, tuple(handlers)
    for handler in handlers:
        parent.addHandler(handler)
    parent.setLevel(number)


class _Console(logging.Handler):
    """One line a record on stderr, whatever stderr is at that moment."""

    def __init__(self, *, always_colour: bool) -> None:
        super().__init__()
        self._always_colour = always_colour

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr
        if stream is None:  # a program without a console
            return
        colour = not os.environ.get("NO_COLOR") and (self._always_colour or stream.isatty())
        try:
            stream.write(_as_console(record, colour=colour) + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass  # the reader of a pipe has gone, or stderr is closed: no reason to stop working


def _as_console(record: logging.LogRecord, *, colour: bool) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
    level, component, event, fields, trace = _parts(record)
    if trace is not None and logging.getLogger(NAMESPACE).level > logging.DEBUG:
        trace = None
    if colour:
        shown = "".join(f" {_DIM}{_line(key)}={_RESET}{_shown(value)}" for key, value in fields.items())
        level = f"{_COLOURS.get(record.levelno, '')}{level:<7}{_RESET}"
        line = f"{_DIM}{moment}{_RESET} {level} {component} {_BOLD}{_line(event)}{_RESET}"
    else:
        shown = _pairs(fields)
        line = f"{moment} {level:<7} {component} {_line(event)}"
    return line + shown + ("" if trace is None else _indented(trace))


def _as_text(record: logging.LogRecord) -> str:
    level, component, event, fields, trace = _parts(record)
    return f"{_moment(record)} {level:<7} {component} {_line(event)}{_pairs(fields)}" + (
        "" if trace is None else _indented(trace)
    )


def _as_json(record: logging.LogRecord) -> str:
    level, component, event, fields, trace = _parts(record)
    line: dict[str, Any] = {"time": _moment(record), "level": level, "component": component, "event": event}
    line.update((key if key not in line else f"{key}_", value) for key, value in fields.items())
    if trace is not None:
        line["traceback"] = trace
    return _line(json.dumps(line, ensure_ascii=False, separators=(",", ":")))  # readers split lines at U+2028 too


def _parts(record: logging.LogRecord) -> tuple[str, str, str, dict[str, Any], str | None]:
    """A record of ours; one that a program sent into our namespace by itself gets the same shape."""
    event = getattr(record, "event", None) or _State.redactor.text(record.getMessage())
    component = getattr(record, "component", None) or "app"
    return (
        record.levelname,
        component,
        event,
        getattr(record, "fields", {}),
        getattr(record, "trace", None),
    )


def _indented(trace: str) -> str:
    return "".join(f"\n    {_line(line)}" for line in trace.split("\n"))


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: Any) -> str:
    """A field's value in one line: words bare, the rest as JSON."""
    if isinstance(value, str) and value and not re.search(r"[\s\"'=]", value):
        return _line(value)
    return _line(json.dumps(value, ensure_ascii=False, default=str))


def _pairs(fields: dict[str, Any]) -> str:
    return "".join(f" {_line(key)}={_shown(value)}" for key, value in fields.items())


def _line(text: str) -> str:
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
