"""The named checks of the configuration (`monitor.health`): asked by `health`, watched by `serve` and `maintain`."""

from collections.abc import Callable, Iterable
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.configured_checks import configured_checks
from monitoring.health import HealthResults
from monitoring.health_changes import HealthChange, Standing, What, changes, standing_of
from monitoring.health_checks import HealthChecks
from utils.events import NewEvent
from utils.history import Series
from utils.history.points import recording

__all__ = ["FAILED", "RESPONSE", "ServiceWatch", "note_services", "service_checks"]

RESPONSE, FAILED = "health_response_s", "health_failed"
"""The series of response times, and of what came of each look (1: it failed), labelled by `check`."""

SOURCE = "health"
_TYPES: dict[What, str] = {
    "unavailable": "service.unavailable",
    "slow": "service.slow",
    "recovered": "service.recovered",
}
_WHAT = {_TYPES[what]: what for what in _TYPES}
STANDS_BY_S = 15.0
"""How often a process that does not lead looks whether it does."""

_MOST_TOLD = 1000


def service_checks(system: IntegratedSystem) -> HealthChecks:
    """The configured checks, none of them asked yet."""
    return configured_checks(
        system.settings.monitor,
        newest=lambda name: _newest(system, name),
        redacted=system.loaded.known.redacted,
        clock=system.clock,
    )


def note_services(system: IntegratedSystem, found: HealthResults) -> list[HealthChange]:
    """Keep the response times, and tell by an event each what stands otherwise than the log says."""
    told = {name: _told(system, name) for name in found}
    news, _ = changes(found, told)
    now = system.clock.time()
    statements = [
        statement
        for result in found.values()
        if result and result.response_s is not None
        for statement in recording(Series(RESPONSE, {"check": result.name}, "s"), now, result.response_s)
    ]
    for result in found.values():
        statements += recording(Series(FAILED, {"check": result.name}), now, float(not result))
    if news or statements:
        system.events.append([_event(one) for one in news], statements=statements)
    return news


class ServiceWatch:
    """Looks at each check by its interval, in the process that leads."""

    name = "health"
    hears = False

    def __init__(self, system: IntegratedSystem, leads: Callable[[], bool]) -> None:
        self._system = system
        self._leads = leads
        self._checks: HealthChecks | None = None

    def step(self) -> float:
        """Ask those whose time has come; gives the seconds until the next one's."""
        if not self._leads():
            return STANDS_BY_S
        if self._checks is None:
            end_of_removed(self._system)
            self._checks = service_checks(self._system)
        note_services(self._system, self._checks.run_due())
        return self._checks.due_in()

    def close(self) -> None:
        """Nothing is held: a check that hangs is left behind."""


def end_of_removed(system: IntegratedSystem) -> None:
    """A check that is configured no more, and was ill when it was, is ill no more."""
    names = {check.name for check in system.settings.monitor.health}
    ill = {
        event.subject
        for kind in ("unavailable", "slow")
        for event in system.events.read(type=_TYPES[kind], source=SOURCE, newest_first=True, limit=_MOST_TOLD)
        if event.subject not in names
    }
    gone = ((name, standing) for name in sorted(ill) if (standing := _told(system, name)).state != "well")
    data: Iterable[tuple[str, dict[str, Any]]] = (
        (name, {"kind": "", "reason": "it is checked no more", "since": standing.since, "was": standing.state})
        for name, standing in gone
    )
    if events := [_event(HealthChange("recovered", name, each)) for name, each in data]:
        system.events.append(events)


def _told(system: IntegratedSystem, name: str) -> Standing:
    newest = system.events.read(subject=name, source=SOURCE, newest_first=True, limit=1)
    return standing_of(_WHAT.get(newest[0].type, ""), newest[0].data) if newest else Standing()


def _event(change: HealthChange) -> NewEvent:
    return NewEvent(_TYPES[change.what], change.name, change.data, source=SOURCE)


def _newest(system: IntegratedSystem, name: str) -> float | None:
    """When a number of that name, without tags, was recorded last; epoch seconds."""
    blocks = system.history.blocks(["{}"], last=1)
    return max((float(block.times[-1]) for block in blocks if block.metrics == (name,)), default=None)
