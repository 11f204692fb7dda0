"""`record-metric`: a number of the user's own."""

from typing import Annotated

import typer

from cli.command import OK, Context, UsageError, with_options
from cli.output import print_json, say


def register(app: typer.Typer) -> None:
    # A number may be negative: what looks like an option and is none is an argument.
    app.command("record-metric", context_settings={"ignore_unknown_options": True})(with_options(record_metric))


def record_metric(
    context: Context,
    name: Annotated[str, typer.Argument(help="Letters, digits and `_`.")],
    value: Annotated[str, typer.Argument(help="A number.")],
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What it belongs to; may be repeated.")
    ] = None,
    unit: Annotated[str, typer.Option(help="What it is measured in.")] = "",
) -> int:
    """Keep a number of yours: it gets history and detection, and stands in `metrics`."""
    from operations.actor import local_user
    from operations.own_metrics import record

    tags = {}
    for text in tag or []:
        key, equals, told = text.partition("=")
        if not equals or key in tags:
            wrong = f"--tag {text!r} is there twice" if equals else f"--tag {text!r} has no `=`"
            raise UsageError(wrong, hint="write --tag KEY=VALUE, each key once")
        tags[key] = told
    try:
        number = float(value)
    except ValueError as error:
        raise UsageError(
            f"{value!r} is no number", hint="record-metric NAME VALUE, e.g. `record-metric orders 12.5`"
        ) from error
    found = record(context.system, local_user(), name, number, unit, tags)
    if context.json:
        print_json(found.to_json())
        return OK
    say(f"{name} = {found.value:g} {unit}".rstrip())
    for anomaly in found.anomalies:
        say(f"{anomaly['severity']}: {anomaly['reason']}")
    if found.learning:
        say(found.learning)
    return OK
