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

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ContextDecorator
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.correlation import request_id, run_id
from utils.log_forms import Entry, as_console, as_json, as_text, one_line, pairs
from utils.redaction import Redactor

__all__ = ["Logger", "Sink", "close", "configure", "get_logger", "set_incidents", "sinks", "timed"]

NAMESPACE: Final = "orchestrator"  # the parent of all our loggers in the standard library's tree

F = TypeVar("F", bound=Callable[..., Any])
Level = Literal["debug", "info", "warning", "error"]
Files = Literal["both", "text", "json"]

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES = {number: logging.getLevelName(number) for number in _LEVELS}
_CONCERNED = ("dataset", "provider", "service")
"""Fields whose value may have an incident."""


class Sink(Protocol):
    """Where entries go."""

    def write(self, entry: Entry) -> None:
        """Take one; never raises, and never waits for anything far away."""
        ...

    def close(self) -> None:
        """Let go of what is held; another entry may come all the same."""
        ...


class _State:
    """What `configure` decided."""

    redactor = Redactor()
    clock: Clock = SYSTEM_CLOCK
    sinks: tuple[Sink, ...] = ()
    incidents: Mapping[str, Sequence[str]] = {}


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
        log = self._log
        if not log.isEnabledFor(level):
            return
        redactor = _State.redactor
        if _State.incidents:
            fields = self._with_incidents(fields)
        if asked := request_id.get():
            fields = {**fields, "request_id": asked}
        if (run := run_id.get()) and "run_id" not in fields:
            fields = {**fields, "run_id": run}
        entry = Entry(
            _State.clock.time(),
            level,
            _LEVEL_NAMES[level],
            self.component,
            redactor.name(event),
            redactor.fields(fields),
            None if exc is None else redactor.text("".join(traceback.format_exception(exc)).rstrip()),
        )
        if _is_ours_alone(log):
            # Nobody else listens: a record of the standard library would cost as much as all the rest.
            for sink in _State.sinks:
                sink.write(entry)
            return
        record = log.makeRecord(log.name, level, "", 0, one_line(entry.event) + pairs(entry.fields), (), None)
        record.created, record.entry = entry.created, entry
        log.handle(record)

    def _with_incidents(self, fields: dict[str, Any]) -> dict[str, Any]:
        known = _State.incidents
        keys = (f"component:{self.component}", *(f"{key}:{fields[key]}" for key in _CONCERNED if key in fields))
        found = sorted({one for key in keys for one in known.get(key, ())})
        return {**fields, "incidents": found} if found and "incidents" not in fields else fields


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
    forms: Files = "both",
    size: int = 50_000_000,
    files: int = 10,
    age: float = 30 * 86_400.0,
    redact: Iterable[str] = (),
    secrets: Callable[[], Iterable[str]] = tuple,
    more: Sequence[Sink] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Say where events go. May be called again: the last call holds.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL (which is above all of ours).
        console: To stderr. `auto`: in colour on a terminal unless NO_COLOR is set, else plain; `on`: in colour also
            when it is no terminal (NO_COLOR still counts); `off`: nothing.
        directory: Where `<component>.log` and `<component>.jsonl` are made at a component's first record; `None`:
            no files.
        forms: Which of the two files.
        size: Bytes of one file before it is rotated and gzipped; a new day (UTC) begins a new file too.
        files: Rotated files kept of each.
        age: Seconds for which they are kept at most.
        redact: More words that make a field's name secret, besides password, token, secret and the like.
        secrets: Asked for every record: the values never to be written.
        more: Other sinks, such as Loki.
        clock: Stamps records and measures durations.

    Raises:
        ValueError: An unknown level, console or form; size or files below 1.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number not in _LEVELS:
        raise ValueError(f"logging.level: {level!r} is unknown; use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    if console not in {"auto", "on", "off"}:
        raise ValueError(f"logging.console: {console!r} is unknown; use auto, on or off")
    if forms not in {"both", "text", "json"}:
        raise ValueError(f"logging.files: {forms!r} is unknown; use both, text or json")
    if size < 1 or files < 1 or age <= 0.0:
        raise ValueError(f"logging: size, files and age must be at least 1, got {size}, {files} and {age:g}")
    chosen_sinks: list[Sink] = []
    if console != "off":
        chosen_sinks.append(_Console(always_colour=console == "on"))
    if directory is not None:
        from utils.log_files import ComponentFiles

        written = {".log": as_text, ".jsonl": as_json}
        chosen = {"both": written, "text": {".log": as_text}, "json": {".jsonl": as_json}}[forms]
        chosen_sinks.append(ComponentFiles(directory, size=size, files=files, age=age, forms=chosen))
    close()
    _State.redactor, _State.clock, _State.sinks = Redactor(redact, secrets), clock, (*more, *chosen_sinks)
    if _BRIDGE not in _PARENT.handlers:
        _PARENT.addHandler(_BRIDGE)
    _PARENT.setLevel(number)


def close() -> None:
    """Bring out what is on its way, within a bound, and let go of the files. What is logged later opens them again."""
    for sink in _State.sinks:
        sink.close()


def sinks() -> tuple[Sink, ...]:
    """Where entries go just now."""
    return _State.sinks


def set_incidents(active: Mapping[str, Sequence[str]]) -> None:
    """What is wrong just now: records of what is concerned get the field `incidents`, a list of ids.

    Args:
        active: `dataset:fx`, `provider:ecb`, `service:shop` or `component:store` -> ids. An empty one costs nothing.
    """
    _State.incidents = active


def _is_ours_alone(log: logging.Logger) -> bool:
    """Whether no handler or filter but our own would see its records."""
    if log.filters:
        return False
    node = log
    while node is not _PARENT:
        if node.handlers or not node.propagate or node.parent is None:
            return False
        node = node.parent
    return node.handlers == _OURS and not (node.propagate and logging.root.handlers)


class _Bridge(logging.Handler):
    """Brings records to our sinks: ours when others listen too, and those that a program sent below our name."""

    def emit(self, record: logging.LogRecord) -> None:
        entry = getattr(record, "entry", None)
        if not isinstance(entry, Entry):
            text = _State.redactor.text(record.getMessage())
            trace = (
                _State.redactor.text(logging.Formatter().formatException(record.exc_info)) if record.exc_info else None
            )
            entry = Entry(record.created, record.levelno, record.levelname, "app", text, {}, trace)
        for sink in _State.sinks:
            sink.write(entry)

    def close(self) -> None:
        close()
        super().close()


_BRIDGE = _Bridge()
_OURS = [_BRIDGE]
_PARENT = logging.getLogger(NAMESPACE)


class _Console:
    """One line an entry on stderr, whatever stderr is at that moment."""

    def __init__(self, *, always_colour: bool) -> None:
        self._always_colour = always_colour
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        stream = sys.stderr
        if stream is None:  # a program without a console
            return
        traces = _PARENT.level <= logging.DEBUG
        try:
            colour = not os.environ.get("NO_COLOR") and (self._always_colour or stream.isatty())
            with self._lock:
                stream.write(as_console(entry, colour=colour, traces=traces) + "\n")
                stream.flush()
        except (OSError, ValueError):
            pass  # the reader of a pipe has gone, or stderr is closed: no reason to stop working

    def close(self) -> None:
        """Nothing is held."""
