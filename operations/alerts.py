"""Incidents as somebody asks for them: what is wrong now, what was, and what one of them is about."""

import re
from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import ACTIVE, Incident
from monitoring.alerting.message import Kind, Message, compose
from monitoring.alerting.message.moments import Moments
from monitoring.alerting.silence import Silence
from monitoring.alerting.views import Incidents
from operations.actor import UsageError
from operations.situation import InstallationSituation

__all__ = ["Listed", "Listing", "find_incident", "is_incident", "listed", "said", "silences", "told_now"]

_ID = re.compile(r"[0-9a-f]{2,8}")
MOST_TOLD = 50
"""Incidents whose title is written anew for a list; of more, the rest are listed by their rules."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident in the list, with what a message would say of it now in one line."""

    incident: Incident
    title: str

    def to_json(self) -> dict[str, Any]:
        return {**self.incident.to_json(), "title": self.title}


@dataclass(frozen=True, slots=True)
class Listing:
    """The incidents, those that are not over first and the most urgent of them before others; and the silences."""

    incidents: tuple[Listed, ...]
    silences: tuple[Silence, ...]

    @property
    def open(self) -> int:
        return sum(one.incident.state in ACTIVE for one in self.incidents)

    def to_json(self) -> dict[str, Any]:
        return {
            "incidents": [one.to_json() for one in self.incidents],
            "silences": [one.to_json() for one in self.silences],
        }


def listed(system: IntegratedSystem, *, over: int = 0) -> Listing:
    """What is wrong now. `over`: also so many of the newest that are over."""
    incidents = Incidents(system.database)
    found = incidents.active()
    if over:
        known = {one.id for one in found}
        found += [one for one in incidents.recent(over + len(found)) if one.id not in known][:over]
    told = tuple(Listed(one, _title(system, one, place < MOST_TOLD)) for place, one in enumerate(found))
    return Listing(told, tuple(incidents.silences()))


def silences(system: IntegratedSystem, *, ended: bool = False) -> list[Silence]:
    """What keeps quiet, and the maintenance windows that are to come; `ended`: also those that are over."""
    return Incidents(system.database).silences(ended=ended)


def said(system: IntegratedSystem, moment: str) -> str:
    """A stored moment as messages say it: in the zone of the installation, of today the time alone."""
    return Moments(system.settings.app.zone, system.clock.now()).said(moment)


def find_incident(system: IntegratedSystem, prefix: str) -> Incident:
    """The incident whose id begins so.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = Incidents(system.database).find(prefix) if _ID.fullmatch(prefix) else []
    if len(found) > 1:
        raise UsageError(f"several incidents begin with {prefix!r}", hint="write more of the id: `alerts list --all`")
    if not found:
        raise UsageError(
            f"there is no incident {prefix!r}", hint="`alerts list --all` shows them with their ids", missing=True
        )
    return found[0]


def is_incident(system: IntegratedSystem, text: str) -> bool:
    """Whether an incident's id begins so. A provider may be called `fed`."""
    return _ID.fullmatch(text) is not None and bool(Incidents(system.database).find(text))


def told_now(system: IntegratedSystem, incident: Incident) -> Message:
    """What a message about an incident would say at this moment."""
    kind: Kind = "digest" if incident.kind == "digest" else "resolved" if incident.state == "resolved" else "opened"
    return compose(incident, kind, InstallationSituation(system), system.clock.now())


def _title(system: IntegratedSystem, incident: Incident, composed: bool) -> str:
    if composed and incident.state in ACTIVE:
        return told_now(system, incident).title
    return f"{incident.about}: {', '.join(incident.rules)}"
