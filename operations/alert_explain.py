"""When and why somebody was told of an incident, by which channel, what is due next, and what keeps it quiet."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.core import Core
from monitoring.alerting.incident import Incident, IncidentNews
from monitoring.alerting.letter import Letter
from monitoring.alerting.telling import Telling
from operations.alerts import find_incident
from operations.incidents import incident_engine
from utils.events import rfc3339

__all__ = ["Due", "Explained", "Happened", "explain"]

_MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Happened:
    """A change of the incident, and who was to be told of it.

    Attributes:
        time: RFC 3339; `change`: `opened`, `acknowledged`, …
        notice: Why somebody was told; None: nobody was.
        to: Channels.
        reason: In words, `actor`: who did it; empty: the program.
    """

    time: str
    change: str
    notice: str | None
    to: tuple[str, ...]
    reason: str
    actor: str

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__slots__}, "to": list(self.to)}


@dataclass(frozen=True, slots=True)
class Due:
    """What comes next if nothing happens: `at` (RFC 3339), in words, and to whom."""

    at: str
    what: str
    to: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"at": self.at, "what": self.what, "to": list(self.to)}


@dataclass(frozen=True, slots=True)
class Explained:
    """All of it. `quiet`: what keeps people from being told; `letters`: rows of the outbox, by channel and in order."""

    incident: Incident
    happened: tuple[Happened, ...]
    letters: tuple[Letter, ...]
    due: tuple[Due, ...]
    quiet: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "incident": self.incident.to_json(),
            "happened": [one.to_json() for one in self.happened],
            "letters": [one.to_json() for one in self.letters],
            "due": [one.to_json() for one in self.due],
            "quiet": list(self.quiet),
        }


def explain(system: IntegratedSystem, prefix: str) -> Explained:
    """Explain what was told of the incident whose id begins so.

    Raises:
        UsageError: there is none, or there are several.
    """
    incident = find_incident(system, prefix)
    events = system.events.read(type="incident.*", subject=incident.id, limit=_MOST_EVENTS)
    happened = tuple(_happened(event.time, event.type, IncidentNews.from_json(event.data)) for event in events)
    with closing(incident_engine(system)) as engine:
        due, audience = engine.look(lambda core: _due(core, incident.id, system.clock.time()))
    quiet = tuple(_quiet(system, incident, audience))
    return Explained(incident, happened, tuple(system.alert_outbox.of_thread(incident.id)), due, quiet)


def _happened(time: str, kind: str, news: IncidentNews) -> Happened:
    notice = news.notice
    change = kind.removeprefix("incident.")
    return Happened(time, change, notice.kind if notice else None, notice.to if notice else (), news.reason, news.actor)


def _due(core: Core, id: str, now: float) -> tuple[tuple[Due, ...], str]:
    """What the engine will do, in order; and why nobody is told now, where hours are the reason."""
    ongoing = core.memory.ongoing.get(id)
    if ongoing is None:
        return (), ""
    telling = Telling(core.setup, core.memory, core.news)
    audience = telling.audience(ongoing, now)
    found: list[tuple[float | None, str, tuple[str, ...]]] = [
        (ongoing.notice_at, "told", audience.now or audience.later),
        (ongoing.repeat_at, "told again, as it lasts", tuple(ongoing.to)),
        (ongoing.expires_at, "the acknowledgement runs out; told again if it lasts", tuple(ongoing.to)),
        (ongoing.flap_over_at, "over, if nothing comes meanwhile", tuple(ongoing.to)),
        (ongoing.release_at, "told by itself, if it lasts: what explained it is over", ()),
    ]
    if (when := telling.escalates_at(ongoing)) is not None:
        step = telling.escalations(ongoing)[ongoing.step]
        found.append((when, "escalated, if nobody acknowledges it", step.to))
    due = sorted((at, what, to) for at, what, to in found if at is not None)
    later = "" if audience.later_at is None else f"outside their hours: {', '.join(audience.later)}"
    return tuple(Due(rfc3339(datetime.fromtimestamp(at, UTC)), what, to) for at, what, to in due), later


def _quiet(system: IntegratedSystem, incident: Incident, hours: str) -> list[str]:
    told = []
    if incident.inhibited_by:
        told.append(f"explained by incident {incident.inhibited_by}: who is told of that needs no second message")
    if incident.silenced_by:
        told.append(f"kept quiet by silence {incident.silenced_by}")
    if incident.acknowledged_by:
        told.append(f"{incident.acknowledged_by} took it: it is neither repeated nor escalated")
    if incident.flapping:
        told.append("it comes and goes: that is told once")
    if hours:
        told.append(hours)
    if not system.settings.alerts.channels:
        told.append("no channel is configured: it is listed, and kept as a file in alerts/")
    return told
