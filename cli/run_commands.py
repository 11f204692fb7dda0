"""Commands that run datasets: `run`, and what happens without a command."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import FAILED, MOST, OK, Context, UsageError, command
from cli.output import marked, print_json, say, table

if TYPE_CHECKING:
    from config.sections import ExecutorSettings
    from data_pipeline.dataset import DatasetRun
    from data_pipeline.runner import PipelineRun
    from integrated_system import IntegratedSystem

MAINTENANCE_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    command(app)(run)


def run(
    context: Context,
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets to run; default: all.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask the providers even within the TTL.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Take everything, whatever the cursors say.")] = False,
    from_raw: Annotated[
        str, typer.Option(metavar="RUN_ID", help="Take the raw answers kept of a run (`keep_raw`), ask no provider.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help="So many datasets at most: by priority, those first that ran the longest ago."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Datasets at the same time; processes of a local cluster.")
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="local|dask|tcp://…", help="What runs the datasets; default: as configured.")
    ] = "",
    resume: Annotated[str | None, typer.Option(metavar="RUN_ID", help="Go on with a queued or broken-off run.")] = None,
    due: Annotated[bool, typer.Option("--due", help="What its schedule says is due, once: for a crontab.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also when a dataset is degraded.")] = False,
) -> int:
    """Run the pipeline: collect, validate, score, store, detect."""
    if due:
        if datasets or fresh or full or from_raw or limit or resume or dry_run or executor:
            raise UsageError("--due goes with --workers and --strict only", hint="what is due its schedule says")
        return _run_due(context, workers=workers, strict=strict)
    if limit and resume:
        raise UsageError("--limit does not go with --resume", hint="a run goes on with all that it has not finished")
    if dry_run:
        return _dry_run(context, datasets or [], fresh or full, from_raw, limit)
    return run_all(
        context,
        datasets or [],
        fresh=fresh,
        full=full,
        from_raw=from_raw,
        limit=limit,
        workers=workers,
        executor=executor,
        resume=resume,
        strict=strict,
    )


def run_all(
    context: Context,
    datasets: list[str] | None = None,
    *,
    fresh: bool = False,
    full: bool = False,
    from_raw: str = "",
    limit: int | None = None,
    workers: int | None = None,
    executor: str = "",
    resume: str | None = None,
    strict: bool = False,
    brief: bool = False,
    told: "Callable[[PipelineRun], None] | None" = None,
) -> int:
    """Run, tell what came of it (default: print it), do overdue maintenance; gives the exit code."""
    from operations import run as operations
    from operations.actor import local_user
    from operations.log_incidents import name_incidents

    system = context.system
    chosen = _executor(system, executor, workers)
    name_incidents(system)
    gc.set_threshold(20_000, 20, 100)  # a run makes many values that last, and little garbage
    cancel = operations.CancelToken()
    with interruptible(cancel.cancel) as stopped, _progress(context, system, datasets, limit) as progress:
        if resume is not None:
            result = operations.resume(
                system, local_user(), resume, workers=workers, executor=chosen, cancel=cancel, progress=progress
            )
        else:
            result = operations.run(
                system,
                local_user(),
                datasets or [],
                fresh=fresh,
                full=full,
                from_raw=from_raw,
                limit=limit,
                workers=workers,
                executor=chosen,
                cancel=cancel,
                progress=progress,
            )
    if told is not None:
        told(result)
    elif context.json:
        print_json(result.to_json())
    else:
        _print(result, system, brief=brief)
    if stopped:
        leave(context, 128 + stopped[0])
    if result.status == "cancelled":
        leave(context, FAILED)
    _maintain_if_overdue(context)
    _tell(context)
    return _code(result.status, strict=strict)


def _executor(system: "IntegratedSystem", text: str, workers: int | None) -> "ExecutorSettings | None":
    """What `--executor` names; None: nothing."""
    from operations.executor import named

    configured = system.settings.executor
    try:
        chosen = named(text, configured) if text else None
    except ValueError as error:
        raise UsageError(f"--executor: {error}", hint=getattr(error, "hint", "")) from error
    if workers is not None and (chosen or configured).address:
        raise UsageError(
            "--workers does not go with a Dask cluster that has an address",
            hint="it has as many as were started; leave --workers out",
        )
    return chosen


def _run_due(context: Context, *, workers: int | None, strict: bool) -> int:
    from operations.actor import local_user
    from operations.queue import run_due
    from operations.run import CancelToken

    cancel = CancelToken()
    with interruptible(cancel.cancel) as stopped:
        done = run_due(context.system, local_user(), workers=workers, stop=cancel)
    if context.json:
        print_json(done.to_json())
    elif done.due.led_by:
        say(f"Nothing to do here: {done.due.led_by} sees to the schedules.")
    elif not done.runs:
        say("Nothing is due.")
    for run in () if context.json else done.runs:
        _print(run, context.system, brief=False)
    if stopped:
        leave(context, 128 + stopped[0])
    _maintain_if_overdue(context)
    _tell(context)
    return _code(done.status, strict=strict)


def _code(status: str, *, strict: bool) -> int:
    return FAILED if status in {"failed", "cancelled"} or (strict and status == "degraded") else OK


def _dry_run(context: Context, datasets: list[str], fresh: bool, from_raw: str, limit: int | None) -> int:
    from operations.run_plan import plan

    planned = plan(context.system, datasets, fresh=fresh, from_raw=from_raw, limit=limit)
    if context.json:
        print_json({"dry_run": True, "datasets": [dataset.to_json() for dataset in planned]})
    else:
        table(("dataset", "provider", "would"), [(p.dataset, p.provider, p.action) for p in planned])
    return OK


MOST_ADVICE = 3
"""Lines of advice a dataset; the first ones are about the worst rules."""

MOST_ADVISED = 20
"""Datasets whose broken rows are read for advice: a run of a thousand must not spend seconds on what nobody reads."""

QUICK_ROWS = 1_000_000
"""Rows of a batch up to which they are read; `why` and reports read all."""


def _print(result: "PipelineRun", system: "IntegratedSystem", *, brief: bool) -> None:
    """What came of every dataset; `brief`: without what the status that follows says anyway."""
    if not brief:
        _print_datasets(result)
    _print_what_to_do(result, system)
    for attempt in result.publications:
        if attempt.error is not None:
            say(attempt.words)
            if attempt.hint:
                say(f"  {attempt.hint}")
    counts = ", ".join(
        f"{number} {name}"
        for name in ("succeeded", "degraded", "failed", "skipped")
        if (number := sum(run.status == name for run in result.datasets))
    )
    say(f"run {result.run_id} {result.status} in {result.duration_s:.2f} s: {counts or 'nothing to do'}")


def _print_datasets(result: "PipelineRun") -> None:
    from operations.words import about, duration

    rows = []
    for run in result.datasets:
        score = "-" if run.quality is None or run.quality.score is None else f"{run.quality.score:g}"
        rows.append(
            (
                run.dataset,
                marked(run.status),
                run.origin,
                f"{run.rows:,}",
                score,
                duration(run.age_s) if run.age_s is not None else "-",
                duration(run.data_age_s) if run.data_age_s is not None else "-",
            )
        )
    table(
        ("dataset", "status", "origin", "rows", "score", "copy age", "data age"),
        rows,
        right=("rows", "score", "copy age", "data age"),
    )
    for run in result.datasets:
        if run.reason and (run.status != "skipped" or run.error):
            say(about(run.dataset, run.reason))
            hint = (run.error or {}).get("hint")
            if hint and hint not in run.reason:
                say(f"  {hint}")
    skipped: dict[str, list[str]] = {}
    for run in result.datasets:
        if run.status == "skipped" and run.reason and not run.error:
            skipped.setdefault(run.reason, []).append(run.dataset)
    for reason, (first, *more) in skipped.items():  # what stopped a run skips all that were left for one reason
        say(about(first if not more else f"{first} and {len(more)} more", reason))


def _print_what_to_do(result: "PipelineRun", system: "IntegratedSystem") -> None:
    from operations.advice import advice, notes

    advised = 0
    for run in result.datasets:
        if run.failed_rules:
            advised += 1
            given = advice(system, run.dataset, most_rows=QUICK_ROWS if advised <= MOST_ADVISED else 0)
            for one in given[:MOST_ADVICE]:
                say(f"{run.dataset}: {one.text}")
            if len(given) > MOST_ADVICE:
                say(f"{run.dataset}: {len(given) - MOST_ADVICE} more broken, see `failed_rules` in `run --json`")
        if run.quarantined:
            noun = "row" if run.quarantined == 1 else "rows"
            same = run.accepted and run.version is not None and run.version != result.run_id
            again = system.views.quarantines.one(run.dataset, run.version or "") if same else None
            which = "" if again is None or not again.waits else f" --run {again.run_id}"
            say(f"{run.dataset}: {run.quarantined:,} {noun} quarantined, see `quarantine show {run.dataset}{which}`")
        if run.anomalies:
            noun = "anomaly" if run.anomalies == 1 else "anomalies"
            say(f"{run.dataset}: {run.anomalies} {noun}, see `detect {run.dataset}`")
        if run.origin == "provider":
            for line in notes(system, run.dataset)[:MOST_ADVICE]:
                say(f"{run.dataset}: note: {line}")


def _tell(context: Context) -> None:
    """Tell people what they are to be told, once everything else is done."""
    from operations.alerting import after_run

    after_run(context.system)


def _maintain_if_overdue(context: Context) -> None:
    from operations.housekeeping import Busy, overdue

    if overdue(context.system):
        from operations.actor import local_user
        from operations.maintain import maintain

        try:
            done = maintain(context.system, local_user(), seconds=MAINTENANCE_SECONDS)
        except Busy:
            return  # somebody else began it meanwhile
        if not context.json:
            from operations.words import size

            say(f"maintenance was due: {size(done.freed)} freed")


@contextmanager
def interruptible(cancel: Callable[[str], None]) -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into an orderly stop; yields the list of signals that came."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            os._exit(128 + number)  # asked twice: at once
        cancel(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(context: Context, code: int) -> None:
    """End now: a request in flight would keep its thread, and with it the process, until its time-out."""
    context.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _progress(
    context: Context, system: "IntegratedSystem", datasets: list[str] | None, limit: int | None
) -> Iterator["Callable[[DatasetRun], None]"]:
    """A live bar on a terminal; nothing in pipes and logs, where the table at the end says it all."""
    if context.json or not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from operations.run_plan import chosen

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        total = len(chosen(system, datasets or ()))
        task = bar.add_task("collecting", total=min(total, limit or total))
        yield lambda run: bar.update(task, advance=1, description=run.dataset[:30])
