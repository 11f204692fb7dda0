"""Rules bound to a schema, once: which columns to load, which kernels to run. Kept, because schemas repeat."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.binding import bind, bind_gather, every_row_fails
from data_pipeline.validate.kernels.bounds import microseconds
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk, column_type, loader_of, unparsed_masks
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import NO_PROBLEM, Residue, RuleState, States, together
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.surroundings import Surroundings

__all__ = ["Plan", "plan_of"]

_MAX_PLANS = 4096
_plans: "dict[tuple[tuple[Rule, ...], pa.Schema], Plan]" = {}
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

    __slots__ = ("_checks", "_gathers", "_loads", "_problems", "_reads_unparsed", "_rules", "_unique", "_width")

    def __init__(self, rules: tuple[Rule, ...], schema: "pa.Schema") -> None:
        self._rules = rules
        self._width = len(schema)
        self._reads_unparsed = UNPARSED in schema.names
        columns = {field.name: (at, column_type(field.type)) for at, field in enumerate(schema)}
        excused = {rule.columns[0] for rule in rules if rule.kind == "type" and rule.quarantines}
        self._problems: dict[int, str] = {}
        self._checks: list[tuple[int, Check, bool]] = []
        self._unique: list[tuple[int, list[int]]] = []
        self._gathers: list[tuple[int, Gather]] = []
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
        elif (gather := bind_gather(rule, columns)) is not None:
            self._gathers.append((index, gather))

    def observe(self, batches: "Iterable[pa.RecordBatch]", now: datetime, around: "Surroundings") -> States:
        """The state of all rules after these record batches, in one pass."""
        size = len(self._rules)
        failed, of = [0] * size, [0] * size
        gathered: list[Gathered | None] = [None] * size
        problems = dict(self._problems)
        residues = []
        rows = 0
        now_us = microseconds(now)
        kept: dict[Any, Any] = {}
        for batch in batches:
            chunk = self._chunk(batch, now_us, around, kept)
            rows += chunk.rows
            masks: dict[int, Any] = {}
            for index, check, quarantines in self._checks:
                try:
                    judged, mask = check(chunk)
                except (CannotJudge, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = _words(error)
                    judged, mask = every_row_fails(chunk)
                of[index] += judged
                if mask is not None and (count := mask.true_count):
                    failed[index] += count
                    if quarantines:
                        masks[index] = compute.fill_null(mask, False) if mask.null_count else mask
            for index, gather in self._gathers:
                try:
                    gathered[index] = together(gathered[index], gather(chunk))
                except (CannotJudge, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = _words(error)
            keys = {index: tuple([chunk.arrays[at] for at in places]) for index, places in self._unique}
            residues.append(Residue(chunk.rows, masks, keys, frozenset(chunk.unparsed) or NO_PROBLEM))
        told = [frozenset({problems[index]}) if index in problems else NO_PROBLEM for index in range(size)]
        of_rules = tuple(map(RuleState, failed, of, gathered, told))
        return States(self._rules, now, rows, of_rules, tuple(residues))

    def _chunk(self, batch: "pa.RecordBatch", now_us: int, around: "Surroundings", kept: dict[Any, Any]) -> Chunk:
        arrays: list[Any] = [None] * self._width
        for at, load in self._loads:
            column = batch.column(at)
            arrays[at] = column if load is None else load(column)
        unparsed = unparsed_masks(batch) if self._reads_unparsed else _NO_CELLS
        return Chunk(arrays, batch.num_rows, unparsed, now_us, around, kept)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CannotJudge) else f"cannot be judged: {error}"
