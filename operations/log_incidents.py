"""Log records name the open incidents of what they concern, without a query for a line."""

import contextlib
import threading
from collections.abc import Iterable

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import ACTIVE, Incident
from monitoring.alerting.views import Incidents
from utils.database import StateError
from utils.events import Event
from utils.logger import set_incidents

__all__ = ["LogIncidents", "name_incidents"]

EVERY_S = 60.0
"""How often incidents are read that another process opened or ended."""


def name_incidents(system: IntegratedSystem) -> None:
    """From now on records name the incidents that are open now: one query.

    A state that cannot be read is told by whoever needs it, with an alert; records then name none.
    """
    with contextlib.suppress(StateError):
        set_incidents(_by_subject(Incidents(system.database).active()))


class LogIncidents:
    """Keeps the names up to date in a process that stays: at once with its own incidents, each minute with others'."""

    name = "log_incidents"
    hears = False

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._lock = threading.Lock()
        self._active: dict[str, Incident] = {}
        self._subscription = system.bus.subscribe("incident.*", self._heard)

    def step(self) -> float:
        """Read what is open."""
        found = Incidents(self._system.database).active()
        with self._lock:
            self._active = {one.id: one for one in found}
            set_incidents(_by_subject(self._active.values()))
        return EVERY_S

    def close(self) -> None:
        """Records name no incidents any more."""
        self._system.bus.unsubscribe(self._subscription)
        set_incidents({})

    def _heard(self, event: Event) -> None:
        incident = Incident.from_json(event.data["incident"])
        with self._lock:
            self._active.pop(incident.id, None)
            if incident.state in ACTIVE:
                self._active[incident.id] = incident
            set_incidents(_by_subject(self._active.values()))


def _by_subject(incidents: Iterable[Incident]) -> dict[str, list[str]]:
    """As `utils.logger.set_incidents` takes it."""
    found: dict[str, list[str]] = {}
    for one in incidents:
        subjects = {f"dataset:{name}" for name in one.datasets}
        kind = one.kind if one.kind in {"dataset", "provider", "service"} else "component"
        for subject in (*subjects, f"{kind}:{one.about}"):
            found.setdefault(subject, []).append(one.id)
    return found
