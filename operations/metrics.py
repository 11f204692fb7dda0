"""Every dataset's newest figures and every provider's circuit, as numbers for programs."""

from typing import Any

from integrated_system import IntegratedSystem
from operations.breakers import listed
from operations.status import status
from utils.metrics import Metrics

STATES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


def collect(system: IntegratedSystem) -> Metrics:
    """The state as metrics, named after Prometheus' conventions."""
    metrics = Metrics()
    found = status(system)
    by = ("dataset",)
    up = metrics.gauge("orchestrator_dataset_up", "1 when the last run succeeded, 0.5 degraded, 0 failed", labels=by)
    rows = metrics.gauge("orchestrator_dataset_rows", "Rows delivered", labels=by)
    age = metrics.gauge("orchestrator_dataset_age_seconds", "Age of our copy", labels=by)
    data_age = metrics.gauge("orchestrator_dataset_data_age_seconds", "Age of the data itself", labels=by)
    score = metrics.gauge("orchestrator_dataset_quality_score", "Quality, 0 to 100", labels=by)
    values = {"succeeded": 1.0, "degraded": 0.5, "failed": 0.0}
    for dataset in found.datasets:
        label = {"dataset": dataset.dataset}
        if dataset.status in values:
            up.set(values[dataset.status], **label)
            rows.set(dataset.rows, **label)
        for gauge, value in ((age, dataset.age_s), (data_age, dataset.data_age_s), (score, dataset.score)):
            if value is not None:
                gauge.set(value, **label)
    state = metrics.gauge("orchestrator_breaker_state", "0 closed, 1 half open, 2 open", labels=("provider",))
    for breaker in listed(system):
        state.set(STATES[breaker.state], provider=breaker.provider)
    seconds = metrics.histogram("orchestrator_dataset_run_seconds", "Duration of recent dataset runs")
    ended = metrics.gauge(
        "orchestrator_recent_dataset_runs", "How recent dataset runs ended", labels=("status", "origin")
    )
    for dataset in found.datasets:
        for body in system.views.recent(dataset.dataset):
            ended.inc(status=body["status"], origin=body["origin"])
            seconds.observe(body["duration_s"])
    metrics.gauge("orchestrator_events", "Events in the log").set(system.events.head()[0])
    return metrics


def as_json(system: IntegratedSystem) -> dict[str, Any]:
    return collect(system).to_json()


def as_prometheus(system: IntegratedSystem) -> str:
    return collect(system).to_prometheus()
