"""The group `schedules`: when datasets are due; to pause that, and to let it go on."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import marked, print_json, say, table

if TYPE_CHECKING:
    from operations.schedules import Listing, Schedule

Names = Annotated[list[str] | None, typer.Argument(metavar="[DATASET]...", help="Whose; default: all.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="When datasets are due.", rich_markup_mode=None)
    command(group, "list")(list_all)
    command(group)(pause)
    command(group)(resume)
    app.add_typer(group, name="schedules")


def list_all(context: Context, datasets: Names = None) -> int:
    """When each dataset is due next, what came of it last, and what was skipped in the last day."""
    from operations.schedules import listed

    found = listed(context.system, datasets or [])
    if context.json:
        print_json(found.to_json())
    else:
        _print(found)
    return OK


def pause(
    context: Context,
    datasets: Names = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
) -> int:
    """Run nothing of these schedules until they are resumed. What lies in the pause is never made up for."""
    from operations.actor import local_user
    from operations.schedules import pause as do

    moved = do(context.system, local_user(), datasets or [], reason=reason)
    if context.json:
        print_json(moved.to_json())
    else:
        _tell("paused", moved.schedules, "already paused", moved.already)
    return OK


def resume(context: Context, datasets: Names = None) -> int:
    """Go on with these schedules, from their next due time on."""
    from operations.actor import local_user
    from operations.schedules import resume as do

    moved = do(context.system, local_user(), datasets or [])
    if context.json:
        print_json(moved.to_json())
    else:
        _tell("goes on" if len(moved.schedules) == 1 else "go on", moved.schedules, "not paused", moved.already)
        if moved.skipped:
            say(f"{moved.skipped:,} skipped that were due before")
    return OK


def _tell(verb: str, moved: tuple[str, ...], other: str, already: tuple[str, ...]) -> None:
    from operations.words import listed

    if moved:
        say(f"{listed(list(moved))}: {verb}")
    if already:
        say(f"{listed(list(already))}: {other}")
    if not moved and not already:
        say("No dataset has a schedule.")


def _print(found: "Listing") -> None:
    if not found.schedules:
        say("No dataset has a schedule. Give one `schedule: {every: 15m}`.")
        return
    rows = [
        (
            one.dataset,
            one.schedule,
            _next(one),
            "never ran" if one.status is None else marked(one.status),
            str(one.failures) if one.failures else "-",
            ", ".join(f"{number:,} {reason}" for reason, number in one.skipped.items()) or "-",
        )
        for one in found.schedules
    ]
    table(("dataset", "schedule", "next due", "last run", "failures", "skipped (1 day)"), rows, right=("failures",))
    for one in found.schedules:
        if one.overdue is not None:
            say(f"{one.dataset}: its window closed at {_short(one.overdue)} UTC without data")
    if found.led_by:
        say(f"{found.led_by} sees to them")
    elif any(one.paused_at is None for one in found.schedules):
        say("Nobody sees to them: start `schedule`, or have cron call `run --due`.")


def _next(one: "Schedule") -> str:
    if one.paused_at is not None:
        return f"paused by {one.paused_by}"
    if one.put_off is not None:
        return f"put off to {_short(one.put_off)} UTC ({one.put_off_for} is open)"
    if one.waits:
        return "now"
    if one.next_due is None:
        return "-"
    return f"{_short(one.next_due)} {one.zone}"


def _short(moment: str) -> str:
    return moment[:19].replace("T", " ")
