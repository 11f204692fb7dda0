"""The paths under `/api/v1`, one file a resource: each calls one operation or query, and gives what it tells."""

from api.routes import (
    backfills,
    data,
    dataset_runs,
    datasets,
    events,
    host,
    incidents,
    letters,
    metrics,
    news,
    providers,
    quality,
    quarantine,
    runs,
    system,
    versions,
)

__all__ = ["ALL"]

ALL = tuple(
    part.routes
    for part in (
        *(datasets, dataset_runs, quality, data, versions, quarantine, runs, backfills, providers, metrics, events),
        *(incidents, letters, news, host, system),
    )
)
"""Every router, in the order of the documentation."""
