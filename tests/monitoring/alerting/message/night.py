"""One night, told by hand: an incident, and an installation that answers what is asked about it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from monitoring.alerting.incident import Cause, Incident, IncidentKind
from monitoring.alerting.situation import DatasetStanding, ProviderStanding
from utils.redaction import Redactor

NOW = datetime.fromisoformat("2026-11-20T01:50:00Z")
SINCE = "2026-11-20T01:12:00.000000Z"
DATA = datetime.fromisoformat("2026-11-19T15:00:00Z")
NINE = datetime.fromisoformat("2026-11-20T08:00:00Z")
AGAIN = datetime.fromisoformat("2026-11-20T02:05:00Z")

USUAL = DatasetStanding("", "ECB", "degraded", "last_good", data_time=DATA)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class House:
    """A `Situation`. What is asked about and not listed stands as `usual` says."""

    zone: str = "Europe/Berlin"
    app: str = "rates"
    usual: DatasetStanding = USUAL
    standings: dict[str, DatasetStanding] = field(default_factory=dict)
    providers: dict[str, ProviderStanding] = field(default_factory=dict)
    explained: dict[str, tuple[str, ...]] = field(default_factory=dict)
    page: str = ""
    secrets: tuple[str, ...] = ()

    def put(self, name: str, **changes: Any) -> None:
        """How a dataset stands, where that differs from the usual."""
        self.standings[name] = replace(self.usual, dataset=name, **changes)

    def datasets(self, names: Any) -> list[DatasetStanding]:
        return [self.standings.get(name, replace(self.usual, dataset=name)) for name in names]

    def concerned(self, incidents: Any) -> list[str]:
        return sorted({name for one in incidents for name in self.explained.get(one, ())})

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        assert since <= NOW
        return self.providers.get(name, ProviderStanding(name))

    def command(self, arguments: str) -> str:
        return f"python integrated_system.py {arguments}"

    def link(self, incident: str) -> str:
        return self.page.replace("{id}", incident)

    def redacted(self, text: str) -> str:
        return Redactor(secrets=lambda: self.secrets).text(text)


def outage() -> House:
    """The ECB answers 503 since 02:12; `fx_daily` is promised for nine."""
    house = House()
    house.put("fx_daily", breaks_at=NINE)
    house.providers["ECB"] = ProviderStanding(
        "ECB", "open", 41, "fx_daily: https://ecb.test/fx answered 503: busy", "ProviderUnavailable", next_try=AGAIN
    )
    return house


def cause(type: str, subject: str, **data: Any) -> Cause:
    return Cause(type, type, subject, 7, SINCE, SINCE, data=data)


def down(*datasets: str) -> Incident:
    """A provider whose datasets were not delivered."""
    error = {"type": "ProviderUnavailable", "message": "answered 503"}
    causes = [cause("dataset.degraded", name, error=error) for name in datasets]
    return incident("provider", "ECB", *causes, datasets=datasets)


def incident(kind: IncidentKind, about: str, *causes: Cause, datasets: tuple[str, ...] = (), **more: Any) -> Incident:
    given = {"severity": "error", "state": "open", "opened_at": SINCE, "datasets": datasets, "causes": causes, **more}
    return Incident("i7f3", kind, about, f"{kind} {about}", **given)
