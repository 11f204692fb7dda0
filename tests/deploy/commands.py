"""Whether a command that a unit, a manifest or a container runs is one of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import typer.main

from cli.main import app
from config.loading import Loaded, load

__all__ = ["accepted", "configured"]


def accepted(words: Sequence[str]) -> bool:
    """Whether the command line takes these words: the command is there, and so are its options."""
    command: click.Command = typer.main.get_command(app)
    context = command.make_context("orchestrator", [], resilient_parsing=True)
    rest = list(words)
    while isinstance(command, click.Group):
        name, *rest = rest
        found = command.get_command(context, name)
        if found is None:
            return False
        command = found
    command.make_context(words[0], rest, parent=context)
    return True


def configured(environ: Mapping[str, str], config: Path, folder: Path) -> Loaded:
    """The configuration as a container gets it; what it mounts below /run/secrets is in `folder`.

    Raises:
        ConfigError: a variable names no key, or its value is refused.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(("ORCHESTRATOR_", "LOKI_"))}
    given = {name: value.replace("/run/secrets", str(folder)) for name, value in ours.items()}
    return load(None, environ={**given, "ORCHESTRATOR_CONFIG": str(config)}, cwd=folder)
