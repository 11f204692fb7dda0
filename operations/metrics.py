"""Every dataset's newest figures and every provider's circuit, as numbers for programs."""

from typing import Any

from data_pipeline.store import cache_counters
from data_pipeline.store.provider_counters import counted
from integrated_system import IntegratedSystem
from operations.breakers import listed
from operations.own_metrics import newest
from operations.recent_runs import RecentRuns
from operations.status import status
from operations.watch_metrics import watched
from utils.metrics import Metrics

__all__ = ["Metrics", "as_json", "as_prometheus", "collect"]

COUNTERS = {
    "requests": "Requests that were made, each attempt by itself",
    "failures": "Requests whose failure told against the provider",
    "refused_by_circuit": "Requests that an open circuit refused",
    "circuit_opened": "How often the circuit opened",
    "retries": "Attempts after the first one",
    "recovered": "Calls that a retry saved",
    "given_up": "Calls given up: no attempt, time or budget was left",
    "retry_wait_s": "Seconds slept between attempts",
    "limit_waits": "Requests that waited for the rate",
    "limit_wait_s": "Seconds waited for the rate",
    "refused_by_limit": "Requests whose turn would have come after the deadline",
    "refused_by_quota": "Requests beyond the quota",
    "bulkhead_wait_s": "Seconds waited for a slot",
    "bulkhead_use_s": "Seconds that slots were in use",
    "refused_by_bulkhead": "Requests that got no slot in time",
}
"""What runs write down of each provider (`utils.resilience.totals`), in the words of the metrics."""

STATES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


def collect(system: IntegratedSystem, recent: RecentRuns | None = None) -> Metrics:
    """The state as metrics, named after Prometheus' conventions.

    Args:
        recent: Who asks again and again keeps it from one time to the next.
    """
    metrics = Metrics()
    found_at, found = system.clock.time(), status(system)
    by = ("dataset",)
    up = metrics.gauge("orchestrator_dataset_up", "1 when the last run succeeded, 0.5 degraded, 0 failed", labels=by)
    rows = metrics.gauge("orchestrator_dataset_rows", "Rows delivered", labels=by)
    age = metrics.gauge("orchestrator_dataset_age_seconds", "Age of our copy", labels=by)
    data_age = metrics.gauge("orchestrator_dataset_data_age_seconds", "Age of the data itself", labels=by)
    score = metrics.gauge("orchestrator_dataset_quality_score", "Quality, 0 to 100", labels=by)
    values = {"succeeded": 1.0, "degraded": 0.5, "failed": 0.0}
    ran = [one for one in found.datasets if one.status in values]
    up.set_all({(one.dataset,): values[one.status] for one in ran})
    rows.set_all({(one.dataset,): one.rows for one in ran})
    age.set_all({(one.dataset,): one.age_s for one in found.datasets if one.age_s is not None})
    data_age.set_all({(one.dataset,): one.data_age_s for one in found.datasets if one.data_age_s is not None})
    score.set_all({(one.dataset,): one.score for one in found.datasets if one.score is not None})
    state = metrics.gauge("orchestrator_breaker_state", "0 closed, 1 half open, 2 open", labels=("provider",))
    for breaker in listed(system):
        state.set(STATES[breaker.state], provider=breaker.provider)
    _providers(system, metrics)
    _recorded(system, metrics)
    if system.settings.logging.loki.url:
        _loki(metrics)
    metrics.include((recent or RecentRuns(system)).metrics())
    held = system.cache.statistics()
    metrics.gauge("orchestrator_cache_entries", "Values in the cache").set(held.entries)
    metrics.gauge("orchestrator_cache_bytes", "Bytes in the cache").set(held.bytes)
    _cache(system, metrics)
    metrics.gauge("orchestrator_events", "Events in the log").set(system.events.head()[0])
    _views(system, metrics)
    _consumers(system, metrics)
    _bus(system, metrics)
    watched(system, found, metrics)
    taken = metrics.gauge("orchestrator_figures_timestamp_seconds", "When these figures were taken")
    taken.set(found_at)
    return metrics


def _cache(system: IntegratedSystem, metrics: Metrics) -> None:
    """What came of the lookups of all runs that ended."""
    sums = cache_counters.counted(system.database)
    lookups = metrics.counter("orchestrator_cache_lookups_total", "Lookups of runs by outcome", labels=("outcome",))
    for name, outcome in (("hits", "hit"), ("misses", "miss"), ("stale_hits", "stale")):
        lookups.inc(sums.get(name, 0.0), outcome=outcome)
    metrics.counter("orchestrator_cache_stored_total", "Values that runs stored").inc(sums.get("sets", 0.0))


def _views(system: IntegratedSystem, metrics: Metrics) -> None:
    """Which views were left behind, and what each has cost this process."""
    by = ("view",)
    late = metrics.gauge("orchestrator_view_behind_events", "Events that a view could not take", labels=by)
    seconds = metrics.gauge("orchestrator_view_seconds", "Seconds this process spent on a view", labels=by)
    head, behind = system.events.head()[0], {one.name: one for one in system.events.views_behind()}
    for view in system.events.projections():
        late.set(head - behind[view.name].seq if view.name in behind else 0, view=view.name)
        seconds.set(view.seconds, view=view.name)


def _consumers(system: IntegratedSystem, metrics: Metrics) -> None:
    """How far those who follow the log are behind."""
    by = ("consumer",)
    events = metrics.gauge("orchestrator_consumer_lag_events", "Events a consumer has not handled yet", labels=by)
    seconds = metrics.gauge("orchestrator_consumer_lag_seconds", "Age of the oldest of them", labels=by)
    attempts = metrics.gauge("orchestrator_consumer_attempts", "How often its next event has failed", labels=by)
    parked = metrics.gauge("orchestrator_consumer_parked_events", "Events it went on without", labels=by)
    for one in system.cursors.standing():
        events.set(one.behind, consumer=one.name)
        seconds.set(one.behind_s, consumer=one.name)
        attempts.set(one.attempts, consumer=one.name)
        parked.set(one.parked, consumer=one.name)


def _bus(system: IntegratedSystem, metrics: Metrics) -> None:
    """What this process announced to itself; nothing where nobody listens."""
    bus = system.__dict__.get("bus")  # one that was never asked for is not to be made
    if bus is None:
        return
    found = bus.figures()
    events = metrics.counter("orchestrator_bus_events_total", "Events on the bus of this process", labels=("outcome",))
    for outcome in ("published", "delivered", "failed", "dropped"):
        events.inc(getattr(found, outcome), outcome=outcome)
    metrics.gauge("orchestrator_bus_waiting_events", "Events on the bus that no handler has seen").set(found.waiting)


def _providers(system: IntegratedSystem, metrics: Metrics) -> None:
    """What protecting each provider took, over all runs; and how the last run that asked it went."""
    by = ("provider",)
    sums = counted(system.database)
    for name, words in COUNTERS.items():
        counter = metrics.counter(f"orchestrator_provider_{_spelt_out(name)}_total", words, labels=by)
        counter.inc_all({(provider,): counts.get(name, 0.0) for provider, counts in sums.items()})
    rate = metrics.gauge(
        "orchestrator_breaker_success_rate",
        "Share of a provider's requests in the last run that did not tell against it",
        labels=by,
    )
    for run in system.views.runs(limit=1):
        for provider, counts in (run.summary or {}).get("providers", {}).items():
            if requests := counts.get("requests"):
                rate.set(max(0.0, 1.0 - counts.get("failures", 0.0) / requests), provider=provider)


def _recorded(system: IntegratedSystem, metrics: Metrics) -> None:
    """The numbers that were recorded, each series of a name with the labels of them all."""
    found = newest(system)
    labels: dict[str, set[str]] = {}
    units: dict[str, str] = {}
    for series, _ in found:
        labels.setdefault(series.name, set()).update(series.labels)
        units[series.name] = series.unit or units.get(series.name, "")
    values: dict[str, dict[tuple[str, ...], float]] = {}
    names = {name: tuple(sorted(known)) for name, known in labels.items()}
    for series, value in found:
        told = tuple([series.labels.get(label, "") for label in names[series.name]])
        values.setdefault(series.name, {})[told] = value
    for name, known in names.items():
        words = "Recorded by record-metric" + (f", in {units[name]}" if units[name] else "")
        metrics.gauge(f"orchestrator_recorded_{name}", words, labels=known).set_all(values[name])
    history = system.history.figures()
    metrics.gauge("orchestrator_history_series", "Series in the metric history").set(history.series)
    metrics.gauge("orchestrator_history_waiting", "Points that wait for their roll-up").set(history.waiting)


def _spelt_out(name: str) -> str:
    """Prometheus wants its units in whole words."""
    return f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name


def as_json(system: IntegratedSystem, recent: RecentRuns | None = None) -> dict[str, Any]:
    return collect(system, recent).to_json()


def as_prometheus(system: IntegratedSystem, recent: RecentRuns | None = None) -> str:
    return collect(system, recent).to_prometheus()


def _loki(metrics: Metrics) -> None:
    """What became of the log lines of this process."""
    from utils.logger import sinks
    from utils.loki import LokiSink

    lines = metrics.counter("orchestrator_loki_lines_total", "Log lines for Loki, of this process", labels=("outcome",))
    for figures in (sink.figures() for sink in sinks() if isinstance(sink, LokiSink)):
        lines.inc(figures.sent, outcome="sent")
        lines.inc(figures.dropped, outcome="dropped")
