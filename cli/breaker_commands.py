"""The group `breakers`: how the providers' circuits stand, and deciding about them by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.breakers import Breaker

Provider = Annotated[str, typer.Argument(help="The provider, as `breakers list` names it.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log and in every refusal.")]


def register(app: typer.Typer) -> None:
    breakers = typer.Typer(help="The providers' circuits.", rich_markup_mode=None)
    command(breakers, "list")(list_all)
    command(breakers, "open")(force_open)
    command(breakers)(close)
    command(breakers)(reset)
    app.add_typer(breakers, name="breakers")


def list_all(context: Context) -> int:
    """How every provider's circuit stands."""
    from operations.breakers import listed

    found = listed(context.system)
    if context.json:
        print_json({"breakers": [breaker.to_json() for breaker in found]})
    else:
        table(
            ("provider", "state", "next try in", "why"),
            [
                (b.provider, _state(b), "-" if b.retry_after_s is None else f"{b.retry_after_s:g} s", b.reason)
                for b in found
            ],
        )
    return OK


def force_open(context: Context, provider: Provider, reason: Reason = "") -> int:
    """Refuse every call to a provider until somebody closes or resets its circuit."""
    from operations.actor import local_user
    from operations.breakers import force_open as do

    return _told(
        context,
        do(context.system, local_user(), provider, reason=reason),
        f"no call to {provider} is made until `breakers close {provider}`",
    )


def close(
    context: Context,
    provider: Provider,
    hold: Annotated[bool, typer.Option("--hold", help="Keep it closed, whatever fails, until it is reset.")] = False,
    reason: Reason = "",
) -> int:
    """Let calls to a provider pass again, and forget its failures."""
    from operations.actor import local_user
    from operations.breakers import close as do

    return _told(
        context,
        do(context.system, local_user(), provider, reason=reason, hold=hold),
        f"the circuit of {provider} is closed"
        + (f", and stays so until `breakers reset {provider}`" if hold else "; what fails from now on counts"),
    )


def reset(
    context: Context, provider: Annotated[str | None, typer.Argument(help="Default: all providers.")] = None
) -> int:
    """Back to normal: closed, nothing held, no failure remembered."""
    from operations.actor import local_user
    from operations.breakers import reset as do

    moved = do(context.system, local_user(), provider)
    if context.json:
        print_json({"reset": [breaker.provider for breaker in moved]})
    else:
        say(f"closed: {', '.join(b.provider for b in moved)}" if moved else "Every circuit was closed already.")
    return OK


def _told(context: Context, breaker: "Breaker", words: str) -> int:
    if context.json:
        print_json(breaker.to_json())
    else:
        say(words)
    return OK


def _state(breaker: "Breaker") -> str:
    state = breaker.state.replace("_", " ")
    if breaker.held:
        return f"{state} (held)"
    return state if breaker.permits_left is None else f"{state} ({breaker.permits_left} free)"
