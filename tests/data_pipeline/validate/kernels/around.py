"""Surroundings of a test's own making."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from data_pipeline.validate.kernels.columns import CannotJudge
from utils.arrow import pa
from utils.calendars import Calendar


class Made:
    """What is around a batch, in memory. `asked`: the columns of the version before that were asked for."""

    def __init__(
        self,
        before: "pa.Table | None" = None,
        *,
        values: "Mapping[tuple[str, str], pa.Array] | None" = None,
        since: datetime | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self._calendar = calendar
        self._before = before
        self._values = values or {}
        self._since = since
        self.asked: list[tuple[str, ...]] = []

    def values_of(self, dataset: str, column: str) -> "pa.Array":
        if (dataset, column) not in self._values:
            raise CannotJudge(f"there is no `{dataset}`")
        return self._values[dataset, column]

    def before(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch] | None":
        self.asked.append(tuple(columns))
        if self._before is None or not set(columns) <= set(self._before.column_names):
            return None
        return iter(self._before.select(list(columns)).to_batches())

    def unchanged_since(self) -> datetime | None:
        return self._since

    def elapsed(self, since: datetime, within: float, calendar: str) -> float:
        if self._calendar is None:
            raise CannotJudge(f"there is no calendar `{calendar}`")
        lasts = self._calendar.lasts(since, within, UTC)
        return float("inf") if lasts is None else (lasts - since).total_seconds()
