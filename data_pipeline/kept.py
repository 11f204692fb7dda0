"""What the main database holds: its tables, release by release, and the views that the log keeps up to date."""

from data_pipeline import backfill_views, objective_views
from data_pipeline.publish.views import SCHEMA as PUBLICATIONS
from data_pipeline.publish.views import PublicationViews
from data_pipeline.store import decisions, provider_counters, quarantine_views, run_views, views
from utils import events, history, transaction_views
from utils.events import cursors, segments
from utils.events.projections import Projection

__all__ = ["MIGRATIONS", "projections"]

MIGRATIONS = (
    ";".join((events.SCHEMA, history.SCHEMA, views.SCHEMA)),
    views.FILES_SCHEMA,
    PUBLICATIONS,
    provider_counters.SCHEMA,
    segments.SCHEMA,
    history.LEVELS_SCHEMA,
    cursors.SCHEMA,
    transaction_views.SCHEMA,
    objective_views.SCHEMA,
    decisions.SCHEMA,
    quarantine_views.SCHEMA,
    run_views.SCHEMA,
    backfill_views.SCHEMA,
)
"""Scripts in order. One that was released is never changed: what is new is one more at the end."""


def projections() -> tuple[Projection, ...]:
    """The views, made anew for each log that keeps them."""
    return (
        views.PipelineViews(),
        PublicationViews(),
        provider_counters.ProviderCounters(),
        transaction_views.TransactionViews(),
        objective_views.ObjectiveViews(),
        backfill_views.BackfillViews(),
    )
