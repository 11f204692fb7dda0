"""The command `services`: what runs, what is checked, who serves the data, and the figures of each."""

from typing import TYPE_CHECKING

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.services import Service

__all__ = ["register"]

COLUMNS = ("service", "kind", "state", "since", "cpu", "memory", "response", "requests/s", "errors")
RIGHT = ("cpu", "memory", "response", "requests/s", "errors")


def register(app: typer.Typer) -> None:
    command(app)(services)


def services(context: Context) -> int:
    """How every service stands, and what it does: programs, their parts, checks, providers."""
    from operations.services import services as ask

    found = ask(context.system)
    if context.json:
        print_json({"services": [one.to_json() for one in found]})
        return OK
    if not found:
        say("There is no service yet: nothing stays running, nothing is checked, no provider was asked.")
        return OK
    table(COLUMNS, [_row(one) for one in found], right=RIGHT)
    for one in found:
        if one.state in {"unavailable", "died", "slow"} and one.reason:
            say(f"{one.service}: {one.reason}")
    return OK


def _row(one: "Service") -> tuple[str, ...]:
    from operations.words import moment, size

    return (
        one.service,
        one.kind,
        one.state,
        "-" if one.since is None else moment(one.since),
        "-" if one.cpu_percent is None else f"{one.cpu_percent:.1f} %",
        "-" if one.memory_bytes is None else size(one.memory_bytes),
        "-" if one.response_s is None else f"{one.response_s * 1000:,.1f} ms",
        "-" if one.requests_per_s is None else f"{one.requests_per_s:.2f}",
        "-" if one.error_rate is None else f"{one.error_rate:.1%}",
    )
