"""What the log is told of incidents, and when somebody is to be told."""

from monitoring.alerting.freezing import frozen, rank
from monitoring.alerting.incident import Incident, IncidentNews, Notice
from monitoring.alerting.memory import Memory, Ongoing
from monitoring.alerting.setup import Setup
from monitoring.alerting.silence import Silence
from utils.events.event import NewEvent, stamp

__all__ = ["GATHER_S", "SOURCE", "News"]

GATHER_S = 5.0
"""Seconds for which what begins together is waited for, so that it is told together."""

SOURCE = "alerting"

_CHANGES = {
    "opened": "incident.opened",
    "changed": "incident.changed",
    "acknowledged": "incident.acknowledged",
    "unacknowledged": "incident.unacknowledged",
    "escalated": "incident.escalated",
    "flapping": "incident.flapping",
    "inhibited": "incident.inhibited",
    "silenced": "incident.silenced",
    "resolved": "incident.resolved",
}
_SILENCES = {"added": "silence.added", "ended": "silence.ended"}


class News:
    """Collects events; a notice is part of the event that it comes with."""

    def __init__(self, setup: Setup, memory: Memory) -> None:
        self._setup = setup
        self._memory = memory
        self._events: list[NewEvent] = []

    def drain(self) -> list[NewEvent]:
        """What was collected; it is given once."""
        found, self._events = self._events, []
        return found

    def opened(self, ongoing: Ongoing, at: float) -> None:
        """It began; whoever is to be told is told a little later, with what joined it until then."""
        ongoing.notice = "flapping" if ongoing.flapping else "begun"
        self.tell_at(ongoing, at + GATHER_S)
        self.emit("opened", ongoing)

    def tell_at(self, ongoing: Ongoing, at: float) -> None:
        """Have its notice looked at then, unless it is explained or kept quiet."""
        self._memory.touch(ongoing)
        ongoing.notice_at = None if ongoing.inhibited_by or ongoing.silenced_by else at
        if ongoing.notice_at is not None:
            self._memory.at(at)

    def changed(self, ongoing: Ongoing, at: float) -> None:
        """Something in it is otherwise: the log is told soon, and people when it is worse or concerns more of them."""
        memory = self._memory
        memory.touch(ongoing)
        if ongoing.emit_at is None:
            ongoing.emit_at = at + GATHER_S
            memory.at(ongoing.emit_at)
        if ongoing.told_at is not None and ongoing.notice_at is None:
            worse = rank(ongoing.severity) > rank(ongoing.told_severity)
            ongoing.notice = "worse" if worse else "begun"
            self.tell_at(ongoing, at + GATHER_S)
        elif ongoing.told_at is not None and rank(ongoing.severity) > rank(ongoing.told_severity):
            ongoing.notice = "worse"
        parent = memory.ongoing.get(ongoing.inhibited_by or "")
        if parent is not None:
            if rank(ongoing.severity) > rank(parent.severity):
                parent.severity = ongoing.severity
            self.changed(parent, at)

    def told(self, change: str, ongoing: Ongoing, notice: Notice, at: float, *, reason: str = "") -> None:
        """Somebody is told now."""
        ongoing.told_at = ongoing.told_at or stamp(at)
        ongoing.told_severity = ongoing.severity
        ongoing.to = list(dict.fromkeys((*ongoing.to, *notice.to)))
        self.emit(change, ongoing, notice=notice, reason=reason)

    def resolved(self, ongoing: Ongoing, at: float, *, actor: str, reason: str) -> Incident:
        """It is over: those who were told that it began are told."""
        incident = frozen(ongoing, self._memory, self._setup, state="resolved", resolved_at=stamp(at))
        notice = None if ongoing.told_at is None else Notice("over", tuple(ongoing.to))
        self._append("resolved", incident, notice, actor, reason)
        return incident

    def digest(self, incident: Incident) -> None:
        """What was unlikely on a day: it begins and is over as one."""
        self._append("opened", incident, Notice("digest", incident.to), "", "")

    def emit(
        self, change: str, ongoing: Ongoing, *, notice: Notice | None = None, actor: str = "", reason: str = ""
    ) -> None:
        """Tell the log how it stands."""
        ongoing.emit_at = None
        self._memory.touch(ongoing)
        self._append(change, frozen(ongoing, self._memory, self._setup), notice, actor, reason)

    def silence(self, change: str, silence: Silence) -> None:
        """A silence was `added` or `ended`."""
        self._events.append(NewEvent(_SILENCES[change], silence.id, silence.to_json(), SOURCE))

    def clock_jumped(self, seconds: float) -> None:
        """Our clock was set by so much."""
        self._events.append(NewEvent("clock.jumped", "clock", {"by_s": round(seconds, 3)}, SOURCE))

    def _append(self, change: str, incident: Incident, notice: Notice | None, actor: str, reason: str) -> None:
        news = IncidentNews(incident, notice, actor, reason)
        self._events.append(NewEvent(_CHANGES[change], incident.id, news.to_json(), SOURCE))
