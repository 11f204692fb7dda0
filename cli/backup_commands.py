"""Commands that copy the state, put it back, and move it: `backup`, `restore`, `migrate`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.command import FAILED, OK, Context, UsageError, command
from cli.output import print_json, say


def register(app: typer.Typer) -> None:
    command(app)(backup)
    command(app)(restore)
    command(app)(migrate)


def backup(
    context: Context,
    to: Annotated[Path | None, typer.Argument(help="A new file, or a folder to put it in.")] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", help="Only prove a backup that was made.", metavar="FILE")
    ] = None,
) -> int:
    """Copy the state into one file while it is used, and prove it. Exits 1 when a version in it is damaged."""
    from operations.actor import owner
    from operations.backup import backup as make
    from operations.backup import verify_backup
    from operations.words import count_of, size

    if (to is None) == (verify is None):
        raise UsageError("backup: name either where to, or --verify FILE", hint="for example `backup /var/backups`")
    done = make(context.system, owner(), to) if to is not None else verify_backup(context.system, verify or Path())
    found = done.found
    if context.json:
        print_json(done.to_json())
    else:
        what = f"{count_of(found.events, 'event')}, {count_of(found.versions, 'version')}"
        say(f"{done.path}: {size(done.size)}, {what}, all proven; head {found.about.head}")
        for name in found.damaged:
            say(f"damaged, as it was in the state: {name}")
    return FAILED if found.damaged else OK


def restore(
    context: Context,
    file: Annotated[Path, typer.Argument(help="A file that `backup` made.")],
    into: Annotated[
        Path | None, typer.Option("--into", help="The state directory to make; default: --state-dir, app.state_dir.")
    ] = None,
) -> int:
    """Make a state directory of a backup; it must not be there, or be empty."""
    from integrated_system import IntegratedSystem
    from operations.actor import owner
    from operations.restore import restore as do
    from operations.words import count_of

    # Not the context's: that one begins its logs in the state directory, which must be empty.
    with IntegratedSystem(context.config) as system:
        done = do(system, owner(), file, into or context.state_dir or Path(system.settings.app.state_dir))
    if context.json:
        print_json(done.to_json())
    else:
        found = done.found
        what = f"{count_of(found.events, 'event')}, {count_of(found.versions, 'version')}"
        say(f"{done.into}: restored as of {found.about.made_at}, {what}, all proven")
        for name in found.damaged:
            say(f"damaged, as it was in the state: {name}")
    return OK


def migrate(
    context: Context,
    to: Annotated[
        str, typer.Option("--to", help="Move the database into this PostgreSQL.", metavar="postgresql://…")
    ] = "",
) -> int:
    """Bring the database's schema up to date; with --to, move the database into a PostgreSQL."""
    from operations.actor import owner
    from operations.migrate import migrate as do
    from operations.words import count_of

    done = do(context.system, owner(), to=to)
    if context.json:
        print_json(done.to_json())
    elif to:
        say(f"{done.database}: {count_of(done.rows, 'row')} of {len(done.tables)} tables moved, head {done.head}")
        say("name it in the configuration as database.url before anything runs again")
    else:
        say(f"{done.database}: schema version {done.schema}, head {done.head}")
    return OK
