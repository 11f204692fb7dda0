"""An incident: what is wrong, with a beginning and an end. What its events carry, and what everybody reads.

Events `incident.opened changed acknowledged unacknowledged escalated flapping inhibited silenced resolved` have the
incident's id as subject and `IncidentNews` as data: the whole incident, and, when somebody is to be told now, a notice.
Whoever sends messages follows `incident.*` and needs nothing but the notice: who is told when is decided here.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

__all__ = [
    "ACTIVE",
    "SEVERITIES",
    "Cause",
    "Incident",
    "IncidentKind",
    "IncidentNews",
    "IncidentState",
    "Notice",
    "NoticeKind",
    "Severity",
]

Severity = Literal["info", "warning", "error", "critical"]
"""In the order of urgency."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)

IncidentState = Literal["open", "acknowledged", "silenced", "inhibited", "resolved"]
ACTIVE: tuple[IncidentState, ...] = ("open", "acknowledged", "silenced", "inhibited")

IncidentKind = Literal[
    "provider", "dataset", "rule", "host", "service", "channel", "installation", "network", "clock", "several", "digest"
]
"""What `about` names. `network` and `clock`: our own, the cause of others. `several`: providers that went down
together, and not because of us. `digest`: what was unlikely on a day; it is over as it begins. `installation`: all
the rest."""

NoticeKind = Literal["begun", "worse", "again", "escalated", "flapping", "over", "digest"]
"""Why somebody is told. `again`: repeated, or an acknowledgement or a silence ran out."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong in it: the newest event of a rule about a subject.

    Attributes:
        rule: The rule's name; `type`, `subject`, `seq`: of the event.
        since, last: When it began, and when it was seen last; RFC 3339.
        count: How often it was seen.
        over: When this part of it was over, RFC 3339; None: it is not.
        data: Of the newest event, what messages need (never row values).
    """

    rule: str
    type: str
    subject: str
    seq: int
    since: str
    last: str
    count: int = 1
    over: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """All of it. Times RFC 3339 UTC; what there is none of is None or empty.

    Attributes:
        id: Short and stable; what `alerts ack` and links name.
        about: What it is about: a provider, a dataset, `host`, `our network`, by `kind`.
        group: What makes two firings one incident: kind and about, by the rule's `group_by`.
        severity: The most urgent that it ever was.
        rules: The rules that fired, the most urgent first.
        datasets: Those concerned, in order.
        causes: What is wrong, the oldest first; of very many the first hundred, those that are not over before others.
        to: Channels that were told. They are told the end, too.
        told_at: When somebody was told first, be it only the file; None: nobody was.
        acknowledged_by, acknowledged_until, comment: Who took it, and until when that holds (None: until its end).
        inhibited_by: The incident that explains this one.
        silenced_by: The silence or maintenance window that keeps it quiet.
        flapping: It comes and goes; that is told once.
        step: How often it was escalated.
        explains: The incidents that this one explains.
    """

    id: str
    kind: IncidentKind
    about: str
    group: str
    severity: Severity
    state: IncidentState
    opened_at: str
    rules: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    to: tuple[str, ...] = ()
    told_at: str | None = None
    resolved_at: str | None = None
    acknowledged_by: str | None = None
    acknowledged_until: str | None = None
    comment: str = ""
    inhibited_by: str | None = None
    silenced_by: str | None = None
    flapping: bool = False
    step: int = 0
    explains: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # Not `asdict`, which copies the data of every cause.
        found = {name: getattr(self, name) for name in self.__slots__}
        found["causes"] = [{name: getattr(one, name) for name in one.__slots__} for one in self.causes]
        return found

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Incident":
        """From what an event has; what a later release adds is passed over."""
        known = {name: value for name, value in data.items() if name in _INCIDENT}
        for name in ("rules", "datasets", "to", "explains"):
            known[name] = tuple(known.get(name, ()))
        known["causes"] = tuple(
            Cause(**{name: value for name, value in one.items() if name in _CAUSE}) for one in data.get("causes", ())
        )
        return cls(**known)


_INCIDENT = frozenset(one.name for one in fields(Incident))
_CAUSE = frozenset(one.name for one in fields(Cause))


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody is to be told now. `to`: channels; none: only those that always are (the file, who looks on live)."""

    kind: NoticeKind
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentNews:
    """The data of an event `incident.*`. `actor`: who did it, "" for the program; `reason`: why, in words."""

    incident: Incident
    notice: Notice | None = None
    actor: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        notice = None if self.notice is None else asdict(self.notice)
        return {"incident": self.incident.to_json(), "notice": notice, "actor": self.actor, "reason": self.reason}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "IncidentNews":
        told = data.get("notice")
        notice = None if told is None else Notice(told["kind"], tuple(told["to"]))
        return cls(Incident.from_json(data["incident"]), notice, data.get("actor", ""), data.get("reason", ""))
