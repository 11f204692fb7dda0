"""What every command shares: the four options, the system, and errors without tracebacks.

A command is a function whose first parameter is a `Context`; `@command(app)` gives it `--config --state-dir --json
--debug` (they may also stand before the command's name), runs it, and turns what it raises into a message and an exit
code.
"""

import gc
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import OutputLost, drop_output, print_json, printable

if TYPE_CHECKING:
    from config.loading import Loaded
    from integrated_system import IntegratedSystem

OK, FAILED, USAGE = 0, 1, 2

MOST = 2**63 - 1
"""The largest number that a database or an array can be asked for."""

_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "config": (Annotated[Path | None, typer.Option("--config", help="Configuration file.", metavar="FILE")], None),
    "state_dir": (
        Annotated[Path | None, typer.Option("--state-dir", help="Where the state lives.", metavar="DIR")],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")], False),
}


class UsageError(Exception):
    """A command line that cannot be understood."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True)
class Context:
    """What a command is given."""

    config: Path | None
    state_dir: Path | None
    json: bool
    debug: bool
    invoked_subcommand: str | None = None
    _system: "IntegratedSystem | None" = None

    @property
    def system(self) -> "IntegratedSystem":
        """The system, built at the first use, with logging as configured."""
        if self._system is None:
            from integrated_system import IntegratedSystem
            from operations.logs import start_logging

            self._system = IntegratedSystem(self.config, state_dir=self.state_dir)
            start_logging(self._system, level="DEBUG" if self.debug else None)
            gc.freeze()  # what is loaded by now stays: the garbage collector need not walk through it again and again
        return self._system

    def redacted(self, text: str) -> str:
        """Without the secrets of the configuration, as far as that was read: an error may hold what a provider said."""
        loaded: Loaded | None = None if self._system is None else self._system.__dict__.get("loaded")
        return text if loaded is None else loaded.known.redacted(text)

    def close(self) -> None:
        if self._system is not None:
            from operations.logs import stop_logging

            self._system.close()
            stop_logging()
            self._system = None


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Register a function as a command; what it returns is the exit code (None: 0)."""

    def register(function: Callable[..., int | None]) -> Callable[..., None]:
        wrapped = with_options(function)
        app.command(name or function.__name__.replace("_", "-"))(wrapped)
        return wrapped

    return register


def with_options(function: Callable[..., int | None]) -> Callable[..., None]:
    """Add the shared options to a function of a `Context`, and run it under the shared error handling."""

    @wraps(function)
    def run(typer_context: typer.Context, **given: Any) -> None:
        chosen = {name: given.pop(name) or _given_before(typer_context, name) for name in _OPTIONS}
        context = Context(**chosen, invoked_subcommand=typer_context.invoked_subcommand)
        with told(context):
            code = function(context, **given)
            sys.stdout.flush()
        if code:
            raise typer.Exit(code)

    own = [p for p in inspect.signature(function).parameters.values() if p.name != "context"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
    ]
    asked = inspect.Parameter("typer_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [asked, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function takes any attribute
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _given_before(inner: typer.Context, name: str) -> Any:
    """What a shared option was set to before the command's name; else its default."""
    context = inner.parent
    while context is not None:
        if value := context.params.get(name):
            return Path(value) if _OPTIONS[name][1] is None else value
        context = context.parent
    return _OPTIONS[name][1]


@contextmanager
def told(context: Context) -> Iterator[None]:
    """Whatever goes wrong is told in words (or as JSON), with the exit code of the contract."""
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt as stop:
        raise typer.Exit(128 + signal.SIGINT) from stop
    except BrokenPipeError as stop:
        drop_output()  # who read us has enough (`| head`)
        raise typer.Exit(OK) from stop
    except Exception as error:
        if context.debug:
            import traceback

            print(context.redacted("".join(traceback.format_exception(error))), end="", file=sys.stderr)
        if isinstance(error, OSError) and error.filename is None:  # the stores name their file, and have own errors
            drop_output()
            tell(OutputLost(f"standard output cannot be written: {error.strerror or error}"), json=False)
        else:
            tell(error, json=context.json, redacted=context.redacted)
        raise typer.Exit(exit_code(error)) from error
    finally:
        context.close()


def exit_code(error: Exception) -> int:
    """2 for wrong usage or configuration, else 1."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return USAGE if names & {"ConfigError", "UsageError"} else FAILED


def tell(error: Exception, *, json: bool, redacted: Callable[[str], str] = str) -> None:
    """Say what went wrong, and what to do: to people on standard error, to programs as JSON on standard output."""
    known = hasattr(error, "hint")
    message = redacted(str(error) if known else f"internal error: {type(error).__name__}: {error}")
    hint = redacted(getattr(error, "hint", "")) or ("" if known else "run again with --debug and report what it shows")
    if json:
        told: dict[str, Any] = {"type": type(error).__name__, "message": message, "hint": hint}
        told["transient"] = bool(getattr(error, "transient", False))
        for name in ("refused_by", "retry_after"):
            if (value := getattr(error, name, None)) is not None:
                told[name] = value
        print_json({"error": told})
        return
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"{red}error:{plain} {printable(message)}", file=sys.stderr)
    if hint and hint not in message:
        print(f"  {printable(hint)}", file=sys.stderr)
