"""Rules bound to a schema, once: which columns to load, which kernels to run. Kept, because schemas repeat."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.binding import bind, every_row_fails, present
from data_pipeline.validate.kernels.bounds import microseconds, storage_of
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk, column_type, loader_of, unparsed_masks
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import NO_PROBLEM, Residue, RuleState, States
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["Plan", "plan_of"]

_MAX_PLANS = 4096
_plans: "dict[tuple[tuple[Rule, ...], pa.Schema], Plan]" = {}
_max = compute.get_function("max")
_NO_CELLS: "dict[str, pa.BooleanArray]" = {}


def plan_of(rules: tuple[Rule, ...], schema: "pa.Schema") -> "Plan":
    """The plan for these rules on this schema, made at the first time."""
    key = (rules, schema)
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        plan = _plans[key] = Plan(rules, schema)
    return plan


class Plan:
    """How to turn record batches of one schema into states."""

    __slots__ = ("_checks", "_fresh", "_loads", "_problems", "_reads_unparsed", "_rules", "_unique", "_width")

    def __init__(self, rules: tuple[Rule, ...], schema: "pa.Schema") -> None:
        self._rules = rules
        self._width = len(schema)
        self._reads_unparsed = UNPARSED in schema.names
        columns = {field.name: (at, column_type(field.type)) for at, field in enumerate(schema)}
        excused = {rule.columns[0] for rule in rules if rule.kind == "type" and rule.quarantines}
        self._problems: dict[int, str] = {}
        self._checks: list[tuple[int, Check, bool]] = []
        self._unique: list[tuple[int, list[int]]] = []
        self._fresh: list[tuple[int, int, Fraction]] = []
        needed: set[int] = set()
        for index, rule in enumerate(rules):
            try:
                self._add(index, rule, columns, excused)
                needed |= {columns[name][0] for name in rule.columns}
            except CannotJudge as error:
                self._problems[index] = str(error)
                if rule.judges_rows:
                    self._checks.append((index, every_row_fails, rule.quarantines))
        self._loads = [(at, loader_of(schema.field(at).type)) for at in sorted(needed)]

    def _add(self, index: int, rule: Rule, columns: "Mapping[str, tuple[int, pa.DataType]]", excused: set[str]) -> None:
        if rule.judges_rows:
            check = bind(rule, columns, excused=excused)
            if check is None:
                self._unique.append((index, [columns[name][0] for name in rule.columns]))
            else:
                self._checks.append((index, check, rule.quarantines))
        elif rule.kind == "fresh":
            present(rule, columns)
            at, type_ = columns[rule.columns[0]]
            storage = storage_of(type_)
            if storage is not None and storage.is_time:
                self._fresh.append((index, at, storage.per_unit))
            elif not pa.types.is_null(type_):
                raise CannotJudge(f"column `{rule.columns[0]}` is {type_}: it holds no times")

    def observe(self, batches: "Iterable[pa.RecordBatch]", now: datetime) -> States:
        """The state of all rules after these record batches, in one pass."""
        size = len(self._rules)
        failed, of = [0] * size, [0] * size
        newest: list[int | None] = [None] * size
        problems = dict(self._problems)
        residues = []
        rows = 0
        now_us = microseconds(now)
        for batch in batches:
            chunk = self._chunk(batch, now_us)
            rows += chunk.rows
            masks: dict[int, Any] = {}
            for index, check, quarantines in self._checks:
                try:
                    judged, mask = check(chunk)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = f"cannot be judged: {error}"
                    judged, mask = every_row_fails(chunk)
                of[index] += judged
                if mask is not None and (count := mask.true_count):
                    failed[index] += count
                    if quarantines:
                        masks[index] = compute.fill_null(mask, False) if mask.null_count else mask
            for index, at, per_unit in self._fresh:
                newest[index] = _later(newest[index], _newest_us(chunk.arrays[at], per_unit))
            keys = {index: tuple([chunk.arrays[at] for at in places]) for index, places in self._unique}
            residues.append(Residue(chunk.rows, masks, keys, frozenset(chunk.unparsed) or NO_PROBLEM))
        told = [frozenset({problems[index]}) if index in problems else NO_PROBLEM for index in range(size)]
        of_rules = tuple(map(RuleState, failed, of, newest, told))
        return States(self._rules, now, rows, of_rules, tuple(residues))

    def _chunk(self, batch: "pa.RecordBatch", now_us: int) -> Chunk:
        arrays: list[Any] = [None] * self._width
        for at, load in self._loads:
            column = batch.column(at)
            arrays[at] = column if load is None else load(column)
        unparsed = unparsed_masks(batch) if self._reads_unparsed else _NO_CELLS
        return Chunk(arrays, batch.num_rows, unparsed, now_us)


def _newest_us(array: "pa.Array", per_unit: "Fraction") -> int | None:
    found = _max.call([array]) if array.null_count < len(array) else None
    if found is None:
        return None
    return int(found.value * 10**6 * per_unit.denominator // per_unit.numerator)


def _later(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None or other < one else other
