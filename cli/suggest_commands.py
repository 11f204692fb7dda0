"""The command `suggest-rules`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say
from cli.rows import OutputError


def register(app: typer.Typer) -> None:
    command(app, "suggest-rules")(suggest_rules)


def suggest_rules(
    context: Context,
    dataset: Annotated[str, typer.Argument(help="The dataset to learn from.")],
    output: Annotated[Path | None, typer.Option(help="Write the rules to this file.")] = None,
) -> int:
    """Rules that the accepted rows suggest, tried on rows that were not learned from, as YAML to paste."""
    from operations.suggest_rules import suggest_rules as ask

    found = ask(context.system, dataset)
    if output is not None:
        try:
            output.write_text(found.yaml, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{output}: {error.strerror or error}") from error
    if context.json:
        print_json(found.to_json())
    elif output is not None:
        say(f"{len(found.suggestions)} rules written to {output}")
    else:
        for line in found.yaml.splitlines():
            say(line)
    return OK
