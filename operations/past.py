"""Runs, datasets and versions as they were at a moment of the past, read from the log."""

from data_pipeline.store.views import Views
from integrated_system import IntegratedSystem
from operations.moments import past_moment

__all__ = ["views_at"]


def views_at(system: IntegratedSystem, as_of: str | None) -> Views:
    """The views as the log left them at a moment (RFC 3339); None: those of now.

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
        StateError: the log cannot be read as far as that.
    """
    return system.views if as_of is None else Views(system.past.at(past_moment(as_of, system.clock.now())))
