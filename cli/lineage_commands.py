"""`lineage`: who is made of whom."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.lineage import Lineage


def register(app: typer.Typer) -> None:
    command(app)(lineage)


def lineage(
    context: Context,
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="DATASET", help="With all above and below; default: all.")
    ] = None,
) -> int:
    """Who is made of whom: datasets, where they are published, the versions that each was made from."""
    from operations.lineage import lineage as ask

    found = ask(context.system, datasets or [])
    if context.json:
        print_json(found.to_json())
    else:
        _print(found)
    return OK


def _print(found: "Lineage") -> None:
    from operations.words import count_of, listed, moment

    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for edge in found.edges:
        above.setdefault(edge.target, []).append(edge.source)
        below.setdefault(edge.source, []).append(edge.target.removeprefix(f"{edge.source} -> "))
    datasets = [node for node in found.nodes if node.kind != "sink"]
    if not datasets:
        say("No dataset is declared.")
        return
    table(
        ("dataset", "made by", "needs", "goes to", "newest version"),
        [
            (
                node.id,
                node.function or node.provider,
                listed([*dict.fromkeys(above.get(node.id, []))]) or "-",
                listed([*dict.fromkeys(below.get(node.id, []))]) or "-",
                moment(node.accepted_at),
            )
            for node in datasets
        ],
    )
    for node in datasets:
        old = [one.dataset for one in node.made_from if not one.newest]
        if old:
            say(f"{node.id} was made of an older version of {listed(old)}: `run {node.id}`")
    derived = sum(node.kind == "derived" for node in datasets)
    edges = count_of(len(found.edges), "edge")
    say(f"{count_of(len(datasets), 'dataset')}, {derived:,} of them made of others; {edges}")
