"""The rules that every installation has; `docs/alerts.md` shows them as a table.

A rule of the configuration for the same event takes the place of what stands here.
"""

from typing import Any

from monitoring.alerting.condition import compiled
from monitoring.alerting.incident import Severity
from monitoring.alerting.known_types import known
from monitoring.alerting.rules import Clear, Rule

__all__ = ["SHIPPED"]


def _rule(name: str, when: str, severity: Severity, condition: str = "", clear: str = "", **more: Any) -> Rule:
    kind = known(when)
    return Rule(
        name=name,
        when=when,
        severity=severity,
        condition=compiled(condition) if condition else None,
        clears=tuple(map(Clear.read, (clear,) if clear else kind.clear)),
        by=kind.by,
        later=kind.later,
        **more,
    )


SHIPPED: tuple[Rule, ...] = (
    # Data
    _rule("promise_at_risk", "promise.at_risk", "warning"),
    _rule("promise_broken", "promise.broken", "critical"),
    _rule("dataset_failed", "dataset.failed", "error"),
    _rule("dataset_overdue", "dataset.overdue", "error"),
    _rule("dataset_held", "batch.held", "warning"),
    # A copy served within its promise is a delivery. It is nobody's night; but it belongs to what is wrong anyway.
    _rule("dataset_degraded", "dataset.degraded", "info", "origin != 'provider'", joins=True),
    _rule(
        "many_quarantined", "rows.quarantined", "warning", "share > 0.05", "quality.scored if quarantined * 20 <= rows"
    ),
    _rule("schema_changed", "schema.drifted", "warning"),
    _rule(
        "objective_burning_fast",
        "objective.burning",
        "error",
        "state = 'burning' and pace = 'fast'",
        "objective.burning if state = 'ended' or pace = 'slow'",
    ),
    _rule("objective_burning", "objective.burning", "warning", "state = 'burning' and pace = 'slow'"),
    _rule("delivery_over_budget", "dataset.over_budget", "warning"),
    _rule("run_over_budget", "run.over_budget", "warning"),
    _rule("version_damaged", "version.damaged", "error"),
    _rule("anomaly", "anomaly.detected", "info", digest=True),
    # Providers and our own network
    _rule("breaker_open", "breaker.opened", "error", "is_null(actor)"),
    _rule("our_network", "network.away", "error"),
    _rule("our_clock", "clock.jumped", "warning"),
    # The host
    _rule("resource_critical", "host.overloaded", "critical"),
    _rule("disk_filling", "host.disk_filling", "error"),
    # Told a day ahead, and once more when it is near: meanwhile it may fill faster than was thought.
    _rule("disk_nearly_full", "host.disk_filling", "critical", "hours_left <= 6"),
    _rule("running_out", "host.running_out", "error"),
    _rule("protector_gave_up", "protector.gave_up", "error"),
    _rule("healing_gave_up", "healing.gave_up", "error"),
    _rule("disk_shed", "disk.shed", "error", "not dry_run"),
    _rule("process_ended", "protector.acted", "error", "(action = 'terminate' or action = 'kill') and not dry_run"),
    # Services
    _rule(
        "server_down",
        "service.unavailable",
        "critical",
        "is_null(kind) or (kind != 'slow_start' and kind != 'permission')",
    ),
    _rule("server_slow", "service.unavailable", "error", "kind = 'slow_start'"),
    _rule("permission_error", "service.unavailable", "error", "kind = 'permission'"),
    _rule("response_slow", "service.slow", "warning", "response_s > 5"),
    # Ourselves
    _rule("state_damaged", "state.set_aside", "error"),
    _rule("channel_failing", "alert.failed", "error"),
)
