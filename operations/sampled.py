"""Some of the rows that broke a rule, with their values: the same ones whoever asks, never the first."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import StoreError
from data_pipeline.export import cell
from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem
from operations.quarantine import rows

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Sampled", "sampled", "text_of"]

MOST = 20
"""Rows that a report shows of a dataset."""

MOST_COLUMNS = 12
MOST_TEXT = 120


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was set aside: its number in the batch from 1, the rules that it broke, its cells as text."""

    number: int
    rules: tuple[str, ...]
    cells: tuple[str | None, ...]

    def to_json(self) -> dict[str, Any]:
        return {"row": self.number, "rules": list(self.rules), "cells": list(self.cells)}


@dataclass(frozen=True, slots=True)
class Sampled:
    """Rows of a batch that were set aside.

    Attributes:
        of: How many were set aside in all.
        columns: Of the cells; those that broken rules speak of come first. `left_out`: columns that are not shown.
    """

    of: int
    columns: tuple[str, ...]
    left_out: int
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "of": self.of,
            "columns": list(self.columns),
            "columns_left_out": self.left_out,
            "rows": [row.to_json() for row in self.rows],
        }


def sampled(system: IntegratedSystem, version: Version, report: Report) -> Sampled | None:
    """Some rows that the batch left in quarantine, of each broken rule; None: it left none, or they are gone.

    The quarantine's file is read part by part: its size does not matter.
    """
    waiting = (one for one in system.views.quarantined(version.dataset) if one.waits)
    entry = next((one for one in waiting if one.run_id == version.version), None)
    if entry is None:
        return None
    from data_pipeline.validate.quarantine import OWN, ROW, RULES

    try:
        if wanted := _wanted(report):
            found = [row for batch in system.results.batches(entry.path) for row in _of(batch, wanted)]
        else:  # an earlier release judged it
            found = rows(system, version.dataset, version.version, limit=MOST).table.to_pylist()
    except StoreError:
        return None
    if not found:
        return None
    named = [column for outcome in report.outcomes if outcome.failed for column in outcome.columns]
    columns = sorted((name for name in found[0] if name not in OWN), key=lambda name: name not in named)
    shown = columns[:MOST_COLUMNS]
    found.sort(key=lambda row: int(row[ROW]))
    told = tuple(Row(row[ROW], tuple(row[RULES]), tuple(text_of(row[name]) for name in shown)) for row in found)
    return Sampled(entry.rows, tuple(shown), len(columns) - len(shown), told)


def _wanted(report: Report) -> frozenset[int]:
    """The numbers of the rows to show: of each broken rule in turn one, until there are enough."""
    samples = [list(numbers) for numbers in report.samples.values()]
    found: dict[int, None] = {}
    while any(samples) and len(found) < MOST:
        for numbers in samples:
            if numbers and len(found) < MOST:
                found[numbers.pop(0)] = None
    return frozenset(found)


def _of(batch: "pa.RecordBatch", wanted: frozenset[int]) -> list[dict[str, Any]]:
    from data_pipeline.validate.quarantine import ROW
    from utils.arrow import compute, pa

    mask = compute.is_in(batch.column(ROW), value_set=pa.array(sorted(wanted), pa.int64()))
    found: list[dict[str, Any]] = batch.filter(mask).to_pylist()
    return found


def text_of(value: Any) -> str | None:
    """A cell as text, cut where it is long; None: it is empty."""
    if value is None:
        return None
    text = cell(value)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
