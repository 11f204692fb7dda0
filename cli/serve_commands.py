"""Commands that stay until they are stopped: `schedule`, `serve`, `dashboard`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json_line, say
from cli.stopping import stopped_by_signals

if TYPE_CHECKING:
    from data_pipeline.scheduling.plan import Told
    from integrated_system import IntegratedSystem
    from operations.serving import Service

Workers = Annotated[int | None, typer.Option(min=1, max=1024, help="Datasets at the same time.")]


def register(app: typer.Typer) -> None:
    command(app)(schedule)
    command(app)(serve)
    command(app)(dashboard)


def schedule(context: Context, workers: Workers = None) -> int:
    """See to every schedule, until stopped: what is due is run. Several processes share the work, one decides."""
    return _serve(context, workers, lambda _: [])


def serve(
    context: Context,
    workers: Workers = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The dashboard's; default: as configured.")] = None,
    api_port: Annotated[int | None, typer.Option(min=1, max=65535, help="The API's; default: as configured.")] = None,
) -> int:
    """As `schedule`, with the API, the watch on this machine, what protects and heals it, and the dashboard beside."""
    from operations.api import service as api
    from operations.monitor import services
    from operations.protecting import services as protecting
    from operations.schedule import DashboardBeside

    return _serve(
        context,
        workers,
        lambda system: [
            DashboardBeside(system, port=port),
            api(system, port=api_port),
            *services(system),
            *protecting(system),
        ],
        program="serve",
    )


def _serve(
    context: Context,
    workers: int | None,
    beside: "Callable[[IntegratedSystem], list[Service]]",
    *,
    program: str = "schedule",
) -> int:
    from operations.schedule import serving

    system = context.system

    def told(one: "Told") -> None:
        if context.json:
            print_json_line(one.to_json())

    if not context.json and not any(dataset.schedule for dataset in system.settings.datasets):
        say("No dataset has a schedule yet: give one `schedule: {every: 15m}`.")
    everything = serving(system, workers=workers, told=told, beside=beside, program=program)
    with stopped_by_signals(everything) as came:
        everything.run()
    if came:
        from cli.run_commands import leave

        leave(context, 128 + came[0])  # a request in flight would keep the process until its time-out
    return OK


def dashboard(
    context: Context,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: as configured, 8501.")] = None,
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = False,
) -> int:
    """Show the state on a web page, until stopped."""
    from operations.dashboard import start

    return start(context.system, port=port, browser=browser)
