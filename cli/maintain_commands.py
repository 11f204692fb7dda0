"""Commands that keep house: `maintain`, and the group `config`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.command import FAILED, OK, Context, command
from cli.output import print_json, say, table


def register(app: typer.Typer) -> None:
    command(app)(maintain)
    config = typer.Typer(help="The configuration: check it, see it, start one.", rich_markup_mode=None)
    command(config, "check")(check)
    command(config, "show")(show)
    command(config, "init")(init)
    app.add_typer(config, name="config")


def maintain(
    context: Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Also rebuild the views from the log.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Rebuild them, and from the first event on, not from a snapshot.")
    ] = False,
) -> int:
    """Purge, prune, compact, verify, check; says what it freed. Exits 1 when something is not well."""
    from operations.actor import local_user
    from operations.maintain import maintain as do
    from operations.words import size

    done = do(context.system, local_user(), dry_run=dry_run, rebuild=rebuild, whole=whole)
    if context.json:
        print_json(done.to_json())
    else:
        rows = [(s.name, f"{s.count:,}", size(s.freed) if s.freed else "-", s.detail) for s in done.steps]
        table(("step", "count", "freed", "what"), rows, right=("count", "freed"))
        say(f"{'would free' if dry_run else 'freed'} {size(done.freed)}")
    return OK if done.well else FAILED


def check(context: Context) -> int:
    """Read the whole configuration and report every fault at once."""
    from operations.configuration import check as ask
    from operations.words import count_of

    found = ask(context.system)
    if context.json:
        print_json(found.to_json())
    else:
        datasets, providers = count_of(found.datasets, "dataset"), count_of(found.providers, "provider")
        say(f"{', '.join(found.files)}: {datasets}, {providers}, no fault found")
        for plugin in found.plugins:
            adds = [*plugin.event_types, *plugin.handlers, *plugin.metrics]
            say(f"plug-in {plugin.name}: {', '.join(adds) or 'adds nothing'}")
        for note in found.notes:
            say(f"note: {note}")
    return OK


def show(context: Context) -> int:
    """The effective configuration, secrets masked, with where each value came from."""
    from operations.configuration import shown

    found = shown(context.system)
    if context.json:
        print_json(found)
    else:
        table(("key", "value", "from"), [(e["key"], e["value"], e["origin"]) for e in found["values"]])
    return OK


def init(
    context: Context,
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("orchestrator.yaml"),
) -> int:
    """Write a first configuration of your own; never over an existing file."""
    from operations.configuration import init as write

    written = write(path)
    if context.json:
        print_json({"written": str(written)})
    else:
        say(f"wrote {written}; run it with `run --config {written}`")
    return OK
