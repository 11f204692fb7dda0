"""The providers' circuits: how they stand, and what a person decides about them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_pipeline.collect.addresses import provider_name
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from utils.events import NewEvent, rfc3339
from utils.resilience.shared_state import Verdict


@dataclass(frozen=True, slots=True)
class Breaker:
    """One provider's circuit.

    Attributes:
        retry_after_s: Until the next try; None when it is not open, or held open.
        held: Forced open or forced closed: only a person ends it.
        permits_left: How many more trial calls may begin now; None unless it is half-open.
    """

    provider: str
    state: str
    open_until: str | None
    retry_after_s: float | None
    times_opened: int
    reason: str
    held: bool = False
    permits_left: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def listed(system: IntegratedSystem) -> list[Breaker]:
    """Every declared or known provider's circuit; one that never moved is closed."""
    known = system.verdicts.all()
    names = known.keys() | _declared(system)
    return [_breaker(system, name, known.get(name, Verdict("closed"))) for name in sorted(names)]


def breaker_of(system: IntegratedSystem, provider: str) -> Breaker:
    """How the circuit of one provider stands."""
    return _breaker(system, provider, system.verdicts.all().get(provider, Verdict("closed")))


@operation("operator")
def force_open(system: IntegratedSystem, actor: Actor, provider: str, *, reason: str = "") -> Breaker:
    """Refuse every call to a provider, in all processes, until somebody closes or resets its circuit.

    Raises:
        PipelineError: no provider of that name is known.
    """
    now = system.clock.time()
    why = reason or f"opened by {actor.name}"
    return _decide(
        system, actor, provider, lambda before: Verdict("open", now, math.inf, before.times_opened, why, held=True)
    )


@operation("operator")
def close(system: IntegratedSystem, actor: Actor, provider: str, *, reason: str = "", hold: bool = False) -> Breaker:
    """Let calls to a provider pass again, and forget its failures. `hold`: it does not open until it is reset.

    Raises:
        PipelineError: no provider of that name is known.
    """
    why = reason or f"{'held closed' if hold else 'closed'} by {actor.name}"
    return _decide(system, actor, provider, lambda _: Verdict("closed", reason=why, held=hold))


@operation("operator")
def reset(system: IntegratedSystem, actor: Actor, provider: str | None = None) -> list[Breaker]:
    """Back to normal for a provider's circuit, or for all: closed, nothing held, no failure remembered.

    Gives those that were not so before.

    Raises:
        PipelineError: no provider of that name is known.
    """
    before = listed(system) if provider is None else [_known(system, provider)]
    moved = [breaker for breaker in before if breaker.state != "closed" or breaker.held]
    for breaker in moved:
        _decide(system, actor, breaker.provider, lambda _: Verdict("closed"), told=f"reset by {actor.name}")
    return moved


def _decide(
    system: IntegratedSystem, actor: Actor, provider: str, step: Callable[[Verdict], Verdict], *, told: str = ""
) -> Breaker:
    """Take one step for all processes, which see it at their next look, and tell the log who did."""
    _known(system, provider)
    found: list[Verdict] = []

    def change(stored: Verdict | None) -> Verdict:
        before = stored or Verdict("closed")
        found[:] = before, step(before)
        return found[1]

    system.verdicts.change(provider, change)
    before, after = found
    kind = "breaker.opened" if after.state == "open" else "breaker.closed"
    data = {"before": before.state, "reason": told or after.reason, "open_until": None, "held": after.held}
    system.events.append([NewEvent(kind, provider, {**data, "actor": actor.name}, source="operations")])
    return _breaker(system, provider, after)


def _known(system: IntegratedSystem, provider: str) -> Breaker:
    all_of_them = {breaker.provider: breaker for breaker in listed(system)}
    if provider not in all_of_them:
        names = ", ".join(all_of_them) or "none"
        raise PipelineError(f"there is no provider {provider!r}", hint=f"known are: {names}", missing=True)
    return all_of_them[provider]


def _declared(system: IntegratedSystem) -> set[str]:
    """The providers of all datasets and of their mirrors."""
    datasets = system.settings.datasets
    mirrors = [url for dataset in datasets for url in getattr(dataset.collect, "mirrors", ()) if "://" in url]
    asked = (dataset for dataset in datasets if dataset.transform is None)
    return {system.collector.provider_of(dataset) for dataset in asked} | {provider_name(url) for url in mirrors}


def _breaker(system: IntegratedSystem, provider: str, verdict: Verdict) -> Breaker:
    from datetime import UTC, datetime

    known_end = verdict.state == "open" and verdict.open_until != math.inf
    left = None
    if verdict.state == "half_open":
        permits = system.settings.provider(provider).resilience.breaker.half_open_calls
        trial = verdict.trial
        left = permits if trial is None else max(0, trial.free(permits, math.inf, system.clock.monotonic()))
    return Breaker(
        provider=provider,
        state=verdict.state,
        open_until=rfc3339(datetime.fromtimestamp(verdict.open_until, UTC)) if known_end else None,
        retry_after_s=max(0.0, round(verdict.open_until - system.clock.time(), 1)) if known_end else None,
        times_opened=verdict.times_opened,
        reason=verdict.reason,
        held=verdict.held,
        permits_left=left,
    )
