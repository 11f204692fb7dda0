"""An incident: what is wrong, with a beginning and an end. What its events carry, and what everybody reads."""

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ACTIVE", "Cause", "Incident", "IncidentState", "Severity"]

Severity = Literal["info", "warning", "error", "critical"]
"""In the order of urgency."""

IncidentState = Literal["open", "acknowledged", "silenced", "inhibited", "resolved"]
ACTIVE: tuple[IncidentState, ...] = ("open", "acknowledged", "silenced", "inhibited")


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
        rules: The rules that fired, the most urgent first.
        datasets: Those concerned, in order.
        causes: What is wrong, the oldest first.
        to: Channels that are told by now.
        acknowledged_by, acknowledged_until, comment: Who took it, and until when that holds.
        inhibited_by: The incident that explains this one.
        silenced_by: The silence or maintenance window that keeps it quiet.
        flapping: It comes and goes; that is told once.
        step: How often it was escalated.
    """

    id: str
    kind: str
    about: str
    group: str
    severity: Severity
    state: IncidentState
    opened_at: str
    rules: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    to: tuple[str, ...] = ()
    resolved_at: str | None = None
    acknowledged_by: str | None = None
    acknowledged_until: str | None = None
    comment: str = ""
    inhibited_by: str | None = None
    silenced_by: str | None = None
    flapping: bool = False
    step: int = 0
