"""The gate by hand: `versions accept reject rollback`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.gate import Decided
    from operations.versions import VersionLine

Dataset = Annotated[str, typer.Argument(help="The dataset.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.")]


def register(app: typer.Typer) -> None:
    for function in (versions, accept, reject, rollback):
        command(app)(function)


def versions(context: Context, dataset: Dataset) -> int:
    """What is kept of a dataset: which version readers see, what waits for a decision, who decided what."""
    from operations.versions import versions as ask
    from operations.words import moment, size

    found = ask(context.system, dataset)
    if context.json:
        print_json(found.to_json())
        return OK
    if not found.versions:
        say(f"Nothing is kept of {dataset}: `run {dataset}`")
        return OK
    table(
        ("", "version", "state", "since", "rows", "size", "score", "why"),
        [
            (
                "→" if one.current else "",
                one.version,
                one.state.replace("_", " "),
                moment(one.time),
                f"{one.rows:,}",
                size(one.size),
                "-" if one.score is None else f"{one.score:g}",
                _why(one),
            )
            for one in found.versions
        ],
        right=("rows", "size", "score"),
    )
    waiting = [one for one in found.versions if one.state == "held"]
    if waiting:
        say(f"held: `accept {dataset} VERSION` or `reject {dataset} VERSION`; the newest without VERSION")
    return OK


def accept(
    context: Context,
    dataset: Dataset,
    version: Annotated[str | None, typer.Argument(help="Default: the newest that is held.")] = None,
    reason: Reason = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also when it takes the place of rows that were accepted since.")
    ] = False,
) -> int:
    """Let readers see a batch that the gate held."""
    from operations.actor import local_user
    from operations.gate import accept as do

    done = do(context.system, local_user(), dataset, version, reason=reason, force=force)
    return _told(context, done, f"accepted {done.version} over: {done.over}")


def reject(
    context: Context,
    dataset: Dataset,
    version: Annotated[str | None, typer.Argument(help="Default: the newest that is held.")] = None,
    reason: Reason = "",
) -> int:
    """Turn away a batch that the gate held: readers will never see it."""
    from operations.actor import local_user
    from operations.gate import reject as do

    done = do(context.system, local_user(), dataset, version, reason=reason)
    return _told(context, done, f"rejected {done.version}: {done.over}")


def rollback(
    context: Context,
    dataset: Dataset,
    version: Annotated[str | None, typer.Argument(help="Default: the one before what readers see.")] = None,
    reason: Reason = "",
) -> int:
    """Give readers an earlier accepted version again."""
    from operations.actor import local_user
    from operations.gate import rollback as do

    done = do(context.system, local_user(), dataset, version, reason=reason)
    return _told(context, done, f"rolled back to {done.restores}, as version {done.version}")


def _told(context: Context, done: "Decided", words: str) -> int:
    from operations.words import count_of

    if context.json:
        print_json(done.to_json())
        return OK
    say(f"{done.dataset}: {words}")
    say("readers get nothing yet" if done.current is None else f"readers get {count_of(done.rows, 'row')}")
    for attempt in done.publications:
        say(attempt.words)
        if attempt.hint:
            say(f"  {attempt.hint}")
    return OK


def _why(one: "VersionLine") -> str:
    """Why it is what it is: what the gate found, what a person said."""
    who = f"by {one.actor}" if one.actor else ""
    of = f"the rows of {one.restores}" if one.restores else ""
    return "; ".join(filter(None, (of, one.reason, f"{who}: {one.why}" if one.why else who)))
