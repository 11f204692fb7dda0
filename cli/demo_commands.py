"""The command `demo`."""

import typer

from cli.command import OK, Context, command
from cli.output import print_json_line, say


def register(app: typer.Typer) -> None:
    command(app)(demo)


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
