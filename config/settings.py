"""The frame of the configuration: all sections in one frozen model. Every key and default stands in CONFIG."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from config import graph
from config.alerts import AlertsSettings, alert_faults
from config.api import ApiSettings
from config.calendars_named import unknown_calendars
from config.datasets import (
    DatasetDefaults,
    DatasetSettings,
    DetectSettings,
    PromiseSettings,
    QualitySettings,
)
from config.errors import ConfigError, Fault, Faults, KeyPath, Problem, shown
from config.kinds import LIMITED_KINDS
from config.model import Section, laid_over
from config.providers import ProviderSettings, TlsSettings
from config.resilience import (
    BreakerSettings,
    BulkheadSettings,
    DatasetResilience,
    ProviderResilience,
    RateLimitSettings,
    RetrySettings,
    TimeoutSettings,
)
from config.schedule import CalendarSettings
from config.sections import (
    AppSettings,
    CacheSettings,
    DashboardSettings,
    DatabaseSettings,
    ExecutorSettings,
    LoggingSettings,
    MaintenanceSettings,
    NetworkSettings,
    PerformanceSettings,
    PluginName,
    RetentionSettings,
    StorageSettings,
)
from config.watching import HealingSettings, MonitorSettings, ProtectorSettings, health_faults

__all__ = [
    "AlertsSettings",
    "ApiSettings",
    "AppSettings",
    "BreakerSettings",
    "BulkheadSettings",
    "CacheSettings",
    "DashboardSettings",
    "DatabaseSettings",
    "DatasetDefaults",
    "DatasetResilience",
    "DatasetSettings",
    "DefaultSettings",
    "DetectSettings",
    "ExecutorSettings",
    "HealingSettings",
    "LoggingSettings",
    "MaintenanceSettings",
    "MonitorSettings",
    "NetworkSettings",
    "PerformanceSettings",
    "PromiseSettings",
    "ProtectorSettings",
    "ProviderResilience",
    "ProviderSettings",
    "QualitySettings",
    "RateLimitSettings",
    "RetentionSettings",
    "RetrySettings",
    "Settings",
    "StorageSettings",
    "TimeoutSettings",
    "TlsSettings",
]


class DefaultSettings(Section):
    """What every provider and every dataset has unless it says otherwise."""

    resilience: ProviderResilience = ProviderResilience()
    dataset: DatasetDefaults = DatasetDefaults()


class Settings(Section):
    """The whole configuration. Seconds are float, sizes int bytes; paths are absolute once loaded from a file."""

    app: AppSettings = AppSettings()
    code: tuple[Path, ...] = ()
    plugins: tuple[PluginName, ...] = ()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    cache: CacheSettings = CacheSettings()
    executor: ExecutorSettings = ExecutorSettings()
    retention: RetentionSettings = RetentionSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    performance: PerformanceSettings = PerformanceSettings()
    logging: LoggingSettings = LoggingSettings()
    network: NetworkSettings = NetworkSettings()
    calendars: dict[str, CalendarSettings] = Field(default_factory=dict)
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    defaults: DefaultSettings = DefaultSettings()
    datasets: tuple[DatasetSettings, ...] = ()
    monitor: MonitorSettings = MonitorSettings()
    protector: ProtectorSettings = ProtectorSettings()
    healing: HealingSettings = HealingSettings()
    alerts: AlertsSettings = AlertsSettings()
    api: ApiSettings = ApiSettings()
    dashboard: DashboardSettings = DashboardSettings()

    _providers: dict[tuple[str, bool], ProviderSettings] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _plugins_are_named_once(self) -> Self:
        for position, name in enumerate(self.plugins):
            if name in self.plugins[:position]:
                fault = Fault(f"{shown(name)} is named twice", hint="Remove one of the two.")
                raise Faults([(("plugins", position), fault, None)])
        return self

    @model_validator(mode="after")
    def _complete_datasets(self) -> Self:
        """Names are unique; each dataset carries its effective zone and resilience."""
        defaults = self.defaults.dataset
        seen: set[str] = set()
        found: list[tuple[KeyPath, ValueError, type | None]] = []
        for position, dataset in enumerate(self.datasets):
            if dataset.name in seen:
                twice = Fault(f"{shown(dataset.name)} is declared twice", hint="Rename one of the two.")
                raise Faults([(("datasets", position, "name"), twice, None)])
            seen.add(dataset.name)
            dataset.complete(defaults)
            if not self._has_address(dataset):
                name = dataset.provider
                named = f"provider `{name}` has no `base_url`" if name else "the dataset names no provider"
                hint = "Write https://… in full, or name a `provider` that has a `base_url`."
                fault = Fault(f"is only a path, and {named}", hint=hint)
                found.append((("datasets", position, "collect", "url"), fault, None))
        found += self._without_source(seen)
        found += graph.faults(self.datasets)
        found += unknown_calendars(self.datasets, self.calendars)
        found += health_faults(self.monitor)
        found += alert_faults(self.alerts, self.calendars)
        if found:
            raise Faults(found)
        return self

    def _has_address(self, dataset: DatasetSettings) -> bool:
        """Whether it can be told where a dataset of kind http is."""
        if dataset.kind != "http" or "://" in getattr(dataset.collect, "url", "://"):
            return True
        declared = self.providers.get(dataset.provider or "")
        return declared is not None and bool(declared.base_url)

    def _without_source(self, names: set[str]) -> Iterator[tuple[KeyPath, ValueError, type | None]]:
        """Each `for_each` over a dataset that is not there, or over its own, and each rule that looks up in none."""
        for position, dataset in enumerate(self.datasets):
            here: KeyPath = ("datasets", position)
            hint = "Name a dataset whose column holds the values."
            asked = getattr(getattr(dataset.collect, "for_each", None), "dataset", None)
            if asked == dataset.name:
                fault = Fault(f"{shown(asked)} is this dataset itself", hint=hint)
                yield (*here, "collect", "for_each", "dataset"), fault, None
            elif asked is not None and asked not in names:
                fault = Fault(graph.no_dataset(asked, names - {dataset.name}), hint=hint)
                yield (*here, "collect", "for_each", "dataset"), fault, None
            for rule in dataset.rules:
                if getattr(rule, "kind", "") == "references" and (sought := rule.params["dataset"]) not in names:
                    fault = Fault(f"rule `{rule.id}`: {graph.no_dataset(sought, names)}", hint=hint)
                    yield (*here, "rules"), fault, None

    @model_validator(mode="after")
    def _breakers_can_work(self) -> Self:
        """Only once the sections lie over each other is it known whether their numbers go together."""
        written: dict[KeyPath, ProviderResilience] = {("defaults",): self.defaults.resilience}
        for name, provider in self.providers.items():
            if "resilience" in provider.model_fields_set:
                written["providers", name] = laid_over(self.defaults.resilience, provider.resilience)
        found: list[tuple[KeyPath, ValueError, type | None]] = []
        for place, section in written.items():
            if (fault := section.breaker.fault()) is not None:
                found.append(((*place, "resilience", "breaker", fault[0]), fault[1], None))
        if found:
            raise Faults(found)
        return self

    def provider(self, name: str, *, kind: str = "http") -> ProviderSettings:
        """Any provider, declared or derived, its resilience laid over `defaults.resilience`.

        The defaults' rate limit and bulkhead are only for the kinds http, sql and object_store; other kinds have none
        unless the provider's own block names one.
        """
        limited = kind in LIMITED_KINDS
        if name not in self.providers:
            name = ""  # all that are only derived share one
        found = self._providers.get((name, limited))
        if found is None:
            base = self.defaults.resilience
            if not limited:
                base = base.model_copy(update={"rate_limit": None, "bulkhead": None})
            declared = self.providers.get(name, ProviderSettings())
            own = laid_over(base, declared.resilience)
            found = self._providers[name, limited] = declared.model_copy(update={"resilience": own})
        return found

    def dataset(self, name: str) -> DatasetSettings:
        """The dataset of that name.

        Raises:
            ConfigError: there is none; it names the nearest.
        """
        found = self.find(name)
        if found is None:
            near = get_close_matches(name, self._by_name, n=1)
            suggestion = f"; did you mean `{near[0]}`?" if near else ""
            listed = ", ".join(list(self._by_name)[:20]) or "none"
            problem = Problem("", None, "", f"unknown dataset {shown(name)}{suggestion}", f"Declared are: {listed}.")
            raise ConfigError([problem], missing=True)
        return found

    def find(self, name: str) -> DatasetSettings | None:
        """The dataset of that name, if it is declared."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, DatasetSettings]:
        return {dataset.name: dataset for dataset in self.datasets}
