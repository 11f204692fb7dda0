"""This machine for who looks from outside: a sample of now, and what can be asked of who watches it."""

import gc
from dataclasses import asdict, dataclass
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.progressive import Level
from operations.actor import Actor, UsageError, operation
from utils.events import NewEvent

__all__ = ["LEVEL_ASKED", "MODE_ASKED", "HostNow", "ask_level", "ask_mode", "host_now"]

LEVEL_ASKED, MODE_ASKED = "host.level_asked", "protector.mode_asked"
WATCHED_WITHIN_S = 180.0
"""Who watches keeps a point a minute; older than this, nobody does."""

MODES = ("dev", "test", "prod")


@dataclass(frozen=True, slots=True)
class HostNow:
    """How the machine stands.

    Attributes:
        sample: Taken now, by the process that answers.
        level: At which it is watched; None: nobody watches it.
        mode: Of the protector; None: it is off. `dry_run`: it only tells what it would do.
        healing: Whether healing is on.
        garbage: Of this process: objects in each generation, and how often each was collected.
    """

    sample: dict[str, Any]
    level: str | None
    mode: str | None
    dry_run: bool
    healing: bool
    garbage: tuple[dict[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__slots__}, "garbage": list(self.garbage)}


def host_now(system: IntegratedSystem) -> HostNow:
    """The machine as it stands; a sample at most a quarter of a second old."""
    asked = system.settings.protector
    return HostNow(
        sample=_told(system),
        level=_level(system),
        mode=_newest(system, MODE_ASKED, "mode", asked.mode) if asked.enabled else None,
        dry_run=asked.dry_run,
        healing=system.settings.healing.enabled,
        garbage=tuple(
            {"objects": objects, "collections": int(found["collections"])}
            for objects, found in zip(gc.get_count(), gc.get_stats(), strict=True)
        ),
    )


@operation("operator")
def ask_level(system: IntegratedSystem, actor: Actor, level: str) -> str:
    """Have the machine watched at a level from now on; whoever watches it hears of it within two seconds.

    Gives the level's name. When that process ends, the next one begins as configured.

    Raises:
        UsageError: there is no such level.
    """
    try:
        known = str(Level(level.upper()))
    except ValueError:
        raise UsageError(f"level: there is no {level!r}", hint=f"choose one of {', '.join(Level)}") from None
    system.events.append(
        [NewEvent("host.level_asked", "host", {"level": known, "actor": actor.name}, source="operations")]
    )
    return known


@operation("operator")
def ask_mode(system: IntegratedSystem, actor: Actor, mode: str) -> str:
    """Have the protector work by another mode's limits from now on; until its process ends.

    Raises:
        UsageError: there is no such mode, or the protector is off.
    """
    if mode not in MODES:
        raise UsageError(f"mode: there is no {mode!r}", hint=f"choose one of {', '.join(MODES)}")
    if not system.settings.protector.enabled:
        raise UsageError("the protector is off", hint="`protector.enabled: true` in the configuration switches it on")
    system.events.append(
        [NewEvent("protector.mode_asked", "protector", {"mode": mode, "actor": actor.name}, source="operations")]
    )
    return mode


def _told(system: IntegratedSystem) -> dict[str, Any]:
    found = asdict(system.host.collect())
    told = {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}
    return {**told, "time": found["time"].isoformat().replace("+00:00", "Z")}


def _level(system: IntegratedSystem) -> str | None:
    if system.progressive.latest is not None:
        return str(system.progressive.level)
    series = system.history.series("host_cpu_percent")
    newest = max((one.newest or 0.0 for one in series), default=0.0)
    if system.clock.time() - newest > WATCHED_WITHIN_S:
        return None
    return _newest(system, "host.level_changed", "after", str(system.settings.monitor.level))


def _newest(system: IntegratedSystem, kind: str, name: str, default: str) -> str:
    found = system.events.read(type=kind, limit=1, newest_first=True)
    return str(found[0].data[name]) if found else default
