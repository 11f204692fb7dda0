"""The group `runs`: which runs there are, what came of one, and calling one off."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import MOST, OK, Context, command
from cli.output import marked, print_json, say, table

if TYPE_CHECKING:
    from operations.runs import StoredRun

RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="The run, as `runs list` names it.", show_default=False)]


def register(app: typer.Typer) -> None:
    runs = typer.Typer(help="Runs that wait, are at work, or are over.", rich_markup_mode=None)
    command(runs, "list")(list_some)
    command(runs)(show)
    command(runs)(cancel)
    app.add_typer(runs, name="runs")


def list_some(
    context: Context,
    status: Annotated[str, typer.Option(help="Only those that are so: queued, running, failed, ...")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many.")] = 20,
) -> int:
    """The last runs, newest first; with `--status queued` in the order in which they are begun."""
    from operations.runs import runs

    found = runs(context.system, status=status or None, limit=limit)
    if context.json:
        print_json({"runs": [run.to_json() for run in found]})
    elif not found:
        say(f"No run is {status}." if status else "Nothing has run yet.")
    else:
        table(
            ("run", "status", "why", "by", "since", "took", "datasets"),
            [(one.run_id, one.status, why(one), one.actor, _since(one), _took(one), _what(one)) for one in found],
            right=("took",),
        )
    return OK


def show(context: Context, run_id: RunId) -> int:
    """One run, and what came of each of its datasets."""
    from operations.runs import show as do
    from operations.words import about

    found = do(context.system, run_id)
    if context.json:
        print_json(found.to_json())
        return OK
    run = found.run
    because = "" if run.because.kind == "asked" else f"{why(run)}, "
    say(f"run {run.run_id} {run.status}: {because}asked for by {run.actor}")
    if run.queued_at is not None:
        say(f"queued {_short(run.queued_at)}, priority {run.priority}")
    if run.started_at is not None:
        say(f"started {_short(run.started_at)}{f', took {_took(run)}' if run.duration_s is not None else ''}")
    if found.cancelled_by:
        say(f"cancelled by {found.cancelled_by}{f': {found.cancelled_because}' if found.cancelled_because else ''}")
    if run.crashes:
        say(f"its process died {'once' if run.crashes == 1 else f'{run.crashes} times'}")
    if run.error:
        say(run.error)
    if found.partitions:
        say(f"pieces: {', '.join(found.partitions)}")
    unfinished = "not over" if found.run.status == "running" else "waits"
    rows = [
        (part.dataset, marked(part.status) if part.status else unfinished, part.origin, f"{part.rows:,}")
        for part in found.parts
    ]
    table(("dataset", "status", "origin", "rows"), rows, right=("rows",))
    for part in found.parts:
        if part.reason:
            say(about(part.dataset, part.reason))
    return OK


def cancel(
    context: Context,
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
) -> int:
    """Call a run off: one that waits never begins; of one that runs what was finished is kept."""
    from operations.actor import local_user
    from operations.queue import cancel as do

    done = do(context.system, local_user(), run_id, reason=reason)
    if context.json:
        print_json(done.to_json())
    elif done.was == "running":
        say(f"run {run_id} is told to stop; what it has finished is kept")
    else:
        say(f"run {run_id} was {done.was} and goes on no more")
    return OK


def why(run: "StoredRun") -> str:
    """Why a run was asked for, in words."""
    because = run.because
    due = f" of {because.due:%Y-%m-%d %H:%M} UTC" if because.due is not None else ""
    of = f" {because.schedule}" if because.schedule else ""
    if because.kind == "schedule":
        return f"schedule{of}{due}"
    if because.kind in {"after", "on_file"}:
        return f"{'after' if because.kind == 'after' else 'file'} {because.what}".rstrip()
    return f"backfill{of}" if because.kind == "backfill" else "asked"


def _since(run: "StoredRun") -> str:
    return _short(run.started_at or run.queued_at or "")


def _took(run: "StoredRun") -> str:
    return "-" if run.duration_s is None else f"{run.duration_s:.2f} s"


def _what(run: "StoredRun") -> str:
    from operations.words import listed

    ended = ", ".join(f"{number} {status}" for status, number in run.counts.items() if number)
    return f"{listed(list(run.datasets))}{f' ({ended})' if ended else ''}"


def _short(moment: str) -> str:
    return moment[:19].replace("T", " ")
