"""Whether rows that were delivered are what a window waits for."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from data_pipeline.validate.done import Done, parse_done
from data_pipeline.validate.kernels.aggregate import Columns, figures_of, fold_kind
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk, column_type, loader_of
from data_pipeline.validate.kernels.compare import holds, kind_of, value
from data_pipeline.validate.kernels.groups import Groups, lines
from data_pipeline.validate.surroundings import NOTHING_AROUND
from utils.arrow import pa
from utils.expression.grammar import ExpressionError, check

if TYPE_CHECKING:
    from data_pipeline.batch import Batch

__all__ = ["done"]


def done(expression: str, rows: "Batch", *, now: datetime, zone: tzinfo) -> bool:
    """Whether the expression of a window's `done_when` is true of all these rows together.

    No rows, and nothing to compare (every value is null), are not done.

    Args:
        now: The moment whose day, in the zone, is `today`.

    Raises:
        CannotJudge: a column is missing, or holds what the expression cannot use.
    """
    asked = parse_done(expression, now.astimezone(zone).date())
    groups = _gathered(asked, rows).together()
    if groups.problem:
        raise CannotJudge(groups.problem)
    if not groups.lines.num_rows:
        return False
    figures = figures_of(groups.lines, tuple(asked.folds.values()))
    if figures.several is not None and figures.several.true_count:
        return False
    arrays, columns = list(figures.chunk.arrays), dict(figures.columns)
    for name, figure in asked.days.items():
        columns[name] = len(arrays), (array := _as_day(figures.chunk.arrays[columns[figure][0]], zone)).type
        arrays.append(array)
    try:
        check(asked.node, lambda name: kind_of(columns[name][1]), expression)
    except ExpressionError as error:
        raise CannotJudge(str(error)) from error
    chunk = Chunk(arrays, figures.chunk.rows, {}, 0, NOTHING_AROUND)
    return bool(holds(asked.node, columns)(chunk)[0].as_py())


def _gathered(asked: Done, rows: "Batch") -> Groups:
    """The figures of all rows, which are one group."""
    types = {field.name: field.type for field in rows.schema}
    if missing := [name for name in asked.columns if name not in types]:
        raise CannotJudge(f"there is no column `{missing[0]}`")
    columns: Columns = {name: (at, column_type(types[name])) for at, name in enumerate(asked.columns)}
    for fold in asked.folds.values():
        fold_kind(fold, columns, asked.text)
    folds = tuple(asked.folds.values())
    values = {fold.name: value(fold.part, columns) for fold in folds if fold.part is not None}
    loaders = [loader_of(types[name]) for name in asked.columns]
    groups = Groups(0)
    for part in rows.batches(list(asked.columns) or None):
        arrays = [part.column(name) for name in asked.columns]
        loaded = [array if load is None else load(array) for array, load in zip(arrays, loaders, strict=True)]
        groups = groups.merge(lines(Chunk(loaded, part.num_rows, {}, 0, NOTHING_AROUND), folds, values, ()))
    return groups


def _as_day(figure: "pa.Array", zone: tzinfo) -> "pa.Array":
    """The day, in the zone, on which a time falls; anything else as it is."""
    if not pa.types.is_timestamp(figure.type):
        return figure
    # To microseconds: pyarrow gives pandas' objects for nanoseconds.
    moments = figure.cast(pa.timestamp("us", "UTC"), safe=False).to_pylist()
    return pa.array([None if at is None else at.astimezone(UTC).astimezone(zone).date() for at in moments], pa.date32())
