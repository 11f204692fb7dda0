"""The command line's root: which commands there are, and what happens without one."""

import sys
from typing import Annotated

import typer

from cli import inspect_commands, maintain_commands, run_commands, serve_commands
from cli.command import Context, with_options

app = typer.Typer(
    name="orchestrator",
    help="Collects data from providers that fail, delivers it anyway, and says how good and how old it is.",
    rich_markup_mode=None,  # formatting the help with Rich would triple its time
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (run_commands, inspect_commands, maintain_commands, serve_commands):
    module.register(app)


def _version(asked: bool) -> None:
    if asked:
        from cli.version import version

        print(version())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - the callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Without a command: run the pipeline, do overdue maintenance, show the state."""
    if context.invoked_subcommand is None:
        with_options(_everything)(config=None, state_dir=None, json=False, debug=False)


def _everything(context: Context) -> int:
    from cli.inspect_commands import show_status
    from cli.run_commands import run_all

    code = run_all(context)
    print()
    show_status(context)
    return code


def main() -> None:
    """Run the command line; exits with the code of the contract."""
    app(args=sys.argv[1:])
