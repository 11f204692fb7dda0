"""The command line's root: which commands there are, and what happens without one."""

import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from cli import (
    add_commands,
    alerts_commands,
    api_commands,
    backfill_commands,
    backup_commands,
    breaker_commands,
    demo_commands,
    detect_commands,
    gate_commands,
    inspect_commands,
    lineage_commands,
    maintain_commands,
    metric_commands,
    monitor_commands,
    profile_commands,
    quarantine_commands,
    report_commands,
    run_commands,
    runs_commands,
    schedule_commands,
    serve_commands,
    service_commands,
    suggest_commands,
    tokens_commands,
)
from cli.command import OK, USAGE, Context, UsageError, tell, with_options
from cli.output import prepare_streams, print_json, say

app = typer.Typer(
    name="orchestrator",
    help="Collects data from providers that fail, delivers it anyway, and says how good and how old it is.",
    rich_markup_mode=None,  # formatting the help with Rich would triple its time
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    *(run_commands, add_commands, inspect_commands, metric_commands, report_commands, suggest_commands),
    backfill_commands,
    *(detect_commands, alerts_commands, serve_commands, schedule_commands, runs_commands, lineage_commands),
    *(gate_commands, profile_commands, quarantine_commands, breaker_commands, maintain_commands, demo_commands),
    *(monitor_commands, service_commands, api_commands, tokens_commands, backup_commands),
):
    module.register(app)


def _version(asked: bool) -> None:
    if asked:
        from operations.version import release

        print(release())
        raise typer.Exit


def root(
    context: Context,
    version: Annotated[  # noqa: ARG001 - the callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> int:
    """Without a command: run the pipeline, do overdue maintenance, show the state."""
    return OK if context.invoked_subcommand else _everything(context)


app.callback(invoke_without_command=True)(with_options(root))


def _everything(context: Context) -> int:
    from cli.inspect_commands import show_status
    from cli.run_commands import run_all

    if not context.json:
        code = run_all(context, brief=True)
        say()
        show_status(context)
        return code
    from operations.status import status

    ran: dict[str, Any] = {}
    code = run_all(context, told=lambda result: ran.update(result.to_json()))
    print_json({"run": ran, "status": status(context.system).to_json()})
    return code


def main() -> None:
    """Run the command line; exits with the code of the contract."""
    prepare_streams()
    arguments = sys.argv[1:]
    if "--json" not in arguments:
        app(args=arguments)
    try:
        sys.exit(app(args=arguments, standalone_mode=False))
    except TyperException as error:
        tell(UsageError(error.format_message(), hint="`--help` after a command lists its options"), json=True)
        sys.exit(USAGE)
