"""The providers: whose data they serve, how their circuits stand, and what limits there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.breakers import Breaker, listed
from utils.resilience.quota import window_of

__all__ = ["Provider", "Rule", "providers"]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a circuit opens, and for how many seconds at first."""

    window: int
    window_s: float | None
    minimum_calls: int
    failure_rate: float
    slow_call_s: float
    open_for_s: float


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody who serves data.

    Attributes:
        datasets: That it serves, by name; empty: only a mirror, or known from before.
        concurrency: Requests at the same time; None: any number.
        rate: Requests each `per_s` seconds; None: any number.
        quota: Requests in each `quota_per_s` seconds, of which `quota_used` are used now; None: any number.
        rule: When the circuit opens: of `window` calls (or all of `window_s` seconds), once there are `minimum_calls`,
            the share `failure_rate` failed.
        asked, retried: Requests of the last run of its datasets, and how many of them asked again.
    """

    provider: str
    owner: str
    runbook: str
    datasets: tuple[str, ...]
    breaker: Breaker
    concurrency: int | None
    rate: float | None
    per_s: float | None
    quota: int | None
    quota_per_s: float | None
    quota_used: int | None
    rule: Rule
    asked: int
    retried: int

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        rule = {name: getattr(self.rule, name) for name in self.rule.__slots__}
        return {**told, "datasets": list(self.datasets), "breaker": self.breaker.to_json(), "rule": rule}


def providers(system: IntegratedSystem) -> list[Provider]:
    """Every declared or known provider, by name."""
    serves: dict[str, list[str]] = {}
    for dataset in system.settings.datasets:
        if dataset.transform is None:
            serves.setdefault(system.collector.provider_of(dataset), []).append(dataset.name)
    tries = {name: int(body.get("attempts", 0)) for name, body in system.views.latest().items()}
    return [_provider(system, breaker, serves.get(breaker.provider, []), tries) for breaker in listed(system)]


def _provider(system: IntegratedSystem, breaker: Breaker, datasets: list[str], tries: Mapping[str, int]) -> Provider:
    kind = system.collector.kind_of(breaker.provider)
    settings = system.settings.provider(breaker.provider, kind=kind)
    limits = settings.resilience
    rate, written = limits.rate_limit, limits.breaker
    asked = [tries[name] for name in datasets if tries.get(name)]
    return Provider(
        provider=breaker.provider,
        owner=settings.owner,
        runbook=settings.runbook,
        datasets=tuple(sorted(datasets)),
        breaker=breaker,
        concurrency=None if limits.bulkhead is None else limits.bulkhead.concurrency,
        rate=None if rate is None else rate.rate,
        per_s=None if rate is None else rate.per,
        quota=None if rate is None else rate.quota,
        quota_per_s=None if rate is None or rate.quota is None else rate.quota_per,
        quota_used=None if rate is None or rate.quota is None else _used(system, breaker.provider, rate.quota_per),
        rule=Rule(
            window=written.window,
            window_s=written.window_time,
            minimum_calls=written.minimum_calls,
            failure_rate=written.failure_rate,
            slow_call_s=written.slow_call,
            open_for_s=written.open_for,
        ),
        asked=sum(asked),
        retried=sum(asked) - len(asked),
    )


def _used(system: IntegratedSystem, provider: str, per: float) -> int:
    return system.quotas.used(provider, per, window_of(system.clock.time(), per)[0])
