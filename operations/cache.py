"""The cache as somebody asks for it: what it holds, how well it serves; and emptying it, by which nothing is lost."""

from dataclasses import asdict, dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from utils.events import NewEvent

__all__ = ["CacheCleared", "CacheFigures", "clear", "figures"]


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What is held, and what came of the lookups of this process.

    Attributes:
        bytes: Of all values.
        stale_hits: Lookups that were given an expired value, as they allowed.
        waited: Calls that got what another one computed meanwhile.
        errors: Computations that failed.
        hit_rate: Share of lookups that found a value, 0..1; None without lookups.
        trouble: Why it cannot be used now; "": it can.
    """

    entries: int
    bytes: int
    hits: int
    misses: int
    sets: int
    stale_hits: int
    waited: int
    errors: int
    hit_rate: float | None
    trouble: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CacheCleared:
    """How many values were forgotten."""

    cleared: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def figures(system: IntegratedSystem) -> CacheFigures:
    """How the cache stands."""
    found = system.cache.statistics()
    return CacheFigures(
        entries=found.entries,
        bytes=found.bytes,
        hits=found.hits,
        misses=found.misses,
        sets=found.sets,
        stale_hits=found.stale_hits,
        waited=found.waited,
        errors=found.errors,
        hit_rate=found.hit_rate,
        trouble=system.cache.trouble(),
    )


@operation("operator")
def clear(system: IntegratedSystem, actor: Actor, *, reason: str = "") -> CacheCleared:
    """Forget every value: the next run asks the providers, readers are served from storage.

    Raises:
        StateError: the log cannot be written.
    """
    count = system.cache.clear()
    data = {"action": "cache.clear", "cleared": count, "actor": actor.name, "reason": reason}
    system.events.append([NewEvent("action.invoked", "cache", data, source="operations")])
    return CacheCleared(count)
