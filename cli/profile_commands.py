"""`profile`: what the columns of a dataset look like."""

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import OK, Context, command
from cli.output import print_json, say, table

if TYPE_CHECKING:
    from operations.profile import ColumnProfile


def register(app: typer.Typer) -> None:
    command(app)(profile)


def profile(
    context: Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.")],
    batch: Annotated[bool, typer.Option("--batch", help="The batch collected last, held or accepted.")] = False,
) -> int:
    """What its columns look like: empty cells, different values, range, mean, quantiles, lengths, ages."""
    from operations.profile import profile as ask
    from operations.report_words import percent
    from operations.show import instead
    from operations.words import count_of, duration, moment

    if not batch and (words := instead(context.system, dataset)):
        print(f"{dataset}: {words}", file=sys.stderr)
    found = ask(context.system, dataset, last_batch=batch)
    if context.json:
        print_json(found.to_json())
        return OK
    empty = "" if found.nulls is None else f", {percent(found.nulls)} of the cells empty"
    old = "" if found.data_age_s is None else f"; the data is {duration(found.data_age_s)} old"
    size = f"{count_of(found.rows, 'row')}, {count_of(len(found.columns), 'column')}{empty}"
    say(f"{dataset}: {size}; collected {moment(found.collected_at)}{old}")
    if found.columns:
        say()
        table(COLUMNS, [_row(column) for column in found.columns], right=COLUMNS[2:])
    return OK


COLUMNS = ("column", "type", "empty", "distinct", "min", "p05", "p50", "p95", "max", "mean", "std", "length", "age")
_LONGEST = 24


def _row(one: "ColumnProfile") -> tuple[str, ...]:
    from operations.report_words import percent
    from operations.words import duration

    distinct = "" if one.distinct is None else f"{'' if one.distinct_exact else '~'}{one.distinct:,}"
    lengths = "" if one.length_min is None else f"{one.length_min:,} to {one.length_max:,}"
    numbers = [_value(one.min), *map(_value, (one.p05, one.p50, one.p95)), _value(one.max)]
    mean = _value(one.mean) if one.true is None else f"{percent(one.true)} true"
    age = "" if one.age_s is None else duration(one.age_s)
    empty = "" if one.null_share is None else percent(one.null_share)
    return one.column, one.type, empty, distinct, *numbers, mean, _value(one.std), lengths, age


def _value(value: int | float | Decimal | str | None) -> str:
    """Numbers as they are, floats to six digits, texts to so many characters."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    return f"{value:,}"
