"""The command `api`: the same system for programs, served until stopped."""

import sys
from typing import Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json_line, say
from cli.stopping import stopped_by_signals

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    command(app)(api)


def api(
    context: Context,
    host: Annotated[str | None, typer.Option(help="Where it listens; default: as configured, 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: as configured, 8000. 0: any that is free.")
    ] = None,
) -> int:
    """Serve the API for programs, until stopped. Runs are done by `serve`, else by processes of their own."""
    from operations.api import service, serving

    served = service(context.system, host=host, port=port, at_once=True)
    everything = serving(context.system, served)
    with stopped_by_signals(everything) as came:
        if context.json:
            print_json_line({"url": served.url})
        else:
            say(f"API: {served.url}/api/v1, {served.url}/docs")
        sys.stdout.flush()
        everything.run()
    if came:
        from cli.run_commands import leave

        leave(context, 128 + came[0])
    return OK
