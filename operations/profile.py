"""What the stored table of a dataset looks like, column by column, with everything that can be measured."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrated_system import IntegratedSystem
from operations.show import delivered
from utils.events import rfc3339

if TYPE_CHECKING:
    from data_pipeline.profile import Column

__all__ = ["ColumnProfile", "TableProfile", "profile"]

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column; what its type does not have is None.

    Attributes:
        type: Of Arrow.
        nulls: Cells without a value (NaN is none); `null_share` 0..1, None without rows.
        distinct: Different values: exact up to 1,024 (`distinct_exact`), then within about 2 %.
        min, max: Of numbers, as they are; of texts in the order of their code points; of times RFC 3339.
        mean, std: Of numbers; rounded once.
        p05, p50, p95, p99: Quantiles of numbers, within 1 %.
        infinite: Numbers that are; left out of all else.
        length_min, length_max, length_mean: Of texts in characters, of binary values in bytes.
        true: Share of true among booleans.
        age_s: Seconds from the newest time to now.
    """

    column: str
    type: str
    nulls: int
    null_share: float | None
    distinct: int | None = None
    distinct_exact: bool | None = None
    min: Number | str | None = None
    max: Number | str | None = None
    mean: float | None = None
    std: float | None = None
    p05: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    infinite: int | None = None
    length_min: int | None = None
    length_max: int | None = None
    length_mean: float | None = None
    true: float | None = None
    age_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Without what is None, but for the share of nulls; decimals as text, digit for digit."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {name: value for name, value in named.items() if value is not None or name == "null_share"}
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in kept.items()}


@dataclass(frozen=True, slots=True)
class TableProfile:
    """The table that readers of a dataset see, or its last batch.

    Attributes:
        collected_at: RFC 3339.
        nulls: Share of empty cells, 0..1; None without cells.
        data_age_s: Seconds since the data's own time, where it has one.
        notes: What to know about the table.
    """

    dataset: str
    collected_at: str
    rows: int
    nulls: float | None
    data_age_s: float | None
    columns: tuple[ColumnProfile, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "collected_at": self.collected_at,
            "rows": self.rows,
            "nulls": self.nulls,
            "data_age_s": self.data_age_s,
            "columns": [column.to_json() for column in self.columns],
            "notes": list(self.notes),
        }


def profile(system: IntegratedSystem, dataset: str, *, last_batch: bool = False) -> TableProfile:
    """Measure the rows that readers see now; with `last_batch` the batch collected last, held or accepted.

    The table is read once, part by part, whatever its size.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing was ever delivered, or it cannot be read.
    """
    from data_pipeline import profile as measuring

    batch = delivered(system, dataset, last_batch=last_batch)
    now, provenance = system.clock.now(), batch.provenance
    found = measuring.profile(batch, measuring.EVERYTHING)
    age = None if provenance.data_time is None else (now - provenance.data_time).total_seconds()
    return TableProfile(
        dataset,
        rfc3339(provenance.collected_at),
        found.rows,
        found.metrics()["nulls"],
        age,
        tuple(ColumnProfile(name, **dict(_told(column, now))) for name, column in found.columns.items()),
        provenance.notes,
    )


def _told(column: "Column", now: datetime) -> Iterator[tuple[str, Any]]:
    from data_pipeline.profile.figures import of_column

    yield "type", ", ".join(sorted(column.types))
    yield "nulls", column.nulls
    figures: dict[str, Any] = dict(of_column(column, now))
    yield "null_share", figures.pop("nulls")
    if column.distinct is not None:
        yield "distinct", int(figures.pop("distinct") or 0)
        yield "distinct_exact", column.distinct.exact
    if (numbers := column.numbers) is not None:
        figures |= {"min": numbers.low, "max": numbers.high, "infinite": numbers.infinite}
    if (texts := column.texts) is not None:
        figures |= {"min": texts.first, "max": texts.last}
        figures |= {"length_min": texts.shortest, "length_max": texts.longest}
    if (times := column.times) is not None:
        figures |= {"min": _moment(times.oldest), "max": _moment(times.newest)}
    yield from figures.items()


def _moment(nanoseconds: int | None) -> str | None:
    """As text, to the microsecond; what no calendar reaches as it is, in nanoseconds since 1970."""
    if nanoseconds is None:
        return None
    try:
        return rfc3339(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1_000))
    except OverflowError:
        return f"{nanoseconds} ns"
