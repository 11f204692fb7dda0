"""Commands that look: `status show health events metrics`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import consumer_commands
from cli.command import FAILED, MOST, OK, Context, UsageError, command, with_options
from cli.output import marked, print_json, print_json_line, say, table

if TYPE_CHECKING:
    from operations.status import DatasetStatus
    from utils.events import Event


def register(app: typer.Typer) -> None:
    for function in (status, health, show, metrics):
        command(app)(function)
    events_app = typer.Typer(help="The log: what happened, provably.", rich_markup_mode=None)
    events_app.callback(invoke_without_command=True)(with_options(events))
    command(events_app)(verify)
    consumer_commands.register(events_app)
    app.add_typer(events_app, name="events")


def status(
    context: Context,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As it was at this time, RFC 3339.")] = None,
) -> int:
    """Is everything all right? One sentence, then every dataset, worst first."""
    return show_status(context, as_of)


MOST_LINES = 25
"""A status must fit on a screen, also with sixty datasets."""

MOST_REASONS = 3
MOST_INCIDENTS = 3


def show_status(context: Context, as_of: str | None = None) -> int:
    from operations.status import status as ask
    from operations.words import listed, moment

    found = ask(context.system, as_of=as_of)
    if context.json:
        print_json(found.to_json())
        return OK
    if found.as_of:
        say(f"as of {moment(found.as_of)}:")
    say(found.sentence)
    say()
    _say_datasets(found.datasets)
    if waiting := [d.dataset for d in found.datasets if d.held]:
        one = waiting[0] if len(waiting) == 1 else "NAME"
        say(f"held, waiting for you: {listed(waiting)}: `show {one} --batch`, then `accept {one}` or `reject {one}`")
    if stopped := [d.dataset for d in found.datasets if d.blocked and d.status != "never ran"]:
        one = stopped[0] if len(stopped) == 1 else "NAME"
        say(f"blocked by what they depend on: {listed(stopped)}; `why {one}` names it")
    for consumer in found.consumers:
        if consumer.attempts:
            say(f"{consumer.name} waits since event {consumer.failed} ({consumer.attempts} tries): {consumer.error}")
    if found.network_away_since:
        say(f"our own network is away since {moment(found.network_away_since)}: no circuit counts what fails meanwhile")
    if found.incidents:
        named = ", ".join(f"{one.id} ({one.about}, {one.severity})" for one in found.incidents[:MOST_INCIDENTS])
        more = f" and {len(found.incidents) - MOST_INCIDENTS} more" if len(found.incidents) > MOST_INCIDENTS else ""
        count = len(found.incidents)
        say(f"{count} incident{' is' if count == 1 else 's are'} open: {named}{more}; see `alerts list`")
    for provider, breaker in list(found.breakers.items())[:3]:
        held = "held " if breaker.get("held") else ""
        say(f"circuit of {provider} is {held}{breaker['state'].replace('_', ' ')}: {breaker['reason']}")
    if found.last_run:
        because = found.last_run["because"]
        # Its end says nothing about what is due, so that all may be well when it failed.
        older = f", of backfill {because['schedule']}" if because["kind"] == "backfill" else ""
        say(f"last run {found.last_run['run_id']}: {found.last_run['status']}{older}")
    return OK


def _say_datasets(datasets: "Sequence[DatasetStatus]") -> None:
    """A line for each of the worst, then why they are not as they should be."""
    from operations.words import about, duration

    short = [(d.dataset, d.objective.trouble) for d in datasets if d.objective and d.objective.trouble]
    short = short[:MOST_REASONS]
    shown = datasets[: MOST_LINES - 13 - len(short)]
    objective = ("objective",) if any(d.objective for d in datasets) else ()
    table(
        ("dataset", "status", "origin", "rows", "score", "copy age", "data age", *objective),
        [
            (
                d.dataset,
                marked(d.status),
                d.origin,
                f"{d.rows:,}",
                "-" if d.score is None else f"{d.score:g}",
                "-" if d.age_s is None else duration(d.age_s),
                "-" if d.data_age_s is None else duration(d.data_age_s),
                *(d.objective.state if d.objective else "-" for _ in objective),
            )
            for d in shown
        ],
        right=("rows", "score", "copy age", "data age"),
    )
    if len(datasets) > len(shown):
        rest = datasets[len(shown) :]
        say(f"… and {len(rest)} more, all {rest[0].status} or better (see --json)")
    troubled = [d for d in datasets if (d.status in {"failed", "degraded"} or d.at_risk) and d.reason]
    for d in troubled[:MOST_REASONS]:
        say(about(d.dataset, str(d.reason)))
    if len(troubled) > MOST_REASONS:
        say(f"… and {len(troubled) - MOST_REASONS} more are not as they should be; `why NAME` tells why")
    elif troubled:
        say(f"what changed, and what to do: `why {troubled[0].dataset if len(troubled) == 1 else 'NAME'}`")
    for name, words in short:
        say(f"{name}: {words}")


def health(context: Context) -> int:
    """Is the system itself well? Exits 1 when it is not; degraded data is still healthy."""
    from operations.health import health as ask

    found = ask(context.system)
    if context.json:
        print_json(found.to_json())
    else:
        explained = {c.name: f" (explained by {c.explained_by})" for c in found.checks if c.explained_by}
        told = [(c.name, "yes" if c else "NO", c.detail + explained.get(c.name, "")) for c in found.checks]
        table(("check", "healthy", "detail"), told)
    return OK if found.healthy else FAILED


def show(
    context: Context,
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    batch: Annotated[bool, typer.Option("--batch", help="The batch collected last, held or accepted.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Rows to print; default: 20 on a terminal, else all.")
    ] = None,
    format: Annotated[
        Literal["table", "csv", "json", "parquet", "arrow"] | None,
        typer.Option(help="How to write the rows; default: a table, or what the suffix of --output says."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> int:
    """The rows that readers of a dataset get."""
    from cli.rows import wanted, write
    from operations.show import delivered, instead

    chosen = wanted(format, output, json=context.json)
    if not batch and (words := instead(context.system, dataset)):
        print(f"{dataset}: {words}", file=sys.stderr)
    write(delivered(context.system, dataset, last_batch=batch), format=chosen, output=output, limit=limit)
    return OK


def events(
    context: Context,
    type: Annotated[str | None, typer.Option(help="Only this type; `batch.*` for several.")] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only of this dataset, run or provider.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339 time, e.g. 2026-11-20T08:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339 time, exclusive.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="The newest so many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new events until stopped.")] = False,
) -> int:
    """The newest events, oldest of them first."""
    if context.invoked_subcommand is not None:
        return OK
    from operations import events as log

    if follow:
        if until is not None:
            raise UsageError("--until does not go with --follow", hint="leave one of them out")
        for event in log.follow(context.system, type=type, source=source, subject=subject, since=since, limit=limit):
            _print_event(context, event)
            sys.stdout.flush()
    found = log.recent(context.system, type=type, source=source, subject=subject, since=since, until=until, limit=limit)
    if context.json:
        print_json({"events": [event.to_json() for event in found]})
        return OK
    for event in found:
        _print_event(context, event)
    if not found:
        say("No event fits.")
    return OK


def verify(
    context: Context,
    head: Annotated[str | None, typer.Option(metavar="SEQ:HASH", help="A head that was kept elsewhere.")] = None,
) -> int:
    """Recompute the hash chain; exits 1 when an event was changed, removed or inserted."""
    from operations.events import verify as ask

    found = ask(context.system, head=head)
    if context.json:
        print_json(found.to_json())
    elif found.fault:
        print(f"tampered or damaged: {found.fault}", file=sys.stderr)
    else:
        signed = "" if found.signed_from is None else f", signed from {found.signed_from:,} on"
        say(f"{found.events:,} events, the chain is whole{signed}; head {found.head}")
    return FAILED if found.fault else OK


def metrics(
    context: Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="For a table: a dataset, a figure of it, a number of yours."),
    ] = None,
    format: Annotated[
        Literal["json", "prometheus", "table"], typer.Option(help="How to write them; table: figures over time.")
    ] = "prometheus",
) -> int:
    """The state as numbers for programs; as a table how the figures were spread lately: median, P95, P99."""
    from operations import metrics as ask

    if format == "table":
        return _spread(context, names or [])
    if names:
        raise UsageError("only a table shows figures by name", hint="add `--format table`")
    if format == "json" or context.json:
        print_json(ask.as_json(context.system))
    else:
        sys.stdout.write(ask.as_prometheus(context.system))
    return OK


def _spread(context: Context, names: Sequence[str]) -> int:
    from operations.spread import spread

    found = spread(context.system, names)
    if context.json:
        print_json({"figures": [one.to_json() for one in found]})
        return OK
    if not found:
        say("There is no history yet: `run` makes some.")
        return OK
    numbers = ("mean", "least", "median", "p95", "p99", "greatest")
    rows = [
        (
            one.series,
            f"{one.count:,}",
            *(f"{value:.5g}" for value in (one.mean, one.least, one.p50, one.p95, one.p99, one.greatest)),
        )
        for one in found
    ]
    table(("figure", "points", *numbers), rows, right=("points", *numbers))
    return OK


_SAYS = ("reason", "over", "status", "sink", "step")  # what ends an event's line: the first of them that its data has


def _print_event(context: Context, event: "Event") -> None:
    if context.json:
        print_json_line(event.to_json())
    else:
        reason = next((text for key in _SAYS if (text := event.data.get(key))), "")
        error = event.data.get("error") or ""
        if isinstance(error, dict):
            error = error.get("message") or ""
        if error and str(error) not in str(reason):
            reason = f"{reason}: {error}" if reason else str(error)
        say(f"{event.seq:>7}  {event.time[:19]}Z  {event.type:<20} {event.subject:<24} {reason}"[:200].rstrip())
