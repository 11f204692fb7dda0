"""Commands about anomalies: `detect`, and `detect feedback`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cli.command import MOST, OK, Context, UsageError, command, with_options
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.detect import Backtest, Detected
    from operations.feedback import Given

_WITH_VALUE = ("--config", "--state-dir")
_INNER = "orchestrator.detect"
MOST_AHEAD = 10

Metrics = Annotated[list[str] | None, typer.Argument(help="DATASET or DATASET.METRIC; default: all.")]


class _Detect(TyperGroup):
    """`detect orders` asks about orders; a word that is a command of the group is one, wherever options stand."""

    allow_interspersed_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        place = next((place for place in range(len(args)) if _is_word(args, place)), None)
        if place is None or args[place] not in self.commands:
            return super().parse_args(ctx, args)
        ctx.meta[_INNER] = (args[place], [*args[:place], *args[place + 1 :]])
        return super().parse_args(ctx, [])

    def invoke(self, ctx: Any) -> Any:
        if _INNER not in ctx.meta:
            return super().invoke(ctx)
        name, args = ctx.meta[_INNER]
        with self.commands[name].make_context(name, args, parent=ctx) as inner:
            return inner.command.invoke(inner)


def _is_word(args: Sequence[str], place: int) -> bool:
    return not args[place].startswith("-") and (place == 0 or args[place - 1] not in _WITH_VALUE)


def register(app: typer.Typer) -> None:
    group = typer.Typer(cls=_Detect, help="What is unlikely, and what you say about it.", rich_markup_mode=None)
    group.callback(invoke_without_command=True)(with_options(detect))
    command(group)(feedback)
    app.add_typer(group, name="detect")


def detect(
    context: Context,
    metric: Metrics = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="What would have been told of all that is stored.")
    ] = False,
    reaches: Annotated[
        float | None, typer.Option(metavar="VALUE", help="When the named figures reach this value, if they grow.")
    ] = None,
) -> int:
    """What the detectors find unlikely in the metric history."""
    from operations import detect as ask

    if reaches is not None:
        if backtest:
            raise UsageError("--backtest looks back and --reaches ahead", hint="leave one of them out")
        return _say_reaches(context, metric or [], reaches)
    if backtest:
        tested = ask.backtest(context.system, metric or [])
        if context.json:
            print_json(tested.to_json())
        else:
            _say_backtest(tested)
        return OK
    found = ask.detect(context.system, metric or [])
    if context.json:
        print_json(found.to_json())
    else:
        _say_detected(found)
    return OK


def feedback(
    context: Context,
    metric: Metrics = None,
    not_an_anomaly: Annotated[
        str | None, typer.Option(metavar="AT", help="The anomaly of that time is fine; `last`: the newest one.")
    ] = None,
    all_since: Annotated[str | None, typer.Option(metavar="AT", help="All that was told since then is fine.")] = None,
    normal_since: Annotated[str | None, typer.Option(metavar="AT", help="What was before is no past any more.")] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="FROM..TO", help="This time is neither learned from nor judged.")
    ] = None,
    take_back: Annotated[
        int | None, typer.Option(min=1, max=MOST, metavar="NUMBER", help="This counts no more.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
) -> int:
    """Say that something was fine; without an option: what was said."""
    from operations import feedback as do
    from operations.actor import local_user

    chosen = [one for one in (not_an_anomaly, all_since, normal_since, exclude, take_back) if one is not None]
    if len(chosen) > 1:
        raise UsageError("one thing at a time", hint="give one of the options, and say the other in a second command")
    names, system = metric or [], context.system
    if not_an_anomaly is not None:
        said = do.not_an_anomaly(system, local_user(), names, not_an_anomaly, reason=reason)
    elif all_since is not None:
        said = do.fine_since(system, local_user(), names, all_since, reason=reason)
    elif normal_since is not None:
        said = do.normal_since(system, local_user(), names, normal_since, reason=reason)
    elif exclude is not None:
        said = do.exclude(system, local_user(), names, exclude, reason=reason)
    elif take_back is not None:
        said = do.take_back(system, local_user(), take_back)
    else:
        said = do.given(system, names)
    if context.json:
        print_json(said.to_json())
    elif take_back is not None:
        say(f"{take_back} is taken back.")
    else:
        _say_given(said, "Nothing was told since then." if all_since else "Nothing was said yet.")
    return OK


def _say_reaches(context: Context, metrics: Sequence[str], value: float) -> int:
    from operations.ahead import reaches

    found = reaches(context.system, metrics, value)
    if context.json:
        print_json({"reaches": [one.to_json() for one in found]})
    else:
        for one in found:
            say(f"{one.series} {one.words}")
    return OK


def _say_detected(found: "Detected") -> None:
    several = any(len(one.figures) > 1 for one in found.incidents)
    if found.incidents:
        rows = [
            (
                *((f"{number} {one.of}", f"{figure.share:.0%}") if several else ()),
                *(figure.dataset, figure.metric, _when(figure.time), figure.severity, figure.reason),
            )
            for number, one in enumerate(found.incidents, start=1)
            for figure in one.figures
        ]
        together = ("incident", "share") if several else ()
        table((*together, "dataset", "metric", "when", "severity", "why"), rows, right=together[1:])
    else:
        say(f"Nothing unlikely in {found.judged} series.")
    if found.learning:
        series, words = next(iter(found.learning.items()))
        say(f"{len(found.learning)} series are not judged yet, e.g. {series} ({words})")
    for one in found.ahead[:MOST_AHEAD]:
        say(f"ahead: {one.dataset}.{one.metric} {one.words}")
    if len(found.ahead) > MOST_AHEAD:
        say(f"… and {len(found.ahead) - MOST_AHEAD} more (see --json)")


def _say_backtest(found: "Backtest") -> None:
    if found.episodes:
        table(
            ("dataset", "metric", "since", "severity", "why"),
            [
                (a.get("dataset") or a["series"], a["metric"], _when(a["since"]), a["severity"], a["reason"])
                for a in found.episodes
            ],
        )
    from operations.words import count_of

    told = count_of(len(found.episodes), "episode")
    say(f"{told} would have been told in {count_of(found.judged, 'point')}. At other sensitivities:")
    table(
        ("rate", "episodes", "per 1,000 points"),
        [(f"{one.rate:g}", f"{one.episodes:,}", f"{one.per_1000:g}") for one in found.sensitivities],
        right=("rate", "episodes", "per 1,000 points"),
    )


def _say_given(given: "Given", nothing: str) -> None:
    if not given.said:
        say(nothing)
        return
    table(
        ("number", "of", "what", "since", "until", "by", "reason"),
        [
            (
                one.number,
                one.shown,
                {"fine": "fine", "normal_since": "normal since", "excluded": "excluded"}[one.kind],
                _when(one.since),
                "-" if one.until is None else _when(one.until),
                one.actor,
                one.reason or "-",
            )
            for one in given.said
        ],
        right=("number",),
    )


def _when(time: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
