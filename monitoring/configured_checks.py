"""The health checks of the configuration (`monitor.health`), ready to be asked."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.health_checks import HealthCheck, HealthChecks
from utils.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from config.watching import HealthCheckSettings, MonitorSettings
    from monitoring.probes import Probe

__all__ = ["configured_checks"]

LONGEST_SILENCE_S = 60.0
"""A heartbeat is looked for so often, seconds: who beats once a day is missed soon after, not at the next look."""

Newest = Callable[[str], float | None]
"""When a heartbeat of that name came last, epoch seconds; None: never."""


def configured_checks(
    settings: "MonitorSettings",
    *,
    newest: Newest,
    redacted: Callable[[str], str] = str,
    clock: Clock = SYSTEM_CLOCK,
) -> HealthChecks:
    """The configured checks, none of them asked yet.

    Args:
        newest: Where heartbeats are known.
        redacted: Masks secrets in what checks say.
    """
    limits = settings.thresholds.disk
    checks = (
        HealthCheck(
            one.name,
            _probe(one, limits, newest, clock),
            one.kind,
            timeout=one.timeout,
            every=one.every if one.heartbeat is None else min(one.every, LONGEST_SILENCE_S),
            parent=one.parent,
        )
        for one in settings.health
    )
    return HealthChecks(checks, redacted=redacted, clock=clock)


def _probe(check: "HealthCheckSettings", limits: tuple[float, float], newest: Newest, clock: Clock) -> "Probe":
    from config.sections import host_and_port
    from monitoring import probes

    if check.http is not None:
        return probes.http(check.http, check.timeout)
    if check.tcp is not None:
        return probes.tcp(*host_and_port(check.tcp), check.timeout)
    if check.database is not None:
        return probes.database(check.database, check.timeout)
    if check.disk is not None:
        return probes.disk(Path(check.disk), limits)
    if check.heartbeat is not None:
        # It is to come once an interval, and may be late by the timeout.
        return probes.heartbeat(check.heartbeat, newest, check.every + check.timeout, clock.time)
    return _function(check.function or "")


def _function(target: str) -> Callable[[], Any]:
    def look() -> Any:
        from config.kinds import load
        from monitoring.probes import Unwell

        try:
            function = load(target)
        except ValueError as error:
            raise Unwell(str(error)) from error
        return function()

    return look
