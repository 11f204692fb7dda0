"""Pieces of tables again, and missing ones: `backfill`, the group `backfills`, and `partitions`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.backfill_progress import progress
from cli.command import FAILED, OK, Context, UsageError, command
from cli.output import print_json, print_json_line, say, table

if TYPE_CHECKING:
    from operations.backfill_plan import Plan
    from operations.backfill_result import Result

Dataset = Annotated[str, typer.Argument(help="The dataset.", show_default=False)]
Backfill = Annotated[str, typer.Argument(metavar="ID", help="The backfill.", show_default=False)]

MOST_LISTED = 20
"""Pieces that are named at the end of a backfill; `backfills show` has all."""


def register(app: typer.Typer) -> None:
    command(app)(backfill)
    command(app)(partitions)
    group = typer.Typer(help="Backfills: which there are, how they stand, go on, call off.", rich_markup_mode=None)
    command(group, "list")(list_all)
    command(group)(show)
    command(group)(resume)
    command(group)(cancel)
    app.add_typer(group, name="backfills")


def backfill(
    context: Context,
    dataset: Dataset,
    begin: Annotated[
        str | None, typer.Option("--from", help="Where the first piece begins; default: `partition.start`.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Where the first piece begins that is not wanted; default: now.")
    ] = None,
    partition: Annotated[
        list[str] | None, typer.Option("--partition", metavar="KEY", help="These pieces; may be given several times.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="STATE", help="missing, failed or held; several times for several. Default: all."
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Pieces at once; default: half of what the provider may have, at most 4."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it costs.")] = False,
) -> int:
    """Collect pieces of a table again, or those that are missing; each takes its own place, the others stay."""
    from operations.actor import local_user
    from operations.backfill import nothing, start
    from operations.backfill_plan import plan

    system = context.system
    planned = plan(
        system, dataset, begin=begin, end=end, keys=partition or (), only=only or (), concurrency=concurrency
    )
    if dry_run:
        _print_plan(context, planned)
        return OK
    if not planned.pieces:
        if context.json:
            print_json_line({"event": "result", **nothing(system, planned).to_json()})
        else:
            _print_plan(context, planned)
        return OK
    identity = start(system, local_user(), planned)
    if not context.json:
        _print_plan(context, planned, identity)
    return _work(context, identity, len(planned.pieces))


def resume(context: Context, backfill: Backfill) -> int:
    """Go on with a backfill that was broken off, from where it stopped; or follow it, where another process does."""
    from operations.backfill import found

    return _work(context, backfill, found(context.system, backfill).waiting)


def cancel(
    context: Context, backfill: Backfill, reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = ""
) -> int:
    """Collect nothing more of a backfill. What is stored stays."""
    from operations.actor import local_user
    from operations.backfill import call_off

    result = call_off(context.system, local_user(), backfill, reason=reason)
    if context.json:
        print_json(result.to_json())
    else:
        say(f"backfill {backfill} cancelled: {result.waiting:,} of {result.total:,} pieces are not collected")
    return OK


def list_all(
    context: Context,
    dataset: Annotated[str | None, typer.Argument(help="Of this dataset; default: of all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest.")] = 20,
) -> int:
    """Backfills, newest first."""
    from operations.backfill import listed
    from operations.words import moment

    found = listed(context.system, dataset, limit=limit)
    if context.json:
        print_json({"backfills": [one.to_json() for one in found]})
        return OK
    if not found:
        say("No backfill yet: `backfill DATASET --from 2024-01-01 --to 2024-02-01 --dry-run` shows what one would do")
        return OK
    table(
        ("backfill", "dataset", "status", "started", "there", "held", "failed", "waiting", "rows"),
        [
            (
                one.id,
                one.dataset,
                "paused" if one.paused_until else one.status,
                moment(one.started_at),
                *(f"{count:,}" for count in (one.collected, one.held, one.failed, one.waiting, one.rows)),
            )
            for one in found
        ],
        right=("there", "held", "failed", "waiting", "rows"),
    )
    return OK


def show(context: Context, backfill: Backfill) -> int:
    """How a backfill stands, and what became of the pieces that are not there."""
    from operations.backfill import result_of

    result = result_of(context.system, backfill)
    if context.json:
        print_json(result.to_json())
    else:
        _print_result(result, most=len(result.pieces))
    return OK


def partitions(
    context: Context,
    dataset: Dataset,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STATE", help="collected, held, failed or missing; several times for several."),
    ] = None,
) -> int:
    """The pieces of a table: which are there, missing, failed, held, and what brought them."""
    from operations.partitions import STATES
    from operations.partitions import partitions as ask
    from operations.words import moment

    if unknown := [one for one in only or () if one not in STATES]:
        raise UsageError(f"--only: {unknown[0]!r} is no state", hint=f"say {', '.join(STATES)}")
    found = ask(context.system, dataset, tuple(only or ()))
    if context.json:
        print_json(found.to_json())
        return OK
    table(
        ("partition", "state", "rows", "version", "since", "why"),
        [
            (
                one.key,
                one.state + (" (older rows are there)" if one.stands and one.state in {"failed", "held"} else ""),
                "-" if one.rows is None else f"{one.rows:,}",
                one.version or "-",
                moment(one.time) if one.time else "-",
                one.reason,
            )
            for one in found.pieces
        ],
        right=("rows",),
    )
    say(", ".join(f"{count:,} {state}" for state, count in found.counts.items() if count) or "no piece is complete yet")
    if any(found.counts[state] for state in ("missing", "failed")):
        say(f"`backfill {dataset} --only missing --only failed` collects what is not there")
    return OK


def _print_plan(context: Context, plan: "Plan", identity: str = "") -> None:
    from operations.words import count_of, duration, listed

    if context.json:
        print_json(plan.to_json())
        return
    if not plan.pieces:
        say(f"{plan.dataset}: nothing to collect: no piece is {' or '.join(plan.only)}")
        return
    first, last = plan.pieces[0], plan.pieces[-1]
    which = first if first == last else f"{first} to {last}"
    states = ", ".join(f"{count:,} {state}" for state, count in plan.states.items())
    what = f"backfill {identity} begins" if identity else "a backfill would collect"
    say(f"{plan.dataset}: {what}: {count_of(len(plan.pieces), 'piece')}, {which}")
    say(f"  until now: {states}")
    words = {
        "before_start": "before `partition.start`",
        "incomplete": "not complete yet",
        "other_state": "in another state",
    }
    for why, keys in plan.left_out.items():
        say(f"  left out: {listed(list(keys))}, {words[why]}")
    requests, at_once = count_of(plan.requests, "request"), f"{plan.concurrency} at once"
    took = "" if plan.duration_s is None else f", about {duration(plan.duration_s)}"
    say(f"  about {requests} of {plan.provider}, {at_once}{took}")
    for note in plan.notes:
        say(f"  note: {note}")


def _work(context: Context, identity: str, waiting: int) -> int:
    """Work a backfill off here, or follow the process that does; gives the exit code."""
    from cli.run_commands import interruptible, leave
    from operations.actor import local_user
    from operations.backfill import go_on, result_of, stopping
    from operations.backfill_service import follow
    from operations.scheduling import is_led

    system, token = context.system, stopping()
    other = is_led(system) if result_of(system, identity).finished_at is None else ""
    with interruptible(token.cancel) as stopped, progress(context, waiting) as told:
        if other:
            _beside(context, f"{other} works it off; Ctrl-C leaves it at work")
            result = follow(system, identity, cancel=token, told=_followed(context))
        else:
            result = go_on(system, local_user(), identity, cancel=token, told=told)
    if context.json:
        print_json_line({"event": "result", **result.to_json()})
    else:
        # Whoever worked it off here was told of each piece on the way.
        _print_result(result, most=MOST_LISTED if other else 0)
    if stopped:
        leave(context, 128 + stopped[0])
    return OK if result.status == "succeeded" else FAILED


def _beside(context: Context, words: str) -> None:
    if not context.json:
        say(words)


def _followed(context: Context) -> Callable[["Result"], None]:
    """Says how a backfill stands that another process works off."""

    def told(result: "Result") -> None:
        if context.json:
            print_json_line({"event": "progress", **result.to_json()})
        else:
            say(f"{result.total - result.waiting:,} of {result.total:,} pieces" + _paused(result))
            sys.stdout.flush()

    return told


def _paused(result: "Result") -> str:
    return f"; paused until {result.paused_until[11:16]} UTC: {result.reason}" if result.paused_until else ""


def _print_result(result: "Result", *, most: int) -> None:
    from operations.words import count_of

    for piece in result.pieces[:most]:
        way = f" (`accept {result.dataset} {piece['version']}`)" if piece["state"] == "held" else ""
        say(f"{piece['partition']}: {piece['state']}: {piece['reason']}{way}")
    if 0 < most < len(result.pieces):
        say(f"and {len(result.pieces) - most:,} more: `backfills show {result.id}`")
    counts = {"there": result.collected, "held": result.held, "failed": result.failed, "waiting": result.waiting}
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "nothing"
    say(f"backfill {result.id} {result.status}: {told}; {count_of(result.rows, 'row')}{_paused(result)}")
    for attempt in result.publications:
        say(attempt.words)
    if result.status == "interrupted":
        say(f"`backfills resume {result.id}` goes on with it")
    elif result.failed:
        say(f"`backfill {result.dataset} --only failed` collects what failed")
