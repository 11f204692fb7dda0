"""What is told of a profile: plain figures by column, as points of the history and in the event of the batch.

A figure of a column is a metric of its dataset, written like a rule: `mean(amount)`, `nulls(email)`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from data_pipeline.profile.batch import Profile
from data_pipeline.profile.column import Column
from utils.database import Statement
from utils.history import point

if TYPE_CHECKING:
    from data_pipeline.profile.numbers import Numbers
    from data_pipeline.profile.quantiles import Quantiles

__all__ = ["MOST_COLUMNS", "QUANTILES", "Figures", "figures", "for_event", "of_column", "points"]

Figures = Mapping[str, Mapping[str, float | None]]
"""Column -> figure -> value; None: there was nothing to measure."""

MOST_COLUMNS = 32
"""Columns whose figures are kept, the first of a batch: a table of a thousand would drown the rest of the history."""

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95, "p99": 0.99}

_NAMES_A_ROW = 1000
"""Bytes of names that points are kept under: PostgreSQL refuses to index much more than twice of it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VALUES_OF_ROWS = frozenset({"min", "max"})


def figures(profile: Profile, now: datetime) -> Figures:
    """The figures of the first columns of a profile.

    Each has `nulls` (share of cells, 0..1). Numbers have `min max mean std`, texts `length_min length_max length_mean`
    (characters), booleans `true` (share), times `age_s` (of the newest, in seconds before `now`). On demand come
    `distinct` and the quantiles `p05 p50 p95 p99` of numbers.
    """
    named = list(profile.columns.items())[:MOST_COLUMNS]
    return {name: dict(of_column(column, now)) for name, column in named}


def for_event(found: Figures) -> dict[str, dict[str, float | None]]:
    """The same without `min` and `max`, which are values of rows, and the log forgets nothing."""
    return {name: {f: v for f, v in mine.items() if f not in _VALUES_OF_ROWS} for name, mine in found.items()}


def points(dataset: str, time: float, found: Figures) -> list[Statement]:
    """The statements that append the figures to the history at a time (epoch seconds): few rows, however many they are.

    A comma in a column's name is written `%2C`: metrics that are kept together are named with commas between them. A
    column whose name alone would fill a row is left out.
    """
    layout = _layout(tuple([(name, tuple(mine)) for name, mine in found.items()]))
    return [point(dataset, time, {metric: found[column][figure] for metric, column, figure in row}) for row in layout]


@lru_cache(maxsize=4096)
def _layout(columns: tuple[tuple[str, tuple[str, ...]], ...]) -> list[list[tuple[str, str, str]]]:
    """(metric, column, figure) of each row that the figures fill; kept, because batches are alike."""
    rows: list[list[tuple[str, str, str]]] = []
    room = 0
    for name, mine in columns:
        column = name.replace(",", "%2C")
        metrics = [(f"{figure}({column})", name, figure) for figure in mine]
        size = sum([len(metric.encode()) + 1 for metric, _, _ in metrics])
        if size > _NAMES_A_ROW:
            continue
        if size > room:
            rows.append([])
            room = _NAMES_A_ROW
        rows[-1] += metrics
        room -= size
    return rows


def of_column(column: Column, now: datetime) -> Iterator[tuple[str, float | None]]:
    """Each figure of one column; see `figures`."""
    yield "nulls", column.nulls / column.cells if column.cells else None
    if column.distinct is not None:
        yield "distinct", float(column.distinct.count())
    if (numbers := column.numbers) is not None:
        yield "min", _float(numbers.low)
        yield "max", _float(numbers.high)
        yield "mean", numbers.mean
        yield "std", numbers.std
        if column.quantiles is not None:
            yield from _quantiles(column.quantiles, numbers)
    if (texts := column.texts) is not None:
        yield "length_min", _float(texts.shortest)
        yield "length_max", _float(texts.longest)
        yield "length_mean", texts.mean
    if column.truths is not None:
        yield "true", column.truths.share
    if (times := column.times) is not None:
        old = None if times.newest is None else (now - _EPOCH) / timedelta(seconds=1) - times.newest / 1e9
        yield "age_s", old


def _quantiles(found: "Quantiles", numbers: "Numbers") -> Iterable[tuple[str, float | None]]:
    for name, share in QUANTILES.items():
        value = found.quantile(share)
        if value is not None and numbers.low is not None and numbers.high is not None:
            value = min(max(value, float(numbers.low)), float(numbers.high))
        yield name, value


def _float(number: object) -> float | None:
    return None if number is None else float(number)  # type: ignore[arg-type]  # a number of any kind
