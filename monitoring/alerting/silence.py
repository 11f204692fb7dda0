"""A silence: nobody is told of certain incidents for a while. One that begins later is a maintenance window."""

from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from monitoring.alerting.incident import Incident

__all__ = ["Matcher", "Silence"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which incidents are meant: those for which everything that is given holds. Names may have `*`.

    Attributes:
        incident: The id.
        about: Provider, dataset, or whatever an incident is about.
        dataset: One of those concerned.
        rule: One of those that fired.
        severity: `warning` means this one only.

    >>> Matcher(about="*.ecb.europa.eu").words
    'about *.ecb.europa.eu'
    """

    incident: str = ""
    about: str = ""
    dataset: str = ""
    rule: str = ""
    severity: str = ""

    def matches(self, incident: Incident) -> bool:
        return (
            (not self.incident or incident.id == self.incident)
            and (not self.about or fnmatchcase(incident.about, self.about))
            and (not self.dataset or any(fnmatchcase(one, self.dataset) for one in incident.datasets))
            and (not self.rule or any(fnmatchcase(one, self.rule) for one in incident.rules))
            and (not self.severity or incident.severity == self.severity)
        )

    @property
    def words(self) -> str:
        """`dataset fx_*, severity warning`; `everything` when nothing is given."""
        given = [f"{one.name} {getattr(self, one.name)}" for one in fields(self) if getattr(self, one.name)]
        return ", ".join(given) or "everything"


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what it matches, from `since` until `until` (RFC 3339 UTC).

    `ended_at`: when it ran out or somebody (`ended_by`) took it back; None: it holds, or has not begun.
    """

    id: str
    matcher: Matcher
    since: str
    until: str
    by: str = ""
    reason: str = ""
    ended_at: str | None = None
    ended_by: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Silence":
        known = {one.name: data[one.name] for one in fields(cls) if one.name in data}  # an event may hold more
        return cls(**{**known, "matcher": Matcher(**data["matcher"])})
