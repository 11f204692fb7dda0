"""When the provider of a dataset is asked next, as far as anybody knows."""

from datetime import datetime, timedelta
from typing import Any

from config.datasets import DatasetSettings
from integrated_system import IntegratedSystem
from operations.breakers import Breaker
from operations.promises import Attempts
from operations.words import moment
from utils.events import rfc3339

__all__ = ["next_try"]


def next_try(
    system: IntegratedSystem,
    dataset: DatasetSettings,
    breaker: Breaker | None,
    last: dict[str, Any] | None,
    attempts: Attempts | None = None,
) -> dict[str, Any]:
    """When it is asked next, in words; `at`: not before, RFC 3339.

    Args:
        breaker: The circuit of the provider.
        last: The last dataset run that was not skipped.
        attempts: Who asks for many datasets makes one for all.
    """
    now = system.clock.now()
    if breaker is not None and breaker.state == "open":
        if breaker.open_until is None:
            return _told(None, f"not before somebody closes the circuit of {breaker.provider}")
        if (at := datetime.fromisoformat(breaker.open_until)) > now:
            why = f"until then the circuit of {breaker.provider} is open"
            return _told(at, f"by a run after {moment(breaker.open_until)}: {why}")
    error = (last or {}).get("error") or {}
    if last is not None and (wait := error.get("retry_after")):
        at = datetime.fromisoformat(last["time"]) + timedelta(seconds=wait)
        if at > now:
            by = error.get("refused_by")
            who = f"our {by} refused it" if by else "the provider asked for it"
            return _told(at, f"by a run after {moment(rfc3339(at))}: {who}")
    tries = (attempts or Attempts(system, system.database)).of(dataset, now, last_failed=False)
    if tries.following is not None:  # a run of a schedule asks also within the TTL
        return _told(tries.following, f"by its schedule at {moment(rfc3339(tries.following))}")
    paused = f"; its schedule is paused (`schedules resume {dataset.name}`)" if tries.paused else ""
    hit = system.pipeline.cached(dataset, system.views.current_of(dataset.name))
    if hit is not None:
        until = datetime.fromisoformat(hit["collected_at"]) + timedelta(seconds=system.settings.cache.ttl)
        if until > now:
            why = f"when the TTL is over; by `run {dataset.name} --fresh` at once"
            return _told(until, f"by a run after {moment(rfc3339(until))}, {why}{paused}")
    return _told(None, f"by the next run{paused}")


def _told(at: datetime | None, words: str) -> dict[str, Any]:
    return {"at": None if at is None else rfc3339(at), "words": words}
