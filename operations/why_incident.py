"""Why there is an incident: what a message says of it now, and all that is or was wrong in it."""

from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.incident import Cause, Incident
from monitoring.alerting.message import Message
from operations.alerts import find_incident, told_now
from operations.words import count_of, moment

__all__ = ["WhyIncident", "why_incident"]


@dataclass(frozen=True, slots=True)
class WhyIncident:
    """The incident, the message about it as it would be written now, and its causes in words."""

    incident: Incident
    message: Message

    @property
    def causes(self) -> list[str]:
        """What is or was wrong, the oldest first."""
        return [_said(one) for one in self.incident.causes]

    @property
    def standing(self) -> list[str]:
        """Who took it, what keeps it quiet, what explains it."""
        one = self.incident
        told = []
        if one.acknowledged_by:
            until = "until its end" if one.acknowledged_until is None else f"until {moment(one.acknowledged_until)}"
            comment = f": {one.comment}" if one.comment else ""
            told.append(f"{one.acknowledged_by} took it, {until}{comment}")
        if one.inhibited_by:
            told.append(f"explained by incident {one.inhibited_by}: nobody is told of it by itself")
        if one.silenced_by:
            told.append(f"kept quiet by silence {one.silenced_by}")
        if one.explains:
            told.append(f"explains {count_of(len(one.explains), 'other incident')}: {', '.join(one.explains[:5])}")
        if one.flapping:
            told.append("it comes and goes")
        return told

    def to_json(self) -> dict[str, Any]:
        return {"incident": self.incident.to_json(), "message": self.message.to_json()}


def why_incident(system: IntegratedSystem, prefix: str) -> WhyIncident:
    """Why the incident whose id begins so is there.

    Raises:
        UsageError: there is none, or there are several.
    """
    incident = find_incident(system, prefix)
    return WhyIncident(incident, told_now(system, incident))


def _said(cause: Cause) -> str:
    count = "" if cause.count == 1 else f", {cause.count:,} times"
    over = "" if cause.over is None else f", over {moment(cause.over)}"
    return f"{cause.subject}: {cause.type} since {moment(cause.since)}{count}{over} (rule {cause.rule})"
