"""An incident, and what the installation says of all that it concerns: what every part of a message is written from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.alerting.incident import Cause, Incident
from monitoring.alerting.message.moments import Moments, utc
from monitoring.alerting.situation import DatasetStanding, ProviderStanding, Situation
from utils.one_line import one_line

__all__ = ["Seen", "look"]

_LONGEST = 160

_SUFFERED_BY = ("network", "host")
"""What the datasets of explained incidents suffer by; `several` lists them itself, and a clock is wrong about them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All of it at one moment.

    Attributes:
        causes: What is wrong by now, the oldest first; of an incident that is over, all that was.
        standings: The datasets concerned, as they stand.
        provider: The provider, when all of them have the same one and it may be its fault.
    """

    incident: Incident
    situation: Situation
    now: datetime
    moments: Moments
    causes: tuple[Cause, ...]
    standings: tuple[DatasetStanding, ...]
    provider: ProviderStanding | None

    def of(self, *types: str) -> list[Cause]:
        """The causes of these types; one that ends with `.` takes all below."""
        return [one for one in self.causes if any(_fits(one.type, asked) for asked in types)]

    def words(self, text: object, longest: int = _LONGEST) -> str:
        """What strangers wrote: one line, without secrets."""
        return one_line(self.situation.redacted(str(text)), longest)

    @property
    def began(self) -> datetime:
        """When the first of it went wrong."""
        return min([utc(one.since) for one in self.causes] or [utc(self.incident.opened_at)])

    @property
    def next_try(self) -> datetime | None:
        """When it is tried again by itself."""
        if self.provider is not None and self.provider.held:
            return None
        tries = [one.next_try for one in self.standings if one.next_try is not None]
        if self.provider is not None and self.provider.next_try is not None:
            tries.append(self.provider.next_try)
        return min((at for at in tries if at > self.now), default=None)


def look(incident: Incident, situation: Situation, now: datetime) -> Seen:
    """Ask the installation for what a message about this incident needs."""
    now_wrong = tuple(one for one in incident.causes if one.over is None)
    causes = incident.causes if incident.state == "resolved" or not now_wrong else now_wrong
    names = list(incident.datasets)
    if incident.explains and incident.kind in _SUFFERED_BY:
        names = sorted({*names, *situation.concerned(incident.explains)})
    standings = tuple(situation.datasets(names)) if names else ()
    began = min([utc(one.since) for one in causes] or [utc(incident.opened_at)])
    name = _provider(incident, causes, standings)
    provider = situation.provider(name, began) if name else None
    return Seen(incident, situation, now, Moments(situation.zone, now), causes, standings, provider)


def _provider(incident: Incident, causes: Sequence[Cause], standings: Sequence[DatasetStanding]) -> str:
    if incident.kind == "provider":
        return incident.about
    if any(one.type.startswith(("breaker.", "dataset.")) for one in causes):
        names = {one.provider for one in standings}
        return names.pop() if len(names) == 1 else ""
    return ""


def _fits(type: str, asked: str) -> bool:
    return type.startswith(asked) if asked.endswith(".") else type == asked
