"""The group `tokens`: who may use the API, as what, and until when."""

from typing import Annotated, Literal

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

Role = Literal["viewer", "operator", "admin"]


def register(app: typer.Typer) -> None:
    tokens = typer.Typer(help="Tokens of the API: who may use it, as what, until when.", rich_markup_mode=None)
    command(tokens)(create)
    command(tokens, "list")(list_all)
    command(tokens)(revoke)
    app.add_typer(tokens, name="tokens")


def create(
    context: Context,
    role: Annotated[
        Role,
        typer.Option(
            help="viewer looks, operator also changes, admin also sees and revokes tokens.", show_default=False
        ),
    ],
    name: Annotated[str, typer.Option(help="Stands in the log beside what is done with it; default: made up.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="A duration (90d), or a time. Default: never.", show_default=False)
    ] = None,
) -> int:
    """Make a token. It is shown this once: nothing but its hash is kept."""
    from operations.actor import owner
    from operations.moments import coming
    from operations.tokens import create as do

    system = context.system
    end = None if expires is None else coming("expires", expires, system.clock.now(), system.settings.app.zone)
    made = do(system, owner(), role, name, end)
    if context.json:
        print_json(made.to_json())
    else:
        say(made.secret)
        until = "until it is revoked" if end is None else f"until {_at(made.expires_at)}"
        say(f"{made.name} ({made.id}), {made.role}, {until}. It is shown this once: keep it where secrets are kept.")
    return OK


def list_all(
    context: Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that expired or were revoked.")] = False,
) -> int:
    """The tokens, and when each was used last."""
    from operations.tokens import listed

    found = listed(context.system, everything=everything)
    if context.json:
        print_json(found.to_json())
    elif not found.tokens:
        say("There is no token." if everything else "No token is good; `--all` also shows others.")
    else:
        rows = [(one.id, one.name, one.role, one.state, _at(one.expires_at), _at(one.used_at)) for one in found.tokens]
        table(("id", "name", "role", "state", "expires", "last used"), rows)
    return OK


def revoke(
    context: Context,
    token: Annotated[str, typer.Argument(metavar="ID|NAME", help="The token, by its id or its name.")],
) -> int:
    """Have a token open nothing any more, at once."""
    from operations.actor import owner
    from operations.tokens import revoke as do

    ended = do(context.system, owner(), token)
    if context.json:
        print_json(ended.to_json())
    else:
        say(f"{ended.name} ({ended.id}) opens nothing any more")
    return OK


def _at(moment: str | None) -> str:
    return "never" if moment is None else f"{moment[:16].replace('T', ' ')} UTC"
