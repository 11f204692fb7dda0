"""What the line hears when a provider's protection refuses a request."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.datasets import DatasetSettings
from data_pipeline.collect.collector import Collector, CollectRequest
from data_pipeline.collect.resilient import ResilientCollector
from data_pipeline.dataset import Collected, Provenance
from data_pipeline.errors import RequestRefused
from utils.clock import ManualClock
from utils.resilience.bulkhead import Place
from utils.resilience.deadline import deadline
from utils.resilience.policy import ResiliencePolicy
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.settings import BulkheadSettings, ProviderResilience, RateLimitSettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Asking(Collector):
    """Asks its provider once."""

    def collect(self, request: CollectRequest) -> Collected:
        request.call(request.provider, lambda: None)
        return Collected(Provenance(request.provider, NOW))


def circuit(policy: ResiliencePolicy, clock: ManualClock) -> None:
    policy.breaker.force_open()


def limit(policy: ResiliencePolicy, clock: ManualClock) -> None:
    assert policy.limiter is not None
    policy.limiter.pause(30.0)


def quota(policy: ResiliencePolicy, clock: ManualClock) -> None:
    assert policy.quota is not None
    policy.quota.take()


def bulkhead(policy: ResiliencePolicy, clock: ManualClock) -> Place:
    assert policy.bulkhead is not None
    return policy.bulkhead.take()


def over(policy: ResiliencePolicy, clock: ManualClock) -> None:
    clock.advance(10.0)


@pytest.mark.parametrize(
    ("use_up", "by", "after"),
    [
        (circuit, "circuit", 3600.0),
        (limit, "limit", 30.0),
        (quota, "quota", 86_400.0),
        (bulkhead, "bulkhead", 1.0),
        (over, "deadline", 0.0),
    ],
    ids=["circuit", "limit", "quota", "bulkhead", "deadline"],
)
def test_every_refusal_says_who_refused_and_for_how_long(
    tmp_path: Path, use_up: Callable[[ResiliencePolicy, ManualClock], object], by: str, after: float
) -> None:
    """The words are those of the part; nothing was asked, and a new try is worth it."""
    clock = ManualClock(NOW)
    settings = ProviderResilience(rate_limit=RateLimitSettings(quota=1), bulkhead=BulkheadSettings(1))
    registry = ResilienceRegistry(lambda name: settings, clock=clock)
    collector = ResilientCollector(
        build=lambda kind: Asking,
        registry=registry,
        provider_settings=lambda name, kind: None,
        folder=tmp_path,
        clock=clock,
    )
    collect = {"kind": "http", "url": "https://ecb.example/rates"}
    dataset = DatasetSettings.model_validate({"name": "rates", "collect": collect})

    with deadline(10.0, clock):
        _held = use_up(registry.policy("ecb"), clock)
        with pytest.raises(RequestRefused, match=r"^ecb: ") as caught:
            collector.collect(dataset, provider="ecb", now=NOW, number=0, validators={})

    error = caught.value
    assert (error.refused_by, error.retry_after, error.provider, error.transient) == (by, after, "ecb", True)
    assert str(error) == str(error.__cause__)
