"""Commands about who follows the log: `events consumers`, `events retry`, `events forget`."""

from typing import Annotated

import typer

from cli.command import MOST, OK, Context, command
from cli.output import print_json, say, table


def register(events: typer.Typer) -> None:
    for function in (consumers, retry, forget):
        command(events)(function)


def consumers(context: Context) -> int:
    """Who follows the log, how far each is behind, and what it could not take."""
    from operations import events as log
    from operations.words import duration

    found, parked = log.consumers(context.system), log.parked(context.system)
    if context.json:
        print_json({"consumers": [one.to_json() for one in found], "parked": [one.to_json() for one in parked]})
        return OK
    if not found:
        say("Nobody follows the log.")
        return OK
    table(
        ("consumer", "wants", "at", "behind", "for", "runs", "parked"),
        [
            (
                one.name,
                one.pattern,
                f"{one.seq:,}",
                f"{one.behind:,}",
                duration(one.behind_s) if one.behind else "-",
                "yes" if one.running else "no",
                f"{one.parked:,}",
            )
            for one in found
        ],
        right=("at", "behind", "parked"),
    )
    for one in found:
        if one.attempts:
            say(f"{one.name}: event {one.failed} failed {one.attempts} times: {one.error}")
    for event in parked:
        say(f"{event.consumer}: event {event.seq} is parked since {event.time}: {event.error}")
    return OK


def retry(
    context: Context,
    consumer: Annotated[str, typer.Argument(help="The consumer.")],
    event: Annotated[int | None, typer.Option(min=1, max=MOST, help="Only this event, by its position.")] = None,
) -> int:
    """Have a consumer try the events once more that it parked."""
    from operations.actor import local_user
    from operations.events import retry as ask

    count = ask(context.system, local_user(), consumer, event=event)
    if context.json:
        print_json({"consumer": consumer, "events": count})
    else:
        say(f"{consumer} tries {count:,} event{'s' * (count != 1)} once more, as soon as it runs.")
    return OK


def forget(context: Context, consumer: Annotated[str, typer.Argument(help="The consumer.")]) -> int:
    """Remove the cursor of a consumer that will not come back."""
    from operations.actor import local_user
    from operations.events import forget as ask

    ask(context.system, local_user(), consumer)
    if context.json:
        print_json({"consumer": consumer, "forgotten": True})
    else:
        say(f"{consumer} is forgotten: should it come back, it begins anew.")
    return OK
