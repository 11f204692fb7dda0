"""The figures of what watches and tells: this machine, incidents, messages that wait, runs, the program itself."""

import math
import platform
from collections import Counter
from datetime import datetime

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import ACTIVE, SEVERITIES
from monitoring.service_views import Services
from operations.services import FRESH_S, measured
from operations.status import ORDER, Status
from utils.metrics import Metrics
from utils.release import release

__all__ = ["watched"]

RESOURCE_STATES = {"stable": 0.0, "warning": 1.0, "critical": 2.0}
LEVELS = ("IDLE", "NORMAL", "INTENSIVE", "CRITICAL")
PROMISES = {"kept": 0.0, "at_risk": 1.0, "broken": 2.0}

_HOST = (
    ("load_1m", "host_load1", "Tasks that run or wait, mean of a minute", 1.0),
    ("memory_available_bytes", "host_memory_available_bytes", "Memory that programs could have", 1.0),
    ("memory_total_bytes", "host_memory_total_bytes", "Memory of the machine, or of the container", 1.0),
    ("disk_free_bytes", "host_disk_free_bytes", "Free on the disk of the state", 1.0),
    ("disk_total_bytes", "host_disk_total_bytes", "Size of the disk of the state", 1.0),
    ("connections", "host_connections", "TCP and UDP sockets in use", 1.0),
    ("processes", "host_processes", "Processes", 1.0),
    ("temperature_c", "host_temperature_celsius", "The hottest sensor of the processor", 1.0),
    ("network_latency_ms", "host_network_latency_seconds", "Time to connect to a canary", 0.001),
    ("own_rss_bytes", "process_resident_memory_bytes", "Memory of this process", 1.0),
    ("own_open_files", "process_open_fds", "Open files of this process", 1.0),
    ("process_threads", "process_threads", "Threads of this process", 1.0),
)
"""Field of a sample, name of the metric, words, factor to the base unit."""

_SERVICES = (
    ("cpu_percent", "cpu_ratio", "Of one core; of a part of a program, of its own thread"),
    ("memory_bytes", "memory_bytes", "Resident memory of a program"),
    ("response_s", "response_seconds", "Mean time of an answer, or of a step"),
    ("requests_per_s", "requests_per_second", "Requests, or steps, a second"),
    ("error_rate", "error_ratio", "Share of them that failed, 0 to 1"),
)
"""Figure of a service, name of the metric, words."""

_RATIOS = {"cpu": "cpu_percent", "memory": "memory_percent", "disk": "disk_percent", "swap": "swap_percent"}
_TRANSFERRED = {"sent": "network_bytes_sent", "received": "network_bytes_recv"}


def watched(system: IntegratedSystem, found: Status, metrics: Metrics) -> None:
    """Add them."""
    info = metrics.gauge("orchestrator_build_info", "The program; always 1", labels=("version", "python"))
    info.set(1.0, version=release(), python=platform.python_version())
    _datasets(found, metrics)
    _incidents(found, metrics)
    _runs(found, metrics)
    _outbox(system, metrics)
    _services(system, metrics)
    _host(system, metrics)


def _datasets(found: Status, metrics: Metrics) -> None:
    counts = Counter(one.status for one in found.datasets)
    datasets = metrics.gauge("orchestrator_datasets", "Declared datasets by how they stand", labels=("status",))
    for status in ORDER:
        datasets.set(counts[status], status=status)
    by = ("dataset",)
    state = metrics.gauge("orchestrator_dataset_promise_state", "0 kept, 1 at risk, 2 broken", labels=by)
    left = metrics.gauge(
        "orchestrator_dataset_promise_left_seconds", "Time until the promise breaks; below 0: since it broke", labels=by
    )
    held = metrics.gauge("orchestrator_dataset_held", "1 when a batch waits for somebody to decide", labels=by)
    held.set_all({(one.dataset,): float(one.held is not None) for one in found.datasets})
    promised = [(one.dataset, one.promise) for one in found.datasets if one.promise is not None]
    state.set_all({(name,): PROMISES[promise.state] for name, promise in promised})
    times = [(name, promise.left_s) for name, promise in promised]
    left.set_all({(name,): left_s for name, left_s in times if left_s is not None and math.isfinite(left_s)})


def _incidents(found: Status, metrics: Metrics) -> None:
    counts = Counter((one.severity, one.state) for one in found.incidents)
    gauge = metrics.gauge("orchestrator_incidents", "Incidents that are not over", labels=("severity", "state"))
    for severity in SEVERITIES:
        for state in ACTIVE:
            gauge.set(counts[severity, state], severity=severity, state=state)


def _runs(found: Status, metrics: Metrics) -> None:
    metrics.gauge("orchestrator_queued_runs", "Runs that wait").set(found.queued)
    last = found.last_run or {}
    if last.get("started_at"):
        began = datetime.fromisoformat(last["started_at"]).timestamp()
        metrics.gauge("orchestrator_last_run_start_timestamp_seconds", "When the last run began").set(began)
    if last.get("duration_s") is not None:
        metrics.gauge("orchestrator_last_run_duration_seconds", "Of the last run that ended").set(last["duration_s"])
    away = metrics.gauge("orchestrator_network_away", "1 when our own network was away as of the last run")
    away.set(float(found.network_away_since is not None))


def _outbox(system: IntegratedSystem, metrics: Metrics) -> None:
    channels = system.settings.alerts.channels
    if not channels:
        return
    by = ("channel",)
    waiting = metrics.gauge("orchestrator_alert_waiting_messages", "Messages that wait for a channel", labels=by)
    dead = metrics.gauge("orchestrator_alert_dead_messages", "Messages of a day that nobody took", labels=by)
    standing = {one.channel: one for one in system.alert_outbox.standing()}
    for name in {*channels, *standing}:
        waiting.set(standing[name].waiting if name in standing else 0, channel=name)
        dead.set(standing[name].dead if name in standing else 0, channel=name)


def _services(system: IntegratedSystem, metrics: Metrics) -> None:
    """What the log knows of services; of programs and their parts the figures of the last minute."""
    by = ("service",)
    up = metrics.gauge("orchestrator_service_up", "1 when it runs, 0.5 slow, 0 unavailable or stopped", labels=by)
    outages = metrics.counter("orchestrator_service_outages_total", "How often it was unavailable", labels=by)
    for row in Services(system.database).all():
        up.set({"running": 1.0, "slow": 0.5}.get(row.state, 0.0), service=row.service)
        outages.inc(row.outages, service=row.service)
    gauges = {name: metrics.gauge(f"orchestrator_service_{told}", words, labels=by) for name, told, words in _SERVICES}
    now = system.clock.time()
    for service, (at, values) in measured(system).items():
        for name, value in values.items():
            if now - at <= FRESH_S and name in gauges:
                gauges[name].set(value / 100.0 if name == "cpu_percent" else value, service=service)


def _host(system: IntegratedSystem, metrics: Metrics) -> None:
    sample = system.host.collect()
    used = metrics.gauge("orchestrator_host_used_ratio", "How much is in use, 0 to 1", labels=("resource",))
    for resource, field in _RATIOS.items():
        if (percent := getattr(sample, field)) is not None:
            used.set(percent / 100.0, resource=resource)
    for field, name, words, factor in _HOST:
        if (value := getattr(sample, field)) is not None:
            metrics.gauge(f"orchestrator_{name}", words).set(value * factor)
    moved = metrics.counter(
        "orchestrator_host_network_bytes_total", "Bytes of all network interfaces", labels=("direction",)
    )
    for direction, field in _TRANSFERRED.items():
        if (value := getattr(sample, field)) is not None:
            moved.inc(value, direction=direction)
    watch = system.progressive
    if watch.latest is None:
        return  # another process watches, or nobody
    level = metrics.gauge("orchestrator_host_level", "How closely it is watched: 0 idle to 3 critical")
    level.set(LEVELS.index(str(watch.level)))
    states = metrics.gauge("orchestrator_host_state", "0 stable, 1 warning, 2 critical", labels=("resource",))
    for resource, state in watch.states.items():
        states.set(RESOURCE_STATES[state], resource=resource)
