"""Quarantined rows that somebody exported, mended in a file, and gives back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from config.datasets import DatasetSettings
from data_pipeline.dataset import Collected, Payload, Provenance
from data_pipeline.errors import PipelineError
from data_pipeline.export import cell
from data_pipeline.mending.replay import Mended
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parse import parse
from data_pipeline.python_values import values_of
from data_pipeline.store.quarantine_files import Aside, shown
from data_pipeline.validate.quarantine import BATCH, OWN, ROW
from utils.arrow import compute, pa

__all__ = ["MendedFile"]

_HINT = "begin with the file that `quarantine show DATASET --output rows.csv` writes, and change cells only"


@dataclass(frozen=True, slots=True)
class MendedFile:
    """The rows of a file as texts. `runs`: those whose rows are in it."""

    path: Path
    rows: "pa.Table"
    runs: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, dataset: DatasetSettings, run_id: str | None) -> "MendedFile":
        """A CSV, JSON, Parquet or Arrow file, by its content.

        Args:
            run_id: Whose rows these are, where the file does not say it.

        Raises:
            PipelineError: it cannot be read, or does not say which row is which.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PipelineError(f"{path}: {error.strerror or error}", hint="name a file that can be read") from error
        rows = _texts(path, content, dataset)
        if ROW not in rows.schema.names:
            raise PipelineError(f"{path}: it has no column `{ROW}`, so nobody knows which rows these are", hint=_HINT)
        if BATCH not in rows.schema.names:
            if run_id is None:
                raise PipelineError(
                    f"{path}: it has no column `{BATCH}`, so nobody knows which run brought these rows",
                    hint="name the run: --run RUN_ID",
                )
            rows = rows.append_column(BATCH, pa.repeat(pa.scalar(run_id), rows.num_rows))
        for name in (BATCH, ROW):
            if rows.column(name).null_count:
                raise PipelineError(f"{path}: a row has no `{name}`", hint=_HINT)
        runs = tuple(sorted(compute.unique(rows.column(BATCH)).to_pylist()))
        if run_id is not None:
            runs = tuple(run for run in runs if run == run_id)
        return cls(path, rows, runs)

    def none(self) -> Mended:
        return Mended((), {})

    def of(self, aside: Aside) -> tuple[Mended, int]:
        """The rows of one batch that wait still, and how many of the file do not.

        Raises:
            PipelineError: a row stands there twice, or has a column that was never exported.
        """
        kept = shown(aside.rows)
        mine = self.rows.filter(compute.equal(self.rows.column(BATCH), aside.rows.column(BATCH)[0]))
        numbers = self._numbers(mine)
        strange = [name for name in mine.schema.names if name not in kept.schema.names and name not in OWN]
        if strange:
            raise PipelineError(f"{self.path}: the quarantined rows have no column `{strange[0]}`", hint=_HINT)
        there = np.isin(numbers, aside.numbers)
        order = np.argsort(numbers[there], kind="stable")
        mine = mine.filter(pa.array(there)).take(pa.array(order))
        numbers = numbers[there][order]
        kept = kept.take(pa.array(np.searchsorted(aside.numbers, numbers)))
        data = [name for name in kept.schema.names if name not in OWN and name in mine.schema.names]
        cells = {name: found for name in data if (found := _changed(kept.column(name), mine.column(name))) is not None}
        return Mended(tuple(numbers.tolist()), _by_own_names(cells)), int((~there).sum())

    def _numbers(self, rows: "pa.Table") -> Any:
        try:
            found = np.asarray(rows.column(ROW).cast(pa.int64()).to_numpy(), np.int64)
        except pa.ArrowInvalid as error:
            raise PipelineError(f"{self.path}: a value of `{ROW}` is no row number: {error}", hint=_HINT) from error
        values, counts = np.unique(found, return_counts=True)
        if (counts > 1).any():
            raise PipelineError(
                f"{self.path}: row {values[counts > 1][0]} stands there twice", hint="leave one of them"
            )
        return found


def _texts(path: Path, content: bytes, dataset: DatasetSettings) -> "pa.Table":
    """Every cell as text, digit for digit."""
    import hashlib
    import io
    from datetime import UTC, datetime

    digest = hashlib.sha256(content).hexdigest()
    payload = Payload(open=lambda: io.BytesIO(content), size=len(content), sha256=digest, name=path.name)
    provenance = Provenance(provider="file", collected_at=datetime.now(UTC), content_sha256=digest)
    collected = Collected(provenance=provenance, payloads=(payload,))
    options = ParseOptions(flatten=False)
    first = parse(collected, dataset=dataset.name, options=options)
    text = {name: ColumnOptions(type="string") for name in first.schema.names}
    return parse(collected, dataset=dataset.name, options=options, columns=text).table


def _changed(kept: Any, mine: Any) -> "pa.Array | None":
    """Cells that are not as they were exported, "" for no value, null for the others; None: all are as they were."""
    before = [cell(value) for chunk in kept.chunks for value in values_of(chunk)]
    now = [value or "" for value in mine.to_pylist()]
    if before == now:
        return None
    return pa.array([None if old == new else new for old, new in zip(before, now, strict=True)], pa.string())


def _by_own_names(cells: "dict[str, pa.Array]") -> "dict[str, pa.Array]":
    return {name[:-1] if name.removesuffix("_") in OWN else name: found for name, found in cells.items()}
