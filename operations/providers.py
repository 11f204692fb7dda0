"""The providers: whose data they serve, how their circuits stand, and what limits there are."""

from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.breakers import Breaker, listed

__all__ = ["Provider", "providers"]


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who serves data.

    Attributes:
        datasets: That it serves, by name; empty: only a mirror, or known from before.
        concurrency: Requests at the same time; None: any number.
        rate: Requests each `per_s` seconds; None: any number.
    """

    provider: str
    owner: str
    runbook: str
    datasets: tuple[str, ...]
    breaker: Breaker
    concurrency: int | None
    rate: float | None
    per_s: float | None

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "datasets": list(self.datasets), "breaker": self.breaker.to_json()}


def providers(system: IntegratedSystem) -> list[Provider]:
    """Every declared or known provider, by name."""
    serves: dict[str, list[str]] = {}
    for dataset in system.settings.datasets:
        if dataset.transform is None:
            serves.setdefault(system.collector.provider_of(dataset), []).append(dataset.name)
    return [_provider(system, breaker, serves.get(breaker.provider, [])) for breaker in listed(system)]


def _provider(system: IntegratedSystem, breaker: Breaker, datasets: list[str]) -> Provider:
    kind = system.collector.kind_of(breaker.provider)
    settings = system.settings.provider(breaker.provider, kind=kind)
    limits = settings.resilience
    return Provider(
        provider=breaker.provider,
        owner=settings.owner,
        runbook=settings.runbook,
        datasets=tuple(sorted(datasets)),
        breaker=breaker,
        concurrency=None if limits.bulkhead is None else limits.bulkhead.concurrency,
        rate=None if limits.rate_limit is None else limits.rate_limit.rate,
        per_s=None if limits.rate_limit is None else limits.rate_limit.per,
    )
