"""How a backfill tells of its progress: a bar on a terminal, lines elsewhere, JSON lines for programs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.command import Context
from cli.output import print_json_line, say

if TYPE_CHECKING:
    from data_pipeline.backfill.commit import Done
    from operations.backfill import Told

__all__ = ["progress"]


@contextmanager
def progress(context: Context, waiting: int) -> Iterator["Told"]:
    """A bar on a terminal; JSON lines with `--json`; else a line for each piece that is not simply there, and for
    every tenth of the way."""
    if context.json:
        yield lambda one: print_json_line(_line(one))
    elif sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        yield from _bar(waiting)
    else:
        yield _Lines(waiting).told


def _bar(waiting: int) -> Iterator["Told"]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("collecting", total=waiting)

        def told(one: "Done | str") -> None:
            if isinstance(one, str):
                bar.update(task, description=one[:60])
            else:
                bar.update(task, advance=1, description=one.key)
                if one.state != "collected":
                    bar.console.print(_words(one), markup=False, highlight=False)

        yield told


class _Lines:
    """Progress where nobody looks at a screen: in logs and pipes."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def told(self, one: "Done | str") -> None:
        """Say it, if it is worth a line."""
        if isinstance(one, str):
            say(one)
            return
        before, self._done = self._done, self._done + 1
        if one.state != "collected":
            say(_words(one))
        if before * 10 // self._total != self._done * 10 // self._total:
            say(f"{self._done:,} of {self._total:,} pieces")
        sys.stdout.flush()


def _words(one: "Done") -> str:
    return f"{one.key}: {one.state}: {one.reason}" + (
        f" ({one.hint})" if one.hint and one.hint not in one.reason else ""
    )


def _line(one: "Done | str") -> dict[str, Any]:
    if isinstance(one, str):
        return {"event": "paused", "reason": one}
    found = {"event": one.state, "partition": one.key, "rows": one.rows, "version": one.version}
    return found if one.state == "collected" else {**found, "reason": one.reason, "hint": one.hint}
