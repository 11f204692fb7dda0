"""When and why somebody was told of an incident, by which channel, what is due next, and what keeps it quiet."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.core import Core
from monitoring.alerting.incident import Incident, IncidentNews
from monitoring.alerting.letter import Letter
from monitoring.alerting.message import Message
from monitoring.alerting.telling import Telling
from operations.alerts import find_incident, told_now
from operations.incident_engine import incident_engine
from operations.moments import past_moment
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
    """All of it.

    Attributes:
        letters: Rows of the outbox, by channel and in order.
        due: What comes next; of a past moment nobody looks.
        quiet: What keeps people from being told.
        message: What a message would say of it now; None: it is about a past moment.
    """

    incident: Incident
    happened: tuple[Happened, ...]
    letters: tuple[Letter, ...]
    due: tuple[Due, ...]
    quiet: tuple[str, ...]
    message: Message | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "incident": self.incident.to_json(),
            "happened": [one.to_json() for one in self.happened],
            "letters": [one.to_json() for one in self.letters],
            "due": [one.to_json() for one in self.due],
            "quiet": list(self.quiet),
            "message": None if self.message is None else self.message.to_json(),
        }


def explain(system: IntegratedSystem, prefix: str, *, as_of: str | None = None) -> Explained:
    """Explain what was told of the incident whose id begins so; `as_of`: up to that moment (RFC 3339).

    Raises:
        UsageError: there is none, or there are several; the moment cannot be read, or has not come yet.
    """
    incident = find_incident(system, prefix, as_of=as_of)
    then = None if as_of is None else past_moment(as_of, system.clock.now())
    until = None if then is None else rfc3339(then + timedelta(microseconds=1))
    events = system.events.read(type="incident.*", subject=incident.id, until=until, limit=_MOST_EVENTS)
    happened = tuple(_happened(event.time, event.type, IncidentNews.from_json(event.data)) for event in events)
    letters = tuple(system.alert_outbox.of_thread(incident.id))
    if then is not None:
        # The outbox is no view of the log: of a past moment it knows what had been sent by then.
        sent = tuple(one for one in letters if one.told_at is not None and one.told_at <= then.timestamp())
        return Explained(incident, happened, sent, (), tuple(_quiet(system, incident, "")))
    with closing(incident_engine(system)) as engine:
        due, audience = engine.look(lambda core: _due(core, incident.id, system.clock.time()))
    quiet = tuple(_quiet(system, incident, audience))
    return Explained(incident, happened, letters, due, quiet, told_now(system, incident))


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
