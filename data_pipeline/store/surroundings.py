"""What rules may know beside the rows of a batch, from storage and calendars: read when a rule asks, not before."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from config.errors import ConfigError
from config.settings import Settings
from data_pipeline.store.distinct import Distinct, NotDelivered
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version, Views

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Around", "Neighbours", "content_since"]


class Neighbours:
    """Makes the surroundings of batches. Thread-safe: one instance serves all workers of a process."""

    def __init__(self, distinct: Distinct, results: Results, views: Views, settings: Settings) -> None:
        self._distinct = distinct
        self._results = results
        self._views = views
        self._settings = settings

    def forget(self) -> None:
        """Let go of the values of other datasets, which are kept for the batches of one run."""
        self._distinct.forget()

    def version(self, dataset: str, version: str) -> Version | None:
        """A stored version; None: there is none of this name, or none was asked for."""
        return self._views.version(dataset, version) if version else None

    def of(self, dataset: str, last_good: Version | None, *, content: str = "", pieces: Sequence[str] = ()) -> "Around":
        """What stands around one batch.

        Args:
            last_good: The version that readers of the dataset see.
            content: SHA-256 of what the provider sent; "": it is not held against what it sent before.
            pieces: Keys of the pieces in the batch.
        """
        since = content_since(last_good, content, pieces)
        return Around(dataset, last_good, since, self._distinct, self._results, self._views, self._settings)


class Around:
    """The surroundings of one batch, all chunks of which see the same versions. Not thread-safe.

    Attributes:
        looked_at: Dataset -> the version of it that rules looked at.
    """

    __slots__ = (
        "_before",
        "_dataset",
        "_distinct",
        "_neighbours",
        "_results",
        "_settings",
        "_since",
        "_sought",
        "_views",
        "looked_at",
    )

    def __init__(
        self,
        dataset: str,
        before: Version | None,
        since: datetime | None,
        distinct: Distinct,
        results: Results,
        views: Views,
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._dataset = dataset
        self._before = before
        self._since = since
        self._distinct = distinct
        self._results = results
        self._views = views
        self._neighbours: dict[str, Version] = {}
        self._sought = False
        self.looked_at: dict[str, str] = {}

    def values_of(self, dataset: str, column: str) -> "pa.Array":
        """The different values of a column of another dataset's table, without null.

        Raises:
            CannotJudge: there is no such dataset or column, nothing was delivered of it yet, or it is too large.
            StoreError: a file cannot be read.
        """
        from data_pipeline.validate.kernels.columns import CannotJudge

        try:
            version = self._neighbours.get(dataset)
            if version is None:
                version = self._neighbours[dataset] = self._distinct.version(dataset)
            found = self._distinct.values(version, column)
        except NotDelivered as error:
            raise CannotJudge(str(error)) from error
        self.looked_at[dataset] = version.version
        return found

    def before(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch] | None":
        """These columns, in this order, of the version that readers see now; None: none is whole, or it lacks one.

        Raises:
            StoreError: a file cannot be read.
        """
        version = self._whole_before()
        if version is None or not set(columns) <= set(self._results.schema(version.path).names):
            return None
        self.looked_at[self._dataset] = version.version
        return self._results.batches(version.path, columns)

    def unchanged_since(self) -> datetime | None:
        """Since when the dataset's content is the very content of this batch; None: it is news."""
        return self._since

    def elapsed(self, since: datetime, within: float, calendar: str) -> float:
        """Seconds that may go by since a moment until `within` seconds of open days have; in the dataset's zone.

        Raises:
            CannotJudge: there is no such calendar, or its holidays cannot be read.
        """
        from zoneinfo import ZoneInfo

        from data_pipeline.scheduling.calendars import calendar_of
        from data_pipeline.validate.kernels.columns import CannotJudge

        try:
            zone = ZoneInfo(self._settings.dataset(self._dataset).zone or "UTC")
            lasts = calendar_of(self._settings, calendar).lasts(since, within, zone)
        except ConfigError as error:
            raise CannotJudge(str(error)) from error
        return timedelta.max.total_seconds() if lasts is None else (lasts - since).total_seconds()

    def _whole_before(self) -> Version | None:
        if not self._sought and self._before is not None:
            self._sought = True
            if self._results.damage(self._before) is not None:
                self._before = self._results.last_good(self._views.current_of(self._dataset))
        return self._before


def content_since(last_good: Version | None, content: str, pieces: Sequence[str]) -> datetime | None:
    """Since when the provider sends this content; None: the version before came with another."""
    if last_good is None or not content:
        return None
    body = last_good.body
    if body["content_sha256"] != content or tuple(body.get("pieces", ())) != tuple(pieces):
        return None
    return datetime.fromisoformat(body.get("content_since") or body["collected_at"])
