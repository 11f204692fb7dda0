"""The engine of incidents of an installation: its rules, its datasets and providers, and its look at ourselves."""

from collections.abc import Sequence
from functools import cached_property
from urllib.parse import urlsplit

from config.datasets import DatasetSettings
from integrated_system import IntegratedSystem
from monitoring.alerting.engine import IncidentEngine
from monitoring.alerting.explaining import Finding
from monitoring.alerting.ourselves import look_at_ourselves
from monitoring.alerting.setup import Setup, setup_of
from utils.calendars import Calendar

__all__ = ["DeclaredInSettings", "incident_engine"]


def incident_engine(system: IntegratedSystem) -> IncidentEngine:
    """The engine of this installation. Who runs it keeps it, and closes it; who only acts on an incident makes one."""
    declared = DeclaredInSettings(system)
    return IncidentEngine(
        system.events,
        system.cursors,
        lambda: _setup(system, declared),
        probe=lambda providers: _probe(system, declared, providers),
        clock=system.clock,
    )


class DeclaredInSettings:
    """What the configuration says of datasets and providers, as `grouping.Declared` asks it."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._providers: dict[str, str] = {}

    def provider_of(self, dataset: str) -> str | None:
        found = self._providers.get(dataset)
        if found is None and (settings := self._system.settings.find(dataset)) is not None:
            found = self._providers[dataset] = self._system.collector.provider_of(settings)
        return found

    def is_provider(self, name: str) -> bool:
        return name in self._hosts

    def needs_network(self, provider: str) -> bool:
        return bool(self.host(provider))

    def upstream(self, dataset: str) -> Sequence[str]:
        if (settings := self._system.settings.find(dataset)) is None or not settings.depends_on:
            return ()
        found: dict[str, None] = {}
        left = list(settings.depends_on)
        while left:
            name = left.pop(0)
            if name not in found and (other := self._system.settings.find(name)) is not None:
                found[name] = None
                left += other.depends_on
        return tuple(found)

    def host(self, provider: str) -> str:
        """The host on the internet that is asked; "": there is none."""
        return self._hosts.get(provider, "")

    @cached_property
    def _hosts(self) -> dict[str, str]:
        """Every provider, with its host."""
        found: dict[str, str] = {}
        for dataset in self._system.settings.datasets:
            provider = self.provider_of(dataset.name)
            if provider is not None and not found.get(provider):
                found[provider] = self._host_of(dataset, provider)
        return found

    def _host_of(self, dataset: DatasetSettings, provider: str) -> str:
        from data_pipeline.collect.own_network import is_near

        address = str(getattr(dataset.collect, "url", "") or "")
        if dataset.kind == "http" and "://" not in address:
            address = self._system.settings.provider(provider).base_url
        host = (urlsplit(address).hostname or "") if "://" in address and not address.startswith("file:") else ""
        return "" if not host or is_near(host) else host


def _setup(system: IntegratedSystem, declared: DeclaredInSettings) -> Setup:
    settings = system.settings

    def calendar_of(name: str) -> Calendar:
        from data_pipeline.scheduling.calendars import calendar_of

        return calendar_of(settings, name)

    return setup_of(settings.alerts, declared, zone=settings.app.zone, calendar_of=calendar_of)


def _probe(system: IntegratedSystem, declared: DeclaredInSettings, providers: Sequence[str]) -> Finding | None:
    hosts = [host for name in providers if (host := declared.host(name))]
    return look_at_ourselves(system.state_dir, hosts, away=system.own_network.away)
