"""How results reach the terminal: JSON, tables, marks."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

MARKS = {"succeeded": "✓", "degraded": "≈", "failed": "✗", "skipped": "-", "never ran": "·"}
COLOURS = {"succeeded": "green", "degraded": "yellow", "failed": "red", "skipped": "dim", "never ran": "dim"}


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """The text with control characters spelled out: a provider's words must not command the terminal."""
    return text if text.isprintable() else text.translate(_CONTROLS)


class OutputLost(Exception):
    """What was asked for was done, but the result could not be printed."""

    hint = "the work itself is done and kept; `status` shows it"


def prepare_streams() -> None:
    """Standard streams that take whatever we print: daemons start us without any, old terminals know only ASCII."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def drop_output() -> None:
    """Send what is still in standard output's buffer nowhere: Python would fail to flush it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def print_json_line(value: Any) -> None:
    """One line of a stream of JSON."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def say(text: str = "") -> None:
    """A line for people on standard output."""
    sys.stdout.write(printable(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table as wide as its content on a terminal; plain aligned text elsewhere."""
    columns, right = [printable(column) for column in columns], [printable(column) for column in right]
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        _plain(columns, cells, right)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in cells:
        # Text, not markup: a provider's words must not be read as our formatting.
        drawn.add_row(*(Text(cell, style=COLOURS.get(cell.partition(" ")[2], "")) for cell in row))
    Console().print(drawn)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    widths = [max(len(line[i]) for line in (columns, *rows)) for i in range(len(columns))]
    for line in (columns, *rows):
        padded = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        )
        say("  ".join(padded).rstrip())


def marked(status: str) -> str:
    """A status with its sign, so that colour alone never carries the meaning."""
    return f"{MARKS.get(status, '?')} {status}"
