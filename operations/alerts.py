"""Incidents as somebody asks for them: what is wrong now, what was, and what one of them is about."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import ACTIVE, Incident
from monitoring.alerting.message import Kind, Message, compose
from monitoring.alerting.message.moments import Moments
from monitoring.alerting.silence import Silence
from monitoring.alerting.views import Incidents
from operations.actor import UsageError
from operations.moments import past_moment
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


def _incidents(system: IntegratedSystem, as_of: str | None = None) -> Incidents:
    """The incidents as they are, or as they were at a past moment (RFC 3339).

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
    """
    if as_of is None:
        return Incidents(system.database)
    return Incidents(system.past.at(past_moment(as_of, system.clock.now())))


def listed(system: IntegratedSystem, *, over: int = 0, as_of: str | None = None) -> Listing:
    """What is wrong. `over`: also so many of the newest that are over; `as_of`: as it was at that moment (RFC 3339).

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
    """
    incidents = _incidents(system, as_of)
    found = incidents.active()
    if over:
        known = {one.id for one in found}
        found += [one for one in incidents.recent(over + len(found)) if one.id not in known][:over]
    then = None if as_of is None else past_moment(as_of, system.clock.now())
    told = tuple(Listed(one, _title(system, one, then, place < MOST_TOLD)) for place, one in enumerate(found))
    return Listing(told, tuple(incidents.silences()))


def silences(system: IntegratedSystem, *, ended: bool = False, as_of: str | None = None) -> list[Silence]:
    """What keeps quiet, and the maintenance windows that are to come; `ended`: also those that are over.

    Raises:
        UsageError: the moment `as_of` (RFC 3339) cannot be read, or has not come yet.
    """
    return _incidents(system, as_of).silences(ended=ended)


def said(system: IntegratedSystem, moment: str) -> str:
    """A stored moment as messages say it: in the zone of the installation, of today the time alone."""
    return Moments(system.settings.app.zone, system.clock.now()).said(moment)


def find_incident(system: IntegratedSystem, prefix: str, *, as_of: str | None = None) -> Incident:
    """The incident whose id begins so; `as_of`: as it was at that moment (RFC 3339).

    Raises:
        UsageError: there is none, or there are several; the moment cannot be read, or has not come yet.
    """
    found = _incidents(system, as_of).find(prefix) if _ID.fullmatch(prefix) else []
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


def _title(system: IntegratedSystem, incident: Incident, then: datetime | None, composed: bool) -> str:
    """What a message says of it now; of a past moment, what the last one had said by then."""
    if composed and then is None and incident.state in ACTIVE:
        return told_now(system, incident).title
    if composed and then is not None:
        letters = system.alert_outbox.of_thread(incident.id)
        sent = [one for one in letters if one.told_at is not None and one.told_at <= then.timestamp()]
        if sent:
            return max(sent, key=lambda one: (one.told_at or 0.0, one.key)).message.title
    return f"{incident.about}: {', '.join(incident.rules)}"
