"""Which quarantined rows pass the rules as they are now, judged beside the rows that they came with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from config.datasets import DatasetSettings
from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED, Provenance
from data_pipeline.drift import Drift, contract
from data_pipeline.errors import BatchNotDelivered
from data_pipeline.mending.belonging import Belonging
from data_pipeline.mending.beside import Beside, places
from data_pipeline.store.widening import visible
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.rules import Rule
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.surroundings import Surroundings

__all__ = ["Judge", "Passed", "stored"]

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Passed:
    """The rows that join, and why the others do not.

    Attributes:
        positions: Which of ours pass all rules, beside each other and the rows they came with.
        reasons: Position of each that does not -> the rules that it breaks.
        whole: The batch with those that pass in it; None: none does.
        rows: Those that pass, with the columns that are stored.
        validation: Of the whole.
        drifts: What the columns of ours differ in from the table's.
    """

    positions: tuple[int, ...]
    reasons: dict[int, list[str]]
    whole: Batch | None = None
    rows: "pa.Table | None" = None
    validation: Validation | None = None
    drifts: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges our rows beside the others of their batch.

    Args:
        contracted: The table's columns are the contract, for the configuration that says what they are is the same.
        around: What rules look at beside the batch.
    """

    dataset: DatasetSettings
    place: Belonging
    rules: Sequence[Rule]
    provenance: Provenance
    now: datetime
    memory_limit: int
    contracted: bool
    around: "Callable[[], Surroundings]"

    def passed(self, ours: "pa.Table", numbers: Any) -> Passed:
        """Leave out who fails, until nobody does: who failed may be why another did.

        Raises:
            BatchNotDelivered: the schema contract holds such columns.
        """
        left = np.arange(ours.num_rows)
        reasons: dict[int, list[str]] = {}
        while len(left):
            batch, validation, mine, drifts = self.judged(ours.take(pa.array(left)), numbers[left])
            failing = _reasons(validation, mine)
            if not failing:
                rows = _rows(batch, mine, validation.without)
                return Passed(tuple(left.tolist()), reasons, batch, rows, validation, drifts)
            reasons |= {int(left[position]): why for position, why in failing.items()}
            left = np.delete(left, list(failing))
        return Passed((), reasons)

    def judged(self, ours: "pa.Table", numbers: Any) -> tuple[Batch, Validation, Mask, tuple[Drift, ...]]:
        """The batch with all of these rows in it: it, what the rules say, which rows are ours, and new columns."""
        place = self.place
        at = np.full(len(numbers), place.rows) if place.missing is None else places(numbers, place.missing)
        at = np.minimum(at, place.rows)
        beside = Beside(place.others, place.schema, ours, at)
        mine = np.zeros(place.rows + len(numbers), np.bool_)
        mine[beside.positions] = True
        batch = Batch(
            beside.schema,
            beside.batches,
            rows=len(mine),
            nbytes=ours.nbytes,
            provenance=self.provenance,
            memory_limit=self.memory_limit,
        )
        found = contract(batch, place.table, self.dataset.drift) if self.contracted else None
        if found is not None:
            if found.objection is not None:
                raise BatchNotDelivered(
                    f"{self.dataset.name}: {found.objection.reason}",
                    hint="mend the column, or say in `schema` that such columns are welcome",
                )
            batch = found.batch
        validation = validate(batch, self.rules, now=self.now, surroundings=self.around())
        if found is not None:
            validation = found.judged(validation)
        return batch, validation, mine, () if found is None else found.drifts


def _reasons(validation: Validation, mine: Mask) -> dict[int, list[str]]:
    """By position among ours the rules that a row breaks. What the others break is told, and they stay."""
    found: dict[int, list[str]] = {}
    start = before = 0
    for mark in validation.marks:
        here = mine[start : start + mark.rows]
        if mark.bad is not None and here.any():
            for reason, mask in mark.reasons:
                for position in np.nonzero(_mask(mask)[here])[0].tolist():
                    found.setdefault(before + position, []).append(reason)
        before += int(here.sum())
        start += mark.rows
    return found


def _rows(batch: Batch, mine: Mask, without: frozenset[str]) -> "pa.Table":
    """Ours, with the columns that are stored."""
    schema = visible(batch.schema, {UNPARSED, *without})
    parts, start = [], 0
    for part in batch.batches():
        here = mine[start : start + part.num_rows]
        start += part.num_rows
        if here.any():
            parts.append(part.select(schema.names).filter(pa.array(here)))
    return pa.Table.from_batches(parts, schema=schema)


def stored(batch: Batch, without: frozenset[str]) -> Batch:
    """A batch with the columns that are stored, all of its rows good."""
    schema = visible(batch.schema, {UNPARSED, *without})
    return Batch(
        schema,
        lambda: (part.select(schema.names) for part in batch.batches()),
        rows=batch.rows,
        nbytes=batch.nbytes,
        provenance=batch.provenance,
        memory_limit=batch.memory_limit,
    )


def _mask(found: Any) -> Mask:
    return np.asarray(compute.fill_null(found, False).to_numpy(zero_copy_only=False)).astype(np.bool_)
