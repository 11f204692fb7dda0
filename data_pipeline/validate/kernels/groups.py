"""Figures of groups of rows while the rows go by: one line a group, lines of the same group put together.

The state is a table: the key of each group and, for each figure, columns that add up or keep the least and greatest
value. Tables of parts stand side by side until it pays to put them together: no group is looked up for each chunk.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipeline.validate.aggregates import Fold
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.compare import Value
from data_pipeline.validate.kernels.exact_sums import FLOAT, sliced, total
from utils.arrow import compute, pa

__all__ = ["MOST_GROUPS", "Groups", "figure", "in_order", "lines"]

MOST_GROUPS = 1_000_000
"""Groups of one rule. With five figures they take about 100 bytes each, five times that while they are put together."""

_PENDING = 2**17
"""Lines that wait beside those that are together, at least; else as many as those."""

_TABLES = 64
"""Tables that stand side by side, at most: few groups in many chunks make many small ones."""

_OPERATIONS = {"n": "sum", "s": "sum", "p": "sum", "m": "sum", "l": "min", "h": "max"}
"""First letter of a column -> how lines become one: n counts values, s.scale.bin adds slices, p and m count infinite
values, l and h keep the least and the greatest value. The number of the figure follows; k0, k1 … are the key."""


class Groups:
    """What is known of all groups. Equal when all figures of all groups are.

    Attributes:
        keys: How many columns the key has; 0: all rows are one group.
        problem: Why nothing is known; empty: all is well.
    """

    __slots__ = ("_tables", "keys", "problem")

    def __init__(self, keys: int, tables: "Sequence[pa.Table]" = (), problem: str = "") -> None:
        self.keys = keys
        self.problem = problem
        self._tables = () if problem else tuple(tables)

    def merge(self, other: "Groups") -> "Groups":
        tables = (*self._tables, *other._tables)
        found = Groups(self.keys, tables, self.problem or other.problem)
        lines = [table.num_rows for table in found._tables]
        waiting = sum(lines) - max(lines, default=0)
        return found.together() if waiting > max(_PENDING, *lines, 0) or len(lines) > _TABLES else found

    def together(self) -> "Groups":
        """The same with one line a group."""
        if len(self._tables) < 2:
            return self._bounded(self._tables)
        try:
            whole = pa.concat_tables(self._tables, promote_options="default")
        except pa.ArrowInvalid as error:
            return Groups(self.keys, problem=f"parts of the batch hold other types: {error}")
        return self._bounded((_one_line_each(whole, self.keys),))

    def _bounded(self, tables: "tuple[pa.Table, ...]") -> "Groups":
        if sum(table.num_rows for table in tables) <= MOST_GROUPS:
            return Groups(self.keys, tables, self.problem)
        return Groups(self.keys, problem=f"there are more than {MOST_GROUPS:,} groups, which is the most that are kept")

    @property
    def lines(self) -> "pa.Table":
        """One line a group, in no order; of `together()`."""
        return self._tables[0] if self._tables else pa.table({})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Groups):
            return False
        mine, its = self.together(), other.together()
        if (mine.keys, mine.problem) != (its.keys, its.problem):
            return False
        return _told(in_order(mine.lines, self.keys)) == _told(in_order(its.lines, self.keys))

    __hash__ = None  # type: ignore[assignment]  # it is compared in tests only

    def to_bytes(self) -> bytes:
        """An Arrow IPC stream; keys and problem stand in the schema's metadata."""
        whole = self.together()
        table = (whole._tables[0] if whole._tables else pa.table({})).replace_schema_metadata(
            {"keys": str(whole.keys), "problem": whole.problem}
        )
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Groups":
        with pa.ipc.open_stream(found) as stream:
            table = stream.read_all()
        told = table.schema.metadata
        tables = (table.replace_schema_metadata(None),) if table.num_columns else ()
        return cls(int(told[b"keys"]), tables, told[b"problem"].decode())


def lines(chunk: Chunk, folds: Sequence[Fold], values: Mapping[str, Value], by: Sequence[int]) -> Groups:
    """What one chunk tells of its groups. A row without a value in its key belongs to none.

    Args:
        values: What gives the part of each figure, by the figure's name.
        by: Where the columns of the key are.

    Raises:
        CannotJudge: a figure cannot be made of these values.
    """
    columns: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for number, at in enumerate(by):
        key = chunk.arrays[at]
        columns[f"k{number}"] = compute.add(key, pa.scalar(0.0, key.type)) if pa.types.is_floating(key.type) else key
    for number, fold in enumerate(folds):
        if fold.part is None:
            columns[f"n{number}"] = pa.repeat(pa.scalar(1, pa.int64()), chunk.rows)
        elif fold.name in values:
            name = fold.name.removeprefix(fold.op)
            if name not in known:
                known[name] = values[fold.name].of(chunk)
            columns |= _figure(number, fold.op, known[name])
    table = pa.table(columns)
    for name in _key(len(by)):
        if table[name].null_count:
            table = table.filter(table[name].is_valid())
    return Groups(len(by), (_one_line_each(table, len(by)),) if table.num_rows else ())


def _figure(number: int, op: str, found: Any) -> dict[str, Any]:
    import numpy as np

    exact = found if isinstance(found, list) else None  # Python's numbers, of more digits than Arrow's types have
    if exact is not None:
        there = np.array([number is not None for number in exact], np.int64)
    else:
        found = pa.nulls(len(found)) if found.null_count == len(found) else found
        there = found.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
    if op == "count":
        return {f"n{number}": there}
    if op != "sum":
        values = _as_floats(exact, op) if exact is not None else found
        return {f"{letter}{number}": values for letter in {"min": "l", "max": "h"}.get(op, "lh")}
    columns: dict[str, Any] = {f"n{number}": there}
    for slices in sliced(found) if there.any() else ():
        columns |= {f"s{number}.{slices.scale}.{k}": part for k, part in slices.bins.items()}
        if slices.infinite is not None:
            columns[f"p{number}"] = (slices.infinite > 0).astype(np.int64)
            columns[f"m{number}"] = (slices.infinite < 0).astype(np.int64)
    return columns


def _as_floats(values: list[Any], op: str) -> "pa.Array":
    if not any(isinstance(number, float) for number in values):
        raise CannotJudge(f"numbers of so many digits have no `{op}`")
    return pa.array([None if number is None else float(number) for number in values])


def figure(table: "pa.Table", number: int, fold: Fold) -> "pa.Array":
    """A figure of all groups of a table with one line each.

    Raises:
        CannotJudge: a sum has too many digits.
    """
    if fold.op != "sum":
        letter = {"count": "n", "max": "h"}.get(fold.op, "l")
        return _column(table, f"{letter}{number}")
    count = table[f"n{number}"].to_numpy()
    bins = _bins(table).get(number, {})
    sums = [total(scale, found, count) for scale, found in sorted(bins.items(), reverse=True)]
    if not sums:
        return total(0, {}, count)
    if FLOAT in bins:
        return _with_infinite(table, number, sums)
    found = sums[0]
    for other in sums[1:]:  # parts of which one had more digits after the point
        found = compute.add(*(array.cast(pa.decimal256(76 - 2 * max(bins), max(bins))) for array in (found, other)))
    return found


def _with_infinite(table: "pa.Table", number: int, sums: "list[pa.Array]") -> "pa.Array":
    found = sums[-1]
    for exact in sums[:-1]:
        found = compute.add(found, exact.cast(pa.float64()))
    if f"p{number}" not in table.column_names:
        return found
    up, down = (compute.greater(_column(table, f"{letter}{number}"), 0) for letter in "pm")
    infinite = compute.if_else(up, float("inf"), float("-inf"))
    found = compute.if_else(compute.or_(up, down), infinite, found)
    return compute.if_else(compute.and_(up, down), pa.scalar(None, pa.float64()), found)


def _column(table: "pa.Table", name: str) -> "pa.Array":
    found: pa.Array = table[name].combine_chunks()
    return found


def _key(keys: int) -> list[str]:
    return [f"k{number}" for number in range(keys)]


def in_order(table: "pa.Table", keys: int) -> "pa.Table":
    """The lines in the order of their keys."""
    return table.sort_by([(name, "ascending") for name in _key(keys)]) if keys and table.num_rows else table


def _told(table: "pa.Table") -> dict[str, list[Any]]:
    """What the lines say, whatever slices their sums consist of."""
    found = {name: table[name].to_pylist() for name in table.column_names if name[0] != "s"}
    for number, bins in _bins(table).items():
        count = table[f"n{number}"].to_numpy()
        found |= {f"s{number}.{scale}": total(scale, some, count).to_pylist() for scale, some in bins.items()}
    return found


def _bins(table: "pa.Table") -> dict[int, dict[int, dict[int, Any]]]:
    """The slices of all sums: figure -> scale -> bin."""
    found: dict[int, dict[int, dict[int, Any]]] = {}
    for name in table.column_names:
        if name[0] == "s":
            number, scale, k = map(int, name[1:].split("."))
            found.setdefault(number, {}).setdefault(scale, {})[k] = table[name].to_numpy()
    return found


def _one_line_each(table: "pa.Table", keys: int) -> "pa.Table":
    operations = [(name, _OPERATIONS[name[0]]) for name in table.column_names if name[0] != "k"]
    if keys:
        found = table.group_by(_key(keys), use_threads=False).aggregate(operations)
        columns = {name: found[name] for name in _key(keys)}
        columns |= {name: found[f"{name}_{operation}"] for name, operation in operations}
    else:
        columns = {name: _alone(operation, table[name]) for name, operation in operations}
    counted = {name: compute.fill_null(columns[name], 0) for name, operation in operations if operation == "sum"}
    return pa.table({**columns, **counted})


def _alone(operation: str, column: "pa.ChunkedArray") -> "pa.Array":
    found = compute.call_function(operation, [column])
    return pa.array([found.as_py()], pa.int64()) if operation == "sum" else pa.repeat(found, 1)
