"""The different values of a column of a delivered table: what another dataset is asked for one by one."""

from collections.abc import Iterator
from typing import Any

from config.errors import ConfigError
from config.settings import Settings
from data_pipeline.errors import ProviderRefused
from data_pipeline.python_values import values_of
from data_pipeline.store.results import Results
from data_pipeline.store.views import Views


def distinct(settings: Settings, results: Results, views: Views, dataset: str, column: str) -> Iterator[Any]:
    """In order of appearance, without null.

    Raises:
        ProviderRefused: there is no such dataset, nothing was delivered of it yet, or its table has no such column.
    """
    try:
        settings.dataset(dataset)
    except ConfigError as error:
        raise ProviderRefused(f"for_each: {error}", hint="look at `for_each.dataset`") from error
    version = results.last_good(views.current_of(dataset))
    if version is None:
        raise ProviderRefused(
            f"for_each: nothing was delivered of dataset `{dataset}` yet", hint=f"run it first: `run {dataset}`"
        )
    names = results.schema(version.path).names
    if column not in names:
        known = ", ".join(f"`{name}`" for name in names[:20])
        raise ProviderRefused(
            f"for_each: dataset `{dataset}` has no column `{column}`; it has {known}",
            hint="look at `for_each.column`: it uses the new names of `columns`",
        )
    seen: set[Any] = set()
    for batch in results.batches(version.path):
        for value in values_of(batch.column(column).unique()):
            if value is not None and value not in seen:
                seen.add(value)
                yield value
