"""Commands that stay or show: `dashboard` and `demo`."""

from typing import Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json_line, say


def register(app: typer.Typer) -> None:
    command(app)(dashboard)
    command(app)(demo)


def dashboard(
    context: Context,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: as configured, 8501.")] = None,
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = False,
) -> int:
    """Show the state on a web page, until stopped."""
    from operations.dashboard import start

    return start(context.system, port=port, browser=browser)


def demo(context: Context) -> int:
    """Five short stories, told with simulated providers in a state of their own."""
    from operations.demo import tell

    for chapter in tell():
        if context.json:
            print_json_line(chapter.to_json())
        else:
            say(f"\n{chapter.title}\n{'-' * len(chapter.title)}")
            for line in chapter.lines:
                say(f"  {line}")
    return OK
