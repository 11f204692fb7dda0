"""The providers' circuits: how they stand, and set one back by hand."""

from dataclasses import dataclass
from typing import Any

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from utils.events import NewEvent, rfc3339
from utils.resilience.shared_state import Verdict


@dataclass(frozen=True, slots=True)
class Breaker:
    """One provider's circuit. `retry_after_s`: until the next try; None when it is not open."""

    provider: str
    state: str
    open_until: str | None
    retry_after_s: float | None
    times_opened: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def listed(system: IntegratedSystem) -> list[Breaker]:
    """Every declared or known provider's circuit; one that never moved is closed."""
    now = system.clock.time()
    known = system.verdicts.all()
    providers = {system.collector.provider_of(dataset) for dataset in system.settings.datasets}
    closed = Verdict("closed")
    return [_breaker(name, known.get(name, closed), now) for name in sorted(providers | known.keys())]


@operation("operator")
def reset(system: IntegratedSystem, actor: Actor, provider: str | None = None) -> list[Breaker]:
    """Close a provider's circuit (or all) and forget its failures; says which were not closed before.

    Raises:
        PipelineError: no provider of that name is known.
    """
    before = listed(system)
    if provider is not None and provider not in {breaker.provider for breaker in before}:
        names = ", ".join(breaker.provider for breaker in before)
        raise PipelineError(f"there is no provider {provider!r}", hint=f"known are: {names}")
    moved = [b for b in before if b.state != "closed" and provider in {None, b.provider}]
    for breaker in moved:
        system.verdicts.save(breaker.provider, Verdict("closed"))
        data = {"before": breaker.state, "reason": f"reset by {actor.name}", "open_until": None, "actor": actor.name}
        event = NewEvent("breaker.closed", breaker.provider, data, source="operations")
        system.events.append([event]).result()
    return moved


def _breaker(provider: str, verdict: Verdict, now: float) -> Breaker:
    from datetime import UTC, datetime

    known_end = verdict.state == "open" and verdict.open_until != float("inf")
    return Breaker(
        provider=provider,
        state=verdict.state,
        open_until=rfc3339(datetime.fromtimestamp(verdict.open_until, UTC)) if known_end else None,
        retry_after_s=max(0.0, round(verdict.open_until - now, 1)) if known_end else None,
        times_opened=verdict.times_opened,
        reason=verdict.reason,
    )
