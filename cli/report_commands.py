"""Commands that explain: `why` a dataset is as it is, the quality `report` of a run."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.command import OK, Context, UsageError, command
from cli.output import print_json, say


def register(app: typer.Typer) -> None:
    command(app)(why)
    command(app)(report)


def why(
    context: Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET|INCIDENT", help="The dataset, or an incident's id.")],
) -> int:
    """Why a dataset is as it is: last good against now, what changed, when it is tried next, what to do.

    Of an incident: what a message says of it now, and all that is wrong in it.
    """
    from operations.why import why as ask

    if context.system.settings.find(dataset) is None and _is_incident(context, dataset):
        return _why_incident(context, dataset)
    found = ask(context.system, dataset)
    if context.json:
        print_json(found.to_json())
        return OK
    say(found.sentence)
    if found.well and not (found.held or found.quarantine):
        return OK
    say()
    for name, words in _facts(found):
        say(f"{name:<12}{words}")
    _list("what changed since the last good version:", [_dated(change) for change in found.changes])
    _list("what the rules say:", [line for one in found.advice[:MOST_ADVICE] for line in _advised(one)])
    width = max((len(one.command) for one in found.commands), default=0)
    _list("what you can do:", [f"{one.command:<{width}}  {one.does}" for one in found.commands])
    return OK


def _is_incident(context: Context, text: str) -> bool:
    from operations.alerts import is_incident

    return is_incident(context.system, text)


def _why_incident(context: Context, prefix: str) -> int:
    from operations.why_incident import why_incident

    found = why_incident(context.system, prefix)
    if context.json:
        print_json(found.to_json())
        return OK
    say(found.message.title)
    say()
    for line in found.message.text.splitlines():
        say(line)
    _list("how it stands:", found.standing)
    _list("what is or was wrong:", found.causes[:MOST_CAUSES])
    if len(found.causes) > MOST_CAUSES:
        say(f"  … and {len(found.causes) - MOST_CAUSES} more (see --json)")
    return OK


MOST_CAUSES = 20

Format = Literal["json", "html", "markdown"]
_SUFFIXES: dict[str, Format] = {".json": "json", ".html": "html", ".htm": "html", ".md": "markdown"}


def report(
    context: Context,
    asked: Annotated[
        str | None,
        typer.Argument(metavar="RUN|DATASET", help="A run by its id, or a dataset's last run; default: the last run."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="How to write it; default: what the suffix of --output says, else Markdown.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> int:
    """The quality report of a run: scores, rules, rows that broke them, advice, what changed."""
    from cli.rows import target
    from operations.report import report as ask

    chosen = _format(format, output, json=context.json)
    text = _written(ask(context.system, asked), chosen)
    with target(output) as file:
        file.write(text)
    if output is not None and not context.json:
        print(f"{output}: {len(text):,} bytes of {chosen}", file=sys.stderr)
    return OK


def _format(format: Format | None, output: Path | None, *, json: bool) -> Format:
    if format is not None:
        return format
    if output is None:
        return "json" if json else "markdown"
    if (found := _SUFFIXES.get(output.suffix.lower())) is None:
        raise UsageError(f"--output {output}: in which format?", hint="add --format json, html or markdown")
    return found


def _written(found: Any, format: Format) -> bytes:
    if format == "json":
        import orjson

        return orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if format == "html":
        from operations.report_page import page

        return page(found).encode()
    from operations.report_markdown import markdown

    return markdown(found).encode()


MOST_ADVICE = 5


def _facts(found: Any) -> list[tuple[str, str]]:
    from operations.words import count_of, moment

    facts = []
    if (good := found.last_good) is not None:
        score = "" if good["score"] is None else f", score {good['score']:g}"
        rows = count_of(good["rows"], "row")
        facts.append(("last good", f"{rows} of {moment(good['collected_at'])}{score} (version {good['version']})"))
    elif found.status != "never ran":
        facts.append(("last good", "there is none"))
    if (last := found.last_run) is not None:
        facts.append(("last run", f"{last['status']} at {moment(last['time'])} (run {last['run_id']})"))
    if (since := found.since) is not None and since["runs"] > 1:
        facts.append(("since", f"{moment(since['time'])}, {since['runs']} runs in a row"))
    if (held := found.held) is not None:
        facts.append(("held", f"{count_of(held['rows'], 'row')} of {moment(held['time'])}: {held['objections']}"))
    if (waiting := found.quarantine) is not None:
        reasons = ", ".join(f"{rule}: {count:,}" for rule, count in waiting["reasons"].items())
        facts.append(("quarantine", f"{count_of(waiting['rows'], 'row')} ({reasons})"))
    if found.objective is not None:
        facts += [("objective", words) for words in found.objective.words]
    return [*facts, ("next try", found.next_try["words"])]


def _dated(change: Any) -> str:
    from operations.words import moment

    return change.words if change.since is None else f"{change.words} (since {moment(change.since)})"


def _advised(advice: dict[str, Any]) -> list[str]:
    paste = advice["paste"]
    return [advice["text"], f"  {paste}"] if paste and paste not in advice["text"] else [advice["text"]]


def _list(title: str, lines: list[str]) -> None:
    if lines:
        say()
        say(title)
        for line in lines:
            say(f"  {line}")
