"""Rules bound to a schema, once: which columns to load, which kernels to run. Kept, because schemas repeat."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.binding import bind, bind_gather, every_row_fails, gathers, reads_of
from data_pipeline.validate.kernels.bounds import microseconds
from data_pipeline.validate.kernels.columns import (
    CannotJudge,
    Check,
    Chunk,
    column_type,
    loader_of,
    unparsed_masks,
    where_true,
)
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import NO_PROBLEM, Part, Residue, RuleState, States, together
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from data_pipeline.validate.kernels.segments import Tallied
    from data_pipeline.validate.kernels.where import Prepare

__all__ = ["Plan", "plan_of"]

_Load = tuple[int, str, "Callable[[pa.Array], pa.Array] | None"]
"""Place and name of a column, and what makes it ready for the kernels."""

_SHARE = 4
"""Of a batch's memory limit this part, one in so many, may be keys of `unique` rules; more go to a file."""

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

    __slots__ = (
        "_checks",
        "_columns",
        "_gathers",
        "_loads",
        "_loads_of",
        "_names",
        "_prepares",
        "_problems",
        "_reads_unparsed",
        "_rules",
        "_sharers",
        "_tallied",
        "_width",
    )

    def __init__(self, rules: tuple[Rule, ...], schema: "pa.Schema") -> None:
        self._rules = rules
        self._width = len(schema)
        self._reads_unparsed = UNPARSED in schema.names
        columns = {field.name: (at, column_type(field.type)) for at, field in enumerate(schema)}
        excused = {rule.columns[0] for rule in rules if rule.kind == "type" and rule.quarantines}
        self._problems: dict[int, str] = {}
        self._checks: list[tuple[int, Check, bool]] = []
        self._tallied: list[tuple[int, Tallied, bool]] = []
        self._gathers: list[tuple[int, Gather]] = []
        self._prepares: dict[int, Prepare] = {}
        loads: dict[int, _Load] = {}
        self._loads_of: dict[int, list[_Load]] = {}
        for index, rule in enumerate(rules):
            try:
                self._add(index, rule, columns, excused)
                names = reads_of(rule, columns)
                mine = [(columns[name][0], name, loader_of(schema.field(name).type)) for name in names]
                self._loads_of[index] = mine
                loads |= {load[0]: load for load in mine}
            except CannotJudge as error:
                self._problems[index] = str(error)
                if rule.judges_rows:
                    self._checks.append((index, every_row_fails, rule.quarantines))
        self._loads = [loads[at] for at in sorted(loads)]
        hidden = [UNPARSED] if self._reads_unparsed else []
        needed = [name for _, name, _ in self._loads] + hidden
        self._names = needed if 0 < len(needed) < self._width else None
        self._columns = tuple([(name, str(columns[name][1])) for _, name, _ in self._loads])
        self._sharers = max(1, sum(rules[index].judges_rows for index, _ in self._gathers))

    def _add(self, index: int, rule: Rule, columns: "Mapping[str, tuple[int, pa.DataType]]", excused: set[str]) -> None:
        if rule.where or rule.by:
            self._add_portion(index, rule, columns, excused)
        elif gathers(rule):
            self._gathers.append((index, bind_gather(rule, columns)))
        elif rule.judges_rows:
            self._checks.append((index, bind(rule, columns, excused=excused), rule.quarantines))

    def _add_portion(
        self, index: int, rule: Rule, columns: "Mapping[str, tuple[int, pa.DataType]]", excused: set[str]
    ) -> None:
        """A rule with `where` or `by`: what it needs is imported for it alone."""
        from data_pipeline.validate.kernels.portions import bind_portion, bind_tallied, gather_portion, preparation

        if gathers(rule):
            self._gathers.append((index, gather_portion(rule, columns)))
            if rule.judges_rows and (prepare := preparation(rule, columns)) is not None:
                self._prepares[index] = prepare
        elif rule.by:
            self._tallied.append((index, bind_tallied(rule, columns, excused=excused), rule.quarantines))
        else:
            self._checks.append((index, bind_portion(rule, columns, excused=excused), rule.quarantines))

    def observe(self, batch: "Batch", now: datetime, around: "Surroundings", part: str | None = None) -> States:
        """The state of all rules after these rows, in one pass."""
        size = len(self._rules)
        failed, of = [0] * size, [0] * size
        gathered: list[Gathered | None] = [None] * size
        problems = dict(self._problems)
        residues = []
        rows = 0
        now_us = microseconds(now)
        memory = batch.memory_limit // _SHARE // self._sharers
        kept: dict[Any, Any] = {}

        def note(index: int, judged: int, mask: "pa.BooleanArray | None", masks: dict[int, Any] | None) -> None:
            of[index] += judged
            if mask is not None and (count := mask.true_count):
                failed[index] += count
                if masks is not None:
                    masks[index] = where_true(mask)

        for batch_ in batch.batches(self._names):
            chunk = self._chunk(batch_, self._loads, now_us, around, kept, memory)
            rows += chunk.rows
            masks: dict[int, Any] = {}
            for index, check, quarantines in self._checks:
                try:
                    judged, mask = check(chunk)
                except (CannotJudge, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = _words(error)
                    judged, mask = every_row_fails(chunk)
                note(index, judged, mask, masks if quarantines else None)
            for index, by_segment, quarantines in self._tallied:
                try:
                    judged, mask, counts = by_segment(chunk)
                    gathered[index] = together(gathered[index], counts)
                except (CannotJudge, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = _words(error)
                    judged, mask = every_row_fails(chunk)
                note(index, judged, mask, masks if quarantines else None)
            for index, gather in self._gathers:
                try:
                    gathered[index] = together(gathered[index], gather(chunk))
                except (CannotJudge, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    problems[index] = _words(error)
            residues.append(Residue(chunk.rows, masks, frozenset(chunk.unparsed) or NO_PROBLEM))
            del batch_, chunk  # or they would lie beside the next ones while those are read
        told = [frozenset({problems[index]}) if index in problems else NO_PROBLEM for index in range(size)]
        of_rules = tuple(map(RuleState, failed, of, gathered, told))
        again = self.again(batch, now, around) if self._gathers else None
        return States(self._rules, now, rows, of_rules, (Part(self._columns, tuple(residues), again, part),))

    def again(
        self, batch: "Batch", now: datetime, around: "Surroundings" = NOTHING_AROUND
    ) -> Callable[[int], Iterator[Chunk]]:
        """What gives the chunks of these rows once more, with the columns of the rule with an index only."""

        def chunks(index: int) -> Iterator[Chunk]:
            loads, prepare = self._loads_of[index], self._prepares.get(index)
            now_us, kept = microseconds(now), dict[Any, Any]()
            names = [name for _, name, _ in loads] + ([UNPARSED] if self._reads_unparsed else [])
            for found in batch.batches(names if len(names) < self._width else None):
                chunk = self._chunk(found, loads, now_us, around, kept, batch.memory_limit)
                yield chunk if prepare is None else prepare(chunk)

        return chunks

    def _chunk(
        self,
        batch: "pa.RecordBatch",
        loads: list[_Load],
        now_us: int,
        around: "Surroundings",
        kept: dict[Any, Any],
        memory: int,
    ) -> Chunk:
        arrays: list[Any] = [None] * self._width
        whole = batch.num_columns == self._width
        for at, name, load in loads:
            column = batch.column(at if whole else name)
            arrays[at] = column if load is None else load(column)
        unparsed = unparsed_masks(batch) if self._reads_unparsed else _NO_CELLS
        return Chunk(arrays, batch.num_rows, unparsed, now_us, around, kept, memory)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CannotJudge) else f"cannot be judged: {error}"
