"""The group `quarantine`: rows that broke a rule, with their reasons; put back, or given up."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.command import FAILED, MOST, OK, Context, UsageError, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.replay import Replayed

SHOWN = 500
"""Rows that a table shows unless told otherwise."""

MOST_REASONS = 3

Dataset = Annotated[str, typer.Argument(help="The dataset.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Rows that broke a rule, with their reasons.", rich_markup_mode=None)
    command(group, "list")(list_all)
    command(group)(show)
    command(group)(replay)
    command(group)(drop)
    app.add_typer(group, name="quarantine")


def list_all(
    context: Context, dataset: Annotated[str | None, typer.Argument(help="The dataset; default: all.")] = None
) -> int:
    """What was set aside, newest first: what waits, what was replayed, what was dropped."""
    from operations.quarantine import listed

    found = listed(context.system, dataset)
    if context.json:
        print_json({"quarantine": [entry.to_json() for entry in found]})
        return OK
    if not found:
        say("Nothing is in quarantine.")
        return OK
    table(
        ("dataset", "run", "state", "rows left", "replayed", "dropped", "reasons"),
        [
            (e.dataset, e.run_id, e.state, f"{e.rows:,}", f"{e.replayed:,}", f"{e.dropped:,}", _reasons(e.reasons))
            for e in found
        ],
        right=("rows left", "replayed", "dropped"),
    )
    return OK


def show(
    context: Context,
    dataset: Dataset,
    run_id: Annotated[str | None, typer.Option("--run", help="Of this run; default: the newest.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help=f"So many rows, chosen over all of them; default: {SHOWN} in a table, else all."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rows, also in a table.")] = False,
    format: Annotated[
        Literal["table", "csv", "json", "parquet", "arrow"] | None,
        typer.Option(help="How; default: a table, or what the suffix of --output says."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> int:
    """The quarantined rows, each with the rules it broke and its place in the batch."""
    from cli.rows import wanted, write_batches
    from operations.quarantine import rows

    if every and limit is not None:
        raise UsageError("--all does not go with --limit", hint="leave one of them out")
    chosen = wanted(format, output, json=context.json)
    if limit is None and not every and chosen == "table":
        limit = SHOWN
    found = rows(context.system, dataset, run_id, limit=limit)
    write_batches(found.schema, found.batches(), format=chosen, output=output)
    if found.count < found.of:
        words = f"showing {found.count:,} of {found.of:,} rows; all with --all or --output"
        print(words, file=sys.stdout if chosen == "table" else sys.stderr)
    return OK


def replay(
    context: Context,
    dataset: Dataset,
    run_id: Annotated[str | None, typer.Option("--run", help="Of this run only; default: all that wait.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Rows that `show --output` wrote, with cells mended; only these are replayed."),
    ] = None,
    reason: Reason = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also old rows beside newer ones, and what the gate would hold.")
    ] = False,
) -> int:
    """Put quarantined rows under the rules as they are now: those that pass join the dataset."""
    from operations.actor import local_user
    from operations.replay import replay as do

    found = do(context.system, local_user(), dataset, run_id, file=file, reason=reason, force=force)
    if context.json:
        print_json(found.to_json())
        return OK
    for one in found.replays:
        say(_told(one))
    if not found.replays:
        say(f"{dataset}: nothing waits in quarantine" + (" any more of what the file has" if file else ""))
    for attempt in found.publications:
        if attempt.error is not None:
            say(attempt.words)
    return OK


def drop(
    context: Context,
    dataset: Dataset,
    run_id: Annotated[str | None, typer.Option("--run", help="Of this run only; default: all that wait.")] = None,
    rules: Annotated[
        list[str] | None, typer.Option("--rules", metavar="ID", help="Only rows that broke this rule; repeatable.")
    ] = None,
    reason: Reason = "",
) -> int:
    """Give up quarantined rows for good."""
    from operations.actor import local_user
    from operations.quarantine import drop as do

    found = do(context.system, local_user(), dataset, run_id, rules=rules or (), reason=reason)
    if context.json:
        print_json(found.to_json())
        return OK
    for run, count, left in found.runs:
        say(f"run {run}: {count:,} {_rows(count)} dropped, {left:,} left")
    return OK if found.rows else FAILED


def _told(one: "Replayed") -> str:
    if one.skipped:
        return f"run {one.run_id}: not replayed: {one.skipped}"
    words = f"run {one.run_id}: {one.replayed:,} {_rows(one.replayed)} replayed, {one.accepted:,} accepted"
    words += f", {one.failing:,} still failing, {one.left:,} left in quarantine"
    if one.left and one.reasons:
        words += f" ({_reasons(one.reasons)})"
    if one.missing:
        words += f"; {one.missing:,} {_rows(one.missing)} of the file wait there no more"
    return words


def _reasons(reasons: dict[str, int]) -> str:
    told = [f"{rule}: {count:,}" for rule, count in list(reasons.items())[:MOST_REASONS]]
    return ", ".join([*told, *(["…"] if len(reasons) > MOST_REASONS else [])])


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"
