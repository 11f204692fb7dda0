"""The command `monitor`: this machine, watched until stopped."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import drop_output, print_json, print_json_line, say, table
from cli.stopping import stopped_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitoring.progressive import ProgressiveMonitor
    from operations.monitor import Shown

COLUMNS = ("host", "now", "state", "mean (10 min)", "in an hour")
RIGHT = ("now", "mean (10 min)", "in an hour")
COLOURS = {"stable": "green", "warning": "yellow", "critical": "red"}

DRAWN_EVERY_S = 2.0
"""Seconds between two drawings: they cost more than the looking."""


def register(app: typer.Typer) -> None:
    command(app)(monitor)


def monitor(
    context: Context,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="IDLE, NORMAL, INTENSIVE or CRITICAL; default: as configured.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and say how it stands.")] = False,
) -> int:
    """Watch this machine until stopped: the more closely the worse it stands."""
    return _once(context, level) if once else _watch(context, level)


def _once(context: Context, level: str | None) -> int:
    from operations.host_words import rows
    from operations.monitor import look_once

    seen, report = look_once(context.system, level=level)
    if context.json:
        print_json({"snapshot": seen.to_json(), "report": report.to_json()})
    else:
        table(COLUMNS, rows(seen, report), right=RIGHT)
    return OK


def _watch(context: Context, level: str | None) -> int:
    from operations.monitor import watching

    with _shown(context) as show:
        left = False

        def told(one: "Shown") -> None:
            nonlocal left
            try:
                show(one)
            except BrokenPipeError:  # who reads us has enough (`| head`)
                if not left:
                    left = True
                    drop_output()
                    everything.stop()

        everything = watching(context.system, level=level, told=told)
        with stopped_by_signals(everything) as came:
            everything.run()
    if came:
        from cli.run_commands import leave

        leave(context, 128 + came[0])
    return OK


@contextmanager
def _shown(context: Context) -> "Iterator[Callable[[Shown], None]]":
    """JSON lines with `--json`; a table drawn anew on a terminal; else a line a report, and one for what happens."""
    if context.json:
        from operations.monitor import shown_json

        yield lambda one: print_json_line(shown_json(one))
    elif sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        yield from _drawn(context.system.progressive)
    else:
        yield _Lines(context.system.progressive).told


class _Lines:
    """The watch where nobody looks at a screen: the first look, then a line a report, and one for all that happens."""

    def __init__(self, monitor: "ProgressiveMonitor") -> None:
        self._monitor = monitor
        self._began = False

    def told(self, one: "Shown") -> None:
        """Say it, if it is worth a line."""
        from operations.monitor import Snapshot

        if not isinstance(one, Snapshot):
            say(f"{_clock(self._monitor)} {one.words()}")
        elif not self._began:
            self._began = True
            say(f"{_clock(self._monitor)} {self._monitor.report().words()}")
        else:
            return
        sys.stdout.flush()


def _drawn(monitor: "ProgressiveMonitor") -> "Iterator[Callable[[Shown], None]]":
    from rich import box
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from operations.host_words import rows
    from operations.monitor import Report, Snapshot

    drawn_at = float("-inf")

    def drawing(seen: Snapshot) -> Group:
        report = monitor.report()
        found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in COLUMNS:
            found.add_column(column, justify="right" if column in RIGHT else "left")
        for row in rows(seen, report):
            found.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
        return Group(Text(report.words()), found)

    with Live(console=Console(), auto_refresh=False, transient=False) as live:

        def told(one: "Shown") -> None:
            nonlocal drawn_at
            if isinstance(one, Snapshot):
                if one.at - drawn_at >= DRAWN_EVERY_S:
                    drawn_at = one.at
                    live.update(drawing(one), refresh=True)
            elif not isinstance(one, Report):
                drawn_at = float("-inf")  # what happens is shown at the next look; its line comes from the log

        yield told


def _clock(monitor: "ProgressiveMonitor") -> str:
    seen = monitor.latest
    return "" if seen is None else seen.time.astimezone().strftime("%H:%M:%S")
