"""The schema contract: columns that are new, missing or of another type than the table's, and what happens then.

A column without any value has no type and never drifts. Values that the table's type holds exactly (a whole number in a
column of fractions, a date in one of moments) are brought to it without a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from config.datasets import DriftSettings
from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.store.gate import Objection
from data_pipeline.store.widening import DELETED, as_type, lossless
from data_pipeline.validate.engine import Validation
from data_pipeline.validate.quarantine import Marks
from data_pipeline.validate.report import RuleOutcome
from utils.arrow import compute, pa

__all__ = ["Contracted", "Drift", "contract"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A column that is not as it was. `change`: new, missing, changed; `old`, `new`: types in words."""

    column: str
    change: str
    old: str | None
    new: str | None
    policy: str

    @property
    def rule(self) -> str:
        """The reason that rows are quarantined with."""
        return f"schema({self.change}: {self.column})"

    def __str__(self) -> str:
        if self.change == "new":
            return f"column `{self.column}` is new ({self.new})"
        if self.change == "missing":
            return f"column `{self.column}` ({self.old}) is missing"
        return f"column `{self.column}` changed from {self.old} to {self.new}"

    def to_json(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "change": self.change,
            "old": self.old,
            "new": self.new,
            "policy": self.policy,
        }


@dataclass(frozen=True, slots=True)
class Contracted:
    """A batch after the contract.

    Attributes:
        objection: Why it must be held, if it must.
        marks: For each record batch the rows that the contract sets aside, by drift.
        without: Columns that do not enter the table.
    """

    batch: Batch
    drifts: tuple[Drift, ...] = ()
    objection: Objection | None = None
    marks: tuple[dict[Drift, Any], ...] = ()
    without: frozenset[str] = frozenset()

    def judged(self, validation: Validation) -> Validation:
        """The validation of this batch, with what the contract sets aside among the quarantined rows."""
        if not any(self.marks):
            return replace(validation, without=self.without) if self.without else validation
        marks = tuple(_marked(mark, mine) for mark, mine in zip(validation.marks, self.marks, strict=True))
        outcomes = [_outcome(drift, self.marks, validation.report.rows) for drift in self.drifts]
        report = replace(
            validation.report,
            quarantined=sum(mark.bad.true_count for mark in marks if mark.bad is not None),
            outcomes=(*validation.report.outcomes, *(outcome for outcome in outcomes if outcome.failed)),
        )
        return Validation(report, marks, self.without)


def contract(batch: Batch, table: "pa.Schema", policy: DriftSettings) -> Contracted:
    """Hold a batch against the columns that the table has."""
    found = tuple(_drifts(batch, table, policy))
    stopped = [drift for drift in found if drift.policy in {"hold", "freeze"}]
    if stopped:
        return Contracted(batch, found, _objection(stopped))
    fits = {
        field.name: table.field(field.name).type
        for field in batch.schema
        if field.name in table.names and field.type != table.field(field.name).type
    }
    by_name = {drift.column: drift for drift in found}
    evolving = {name for name, drift in by_name.items() if drift.policy == "evolve"}
    casts = {name: kind for name, kind in fits.items() if name not in evolving and not pa.types.is_null(kind)}
    without = {d.column for d in found if d.change == "new" and d.policy.startswith("discard")}
    rows_of = {d.column: d for d in found if d.policy == "discard_row"}
    if not casts and not without:
        return Contracted(batch, found)
    marks: list[dict[Drift, Any]] = []
    parts = _parts(batch, casts, rows_of, marks)
    schema = pa.schema([pa.field(field.name, casts.get(field.name, field.type)) for field in batch.schema])
    if any(drift.change == "changed" for drift in rows_of.values()) and UNPARSED not in schema.names:
        schema = schema.append(pa.field(UNPARSED, pa.string()))
    settled = Batch.from_batches(
        (_under(part, schema) for part in parts),
        schema=schema,
        provenance=batch.provenance,
        memory_limit=batch.memory_limit,
    )
    return Contracted(settled, found, None, tuple(marks), frozenset(without))


def _drifts(batch: Batch, table: "pa.Schema", policy: DriftSettings) -> Iterator[Drift]:
    for field in batch.schema:
        if field.name == UNPARSED or pa.types.is_null(field.type):
            continue
        if field.name not in table.names:
            yield Drift(field.name, "new", None, str(field.type), policy.new)
            continue
        old = table.field(field.name).type
        if old != field.type and not pa.types.is_null(old) and not _holds(batch, field.name, old):
            yield Drift(field.name, "changed", str(old), str(field.type), policy.changed)
    for field in table:
        if field.name not in batch.schema.names and field.name != DELETED and not pa.types.is_null(field.type):
            yield Drift(field.name, "missing", str(field.type), None, policy.missing)


def _holds(batch: Batch, name: str, kind: "pa.DataType") -> bool:
    """Whether the table's type holds every value of a column as it is."""
    return all(lossless(part.column(name), kind) is not None for part in batch.batches())


def _objection(stopped: list[Drift]) -> Objection:
    told = ", ".join(f"{drift} (schema.{drift.change}: {drift.policy})" for drift in stopped)
    return Objection(told, critical=any(drift.policy == "freeze" for drift in stopped))


def _parts(
    batch: Batch, casts: "dict[str, pa.DataType]", rows_of: dict[str, Drift], marks: list[dict[Drift, Any]]
) -> "Iterator[dict[str, Any]]":
    """The columns of each record batch, in the table's types; fills `marks` on the way."""
    for part in batch.batches():
        if not part.num_rows:
            continue  # a batch keeps no empty parts, and marks must stay beside theirs
        columns = dict(zip(part.schema.names, part.columns, strict=True))
        mine: dict[Drift, Any] = {}
        unfit: dict[str, Any] = {}
        for name, kind in casts.items():
            exact = lossless(columns[name], kind)
            if exact is None:
                exact, misfits = _cell_by_cell(columns[name], kind)
                if (drift := rows_of.get(name)) is not None and misfits.any():
                    mine[drift] = pa.array(misfits)
                    unfit[name] = (as_type(columns[name], pa.string()), misfits)
            columns[name] = exact
        for name, drift in rows_of.items():
            if drift.change == "new" and columns[name].null_count < part.num_rows:
                mine[drift] = columns[name].is_valid()
        if unfit:
            columns[UNPARSED] = _told(columns.get(UNPARSED), unfit, part.num_rows)
        marks.append(mine)
        yield {"__rows__": part.num_rows, **columns}


def _under(columns: dict[str, Any], schema: "pa.Schema") -> "pa.RecordBatch":
    rows = columns["__rows__"]
    arrays = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cell_by_cell(array: "pa.Array", kind: "pa.DataType") -> tuple["pa.Array", Any]:
    """The cells that the type holds, null for the others, and which those are. Each different value is tried once."""
    encoded = array.dictionary_encode() if not pa.types.is_nested(array.type) else None
    values = encoded.dictionary if encoded is not None else array
    tried = [_cell(values[at : at + 1], kind) for at in range(len(values))]
    fitting = pa.array([None if cell is None else cell.as_py() for cell in tried], kind)
    if encoded is not None:
        fitting = fitting.take(encoded.indices)
    misfits = compute.and_(fitting.is_null(), array.is_valid())
    return fitting, np.asarray(misfits.to_numpy(zero_copy_only=False)).astype(np.bool_)


def _cell(one: "pa.Array", kind: "pa.DataType") -> "pa.Scalar | None":
    try:
        found = one.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return found[0] if found[0].is_valid else None


def _told(before: "pa.Array | None", unfit: dict[str, Any], rows: int) -> "pa.Array":
    """The hidden column of cells as sent, with those that the contract set aside."""
    cells = [orjson.loads(text) if text else {} for text in before.to_pylist()] if before is not None else None
    cells = cells if cells is not None else [{} for _ in range(rows)]
    for name, (text, misfits) in unfit.items():
        for at in np.nonzero(misfits)[0].tolist():
            cells[at][name] = text[at].as_py()
    return pa.array([orjson.dumps(cell).decode() if cell else None for cell in cells], pa.string())


def _marked(mark: Marks, mine: dict[Drift, Any]) -> Marks:
    if not mine:
        return mark
    bad = mark.bad
    for mask in mine.values():
        bad = mask if bad is None else compute.or_(bad, mask)
    reasons = (*mark.reasons, *((drift.rule, mask) for drift, mask in mine.items()))
    unparsed = mark.unparsed | {drift.column for drift in mine if drift.change == "changed"}
    return Marks(mark.rows, reasons, bad, unparsed)


def _outcome(drift: Drift, marks: tuple[dict[Drift, Any], ...], rows: int) -> RuleOutcome:
    """As the outcome of a rule, so that counts and reasons stand where those of rules do; it weighs nothing."""
    failed = sum(mine[drift].true_count for mine in marks if drift in mine)
    return RuleOutcome(
        rule=drift.rule,
        kind="schema",
        columns=(drift.column,),
        severity="error",
        dimension="consistency",
        weight=0.0,
        tolerance=1.0,
        failed=failed,
        of=rows,
        passed=True,
        detail=f"{drift}; {failed:,} rows are set aside (schema.{drift.change}: discard_row)",
    )
