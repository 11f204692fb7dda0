"""Commands for a source that is new or was changed: `add`, `try`, `record`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import FAILED, OK, Context, UsageError, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.add import Added
    from operations.try_dataset import Tried

WIDEST = 40
MOST_COLUMNS = 10


def register(app: typer.Typer) -> None:
    command(app)(add)
    command(app, "try")(try_)
    command(app)(record)


def add(
    context: Context,
    source: Annotated[str, typer.Argument(metavar="URL|PATH|SQL", help="An address, a path, a database, a query.")],
    name: Annotated[str, typer.Option(help="The dataset's name; default: from the source.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Append the block to the configuration file.")] = False,
    query: Annotated[str, typer.Option(help="For a database: the statement that selects the rows.")] = "",
    url: Annotated[str, typer.Option(help="For a query: the database.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds that the fetch may take.")] = 30.0,
) -> int:
    """Look at a source once; show five rows and the block that collects it, with suggested rules."""
    from operations.add import add as do
    from operations.add import shipped

    named = context.config or (Path(given) if (given := os.environ.get("ORCHESTRATOR_CONFIG", "")) else None)
    main = Path.cwd() / (named.expanduser() if named else "orchestrator.yaml")
    if main.suffix.lower() not in (".yaml", ".yml", ".toml", ".json"):
        raise UsageError(f"{main} is no configuration file", hint="it ends in .yaml, .toml or .json")
    # A file that is to be created cannot be read before.
    context.config = main if main.exists() else shipped()
    made = do(
        context.system,
        source,
        main=main,
        environ=os.environ,
        name=name,
        query=query,
        url=url,
        timeout=timeout,
        write=write,
    )
    if context.json:
        print_json(made.to_json())
    else:
        _show_added(made)
    return OK


def try_(context: Context, dataset: Annotated[str, typer.Argument(help="The dataset.")]) -> int:
    """Run one block and show the result; nothing is stored. Exits 1 when it would not be accepted."""
    from operations.try_dataset import try_dataset

    tried = try_dataset(context.system, dataset)
    if context.json:
        print_json(tried.to_json())
    else:
        _show_tried(tried)
    return OK if tried.verdict.accepted else FAILED


def record(
    context: Context,
    dataset: Annotated[str, typer.Argument(help="The dataset; it is collected over HTTP.")],
    output: Annotated[Path | None, typer.Option(help="The file; default: DATASET.cassette.json.")] = None,
) -> int:
    """Record a provider's answers as a cassette for your tests (docs/testing.md); nothing else is stored."""
    from operations.record import record as do

    made = do(context.system, dataset, output or Path(f"{dataset}.cassette.json"))
    if context.json:
        print_json(made.to_json())
        return OK
    noun = "exchange" if made.exchanges == 1 else "exchanges"
    say(f"{made.exchanges} {noun} written to {made.path}. Look at the bodies before you commit them.")
    if made.failed:
        say(f"note: the collection did not come to its end: {made.failed}")
    return OK


def _show_added(made: "Added") -> None:
    _show_rows(made.columns, made.rows)
    say()
    sys.stdout.write(made.yaml)
    sys.stdout.write("\n")
    for note in made.notes:
        say(f"note: {note}")
    for variable in made.variables:
        say(f"Set {variable} in the environment before it runs; its value was not written down.")
    if made.written:
        say(f"Written to {made.written}. Next: `try {made.name}`, then `run {made.name}`.")
    else:
        say("Nothing was written; --write appends it to your configuration.")


def _show_tried(tried: "Tried") -> None:
    from operations.words import count_of

    found: dict[str, Any] = tried.to_json()
    _show_rows(found["columns"], found["sample"])
    say()
    for rule in found["failed_rules"]:
        detail = f": {rule['detail']}" if rule["detail"] else ""
        say(f"{rule['severity']}: {rule['rule']} failed for {rule['failed']:,} of {rule['of']:,}{detail}")
        for example in rule["examples"]:
            cells = ", ".join(
                f"{name} = {_cell(value) or 'nothing'}" for name, value in example.items() if name != "row"
            )
            say(f"  row {example['row']:,}: {cells}" if "row" in example else f"  {cells}")
    for note in found["notes"]:
        say(f"note: {note}")
    rated = "" if found["quality"]["score"] is None else f", scores {found['quality']['score']:g}"
    apart = f", {found['quarantined']:,} would be quarantined" if found["quarantined"] else ""
    newest = f"; the newest is of {found['data_time']}" if found["data_time"] else ""
    say(f"{count_of(found['rows'], 'good row')}{apart}{rated}{newest}")
    reason = f": {found['reason']}" if found["reason"] else ""
    say(f"A run would {'accept' if found['accepted'] else 'hold'} this batch{reason}. Nothing was stored.")


def _show_rows(columns: dict[str, str], rows: list[dict[str, Any]]) -> None:
    shown = list(columns)[:MOST_COLUMNS]
    table([f"{name} ({columns[name]})" for name in shown], [[_cell(row[name]) for name in shown] for row in rows])
    if len(columns) > len(shown):
        rest = ", ".join(f"{name} ({columns[name]})" for name in list(columns)[MOST_COLUMNS:])
        say(f"and {len(columns) - len(shown)} more columns: {rest[:300]}")


def _cell(value: Any) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
