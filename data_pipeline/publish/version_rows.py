"""The rows of a stored version, as sinks want them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from data_pipeline.publish.sink import Rows
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["VersionRows"]


class VersionRows:
    """The rows of a version, as sinks want them."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def rows_of(self, version: Version) -> Rows:
        """All rows that readers see with this version.

        Raises:
            StoreError: the version's file is gone or damaged.
        """
        return Rows(self._results.schema(version.path), lambda: self._checked(version))

    def added_by(self, version: Version) -> Rows:
        """The rows that this version added to those before: its batch, without those that were there already."""
        batch, added = version.body.get("batch") or version.path, version.body.get("added")
        if added == "":
            return Rows(self._results.schema(batch), lambda: iter(()))
        if (path := added or batch) == version.path:
            return self.rows_of(version)
        return Rows(self._results.schema(path), lambda: self._results.batches(path))

    def _checked(self, version: Version) -> "Iterator[pa.RecordBatch]":
        self._results.check(version)
        yield from self._results.batches(version.path)
