"""What the main database holds: its tables, release by release, and the views that the log keeps up to date.

Those of the line and those of what watches and tells, in one list: only here both are known. Who adds a table appends
a script at the end of `MIGRATIONS`, after whatever stands there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from config.variables import Secrets, without_user_part
from data_pipeline import backfill_views, budget_views, objective_views, promise_views
from data_pipeline.detect import feedback_views, watch_table
from data_pipeline.publish.views import SCHEMA as PUBLICATIONS
from data_pipeline.publish.views import PublicationViews
from data_pipeline.scheduling import views as scheduling_views
from data_pipeline.store import cache_counters, decisions, projection, provider_counters, quarantine_views, run_views
from monitoring import service_views
from monitoring.alerting import outbox_table
from monitoring.alerting import views as incident_views
from utils import api_tokens, events, history, idempotency, transaction_views
from utils.clock import Clock
from utils.events import cursors, segments
from utils.events.projections import Projection
from utils.state import Kept

if TYPE_CHECKING:
    from utils.storage.object_storage import ObjectStore

__all__ = ["MIGRATIONS", "kept", "projections"]

MIGRATIONS = (
    ";".join((events.FIRST_SCHEMA, history.SCHEMA, projection.SCHEMA)),
    projection.FILES_SCHEMA,
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
    scheduling_views.SCHEMA,
    promise_views.SCHEMA,
    ";".join((events.LINKED_SCHEMA, segments.NAMED_SCHEMA)),
    feedback_views.SCHEMA,
    incident_views.SCHEMA,
    outbox_table.SCHEMA,
    idempotency.SCHEMA,
    api_tokens.SCHEMA,
    watch_table.SCHEMA,
    service_views.SCHEMA,
    budget_views.SCHEMA,
    cache_counters.SCHEMA,
)
"""Scripts in order. One that was released is never changed: what is new is one more at the end."""


def kept(settings: Settings, state_dir: Path, known: Secrets) -> Kept:
    """All that an installation keeps, and where. `known`: the secrets that are never told."""
    return Kept(
        state_dir,
        migrations=MIGRATIONS,
        projections=projections(),
        durability=settings.app.durability,
        storage=settings.storage.folder or state_dir / "storage",
        object_store=_object_store(settings) if settings.storage.in_bucket else None,
        cache_size=settings.cache.size_limit,
        cache_url=settings.cache.url,
        database_url=settings.database.url,
        chain_secrets=settings.database.chain_secret,
        redacted=lambda text: known.redacted(without_user_part(text)),
        granted=known.granted,
    )


def _object_store(settings: Settings) -> "Callable[[Clock, Callable[[], str]], ObjectStore]":
    def opened(clock: Clock, secret: Callable[[], str]) -> "ObjectStore":
        from data_pipeline.store.bucket import Bucket

        return Bucket(settings.storage.url, settings.storage.options, clock, secret)

    return opened


def projections() -> tuple[Projection, ...]:
    """The views, made anew for each log that keeps them."""
    return (
        projection.PipelineViews(),
        PublicationViews(),
        provider_counters.ProviderCounters(),
        transaction_views.TransactionViews(),
        objective_views.ObjectiveViews(),
        backfill_views.BackfillViews(),
        scheduling_views.ScheduleViews(),
        promise_views.PromiseViews(),
        feedback_views.FeedbackViews(),
        incident_views.IncidentViews(),
        api_tokens.TokenViews(),
        service_views.ServiceViews(),
        budget_views.BudgetViews(),
        cache_counters.CacheCounters(),
    )
