"""The different values of a column of a delivered table: what others ask one by one for, or look their own up in."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from config.errors import ConfigError
from config.settings import Settings
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version, Views

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Distinct", "NotDelivered"]

_PENDING = 2**18
"""Values that are collected before those that came twice are taken out."""


class NotDelivered(LookupError):
    """There is no such dataset, nothing was delivered of it yet, or its table has no such column."""


class Distinct:
    """Reads accepted, undamaged versions only, and remembers what it read. Thread-safe.

    Args:
        settings: Which datasets there are; `app.memory_limit`: half of it may be taken, by one column and by all that
            is remembered. What was asked for longest ago is forgotten first.
    """

    def __init__(self, settings: Settings, results: Results, views: Views) -> None:
        self._settings = settings
        self._results = results
        self._views = views
        self._limit = settings.app.memory_limit // 2
        self._read: OrderedDict[tuple[str, str, str], pa.Array] = OrderedDict()
        self._lock = threading.Lock()

    def each(self, dataset: str, column: str) -> Iterator[Any]:
        """The values as Python's own, in order of appearance, without null.

        Raises:
            NotDelivered: nothing is there to be read.
            StoreError: a file cannot be read.
        """
        from data_pipeline.python_values import values_of

        return iter(values_of(self.values(self.version(dataset), column)))

    def version(self, dataset: str) -> Version:
        """The version that readers of a dataset see.

        Raises:
            NotDelivered: no such dataset, or nothing was delivered of it yet.
        """
        try:
            self._settings.dataset(dataset)
        except ConfigError as error:
            raise NotDelivered(str(error)) from error
        version = self._results.last_good(self._views.current_of(dataset))
        if version is None:
            raise NotDelivered(f"nothing was delivered of dataset `{dataset}` yet; `run {dataset}` first")
        return version

    def values(self, version: Version, column: str) -> "pa.Array":
        """The values in order of appearance, without null and NaN. Read once a version.

        Raises:
            NotDelivered: the table has no such column, or the values need too much memory.
            StoreError: a file cannot be read.
        """
        key = (version.dataset, version.version, column)
        with self._lock:
            if (found := self._read.get(key)) is not None:
                self._read.move_to_end(key)
                return found
        names = self._results.schema(version.path).names
        if column not in names:
            known = ", ".join(f"`{name}`" for name in names[:20])
            raise NotDelivered(f"dataset `{version.dataset}` has no column `{column}`; it has {known}")
        found = self._whole(version, column)
        with self._lock:
            self._read[key] = found
            while sum(array.nbytes for array in self._read.values()) > self._limit:
                self._read.popitem(last=False)
        return found

    def forget(self) -> None:
        """Let go of all that is remembered."""
        with self._lock:
            self._read.clear()

    def _whole(self, version: Version, column: str) -> "pa.Array":
        from data_pipeline.validate.kernels.columns import column_type, loader_of
        from utils.arrow import pa

        kind = self._results.schema(version.path).field(column).type
        load = loader_of(kind)
        kept, since = [pa.array([], column_type(kind))], 0
        for batch in self._results.batches(version.path, [column]):
            loaded = batch.column(0) if load is None else load(batch.column(0))
            kept.append(loaded.unique().drop_null())
            since += len(kept[-1])
            if since > max(_PENDING, len(kept[0])):
                kept, since = [_unique(kept)], 0
            if sum(array.nbytes for array in kept) > self._limit:
                kept, since = [_unique(kept)], 0
                self._refuse_beyond(kept[0], version.dataset, column)
        return _unique(kept)

    def _refuse_beyond(self, found: "pa.Array", dataset: str, column: str) -> None:
        if found.nbytes > self._limit:
            raise NotDelivered(
                f"dataset `{dataset}` has more than {len(found):,} different values of `{column}`, which take more than"
                f" half of `app.memory_limit` ({self._limit * 2:,} bytes)"
            )


def _unique(arrays: "Iterable[pa.Array]") -> "pa.Array":
    from utils.arrow import pa

    return pa.chunked_array(list(arrays)).unique()
