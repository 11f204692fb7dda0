"""At which level to watch, decided from what was read. Pure: condition and snapshot in, condition and notices out.

Up at once: a warning asks for INTENSIVE, a critical reading for CRITICAL. Down one level at a time, each after a calm
time without anything that asks for the level. So the level never comes down faster than the calm time, however the
readings tremble. Moments are monotonic seconds: no wall clock that is set changes anything.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from monitoring.progressive.levels import Level
from monitoring.progressive.notices import LevelChanged, Notice, Overloaded, Relieved
from monitoring.progressive.snapshot import Snapshot
from monitoring.progressive.states import RESOURCES, Resource, ResourceState, Standing, Thresholds, stands

__all__ = ["CALM_S", "Condition", "Decision", "asked_for", "begin", "decide", "take_up"]

CALM_S = 60.0
"""Seconds without anything that asks for a level, after which it is left."""

GAP = 3.0
"""Times the planned interval without a snapshot (a machine that slept): calm does not count over it."""

LEAST_GAP_S = 10.0

_ASKS_FOR: Mapping[ResourceState | None, Level] = {
    None: Level.IDLE,
    "stable": Level.IDLE,
    "warning": Level.INTENSIVE,
    "critical": Level.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What the policy remembers. Moments are monotonic seconds.

    Attributes:
        base: Where it begins and comes back to.
        level: At which it watches now; `since`: since when (None: since the beginning).
        calm_at: Since when nothing has asked for this level; None: something does.
        at: Of the newest snapshot; None: there was none.
    """

    base: Level
    level: Level
    since: float | None = None
    calm_at: float | None = None
    at: float | None = None
    resources: Mapping[Resource, Standing] = field(default_factory=lambda: dict.fromkeys(RESOURCES, Standing()))

    def states(self) -> dict[str, ResourceState]:
        """Those of the resources that are known."""
        return {name: one.state for name, one in self.resources.items() if one.state is not None}

    def figures(self) -> dict[str, float]:
        """The newest percentages, likewise."""
        return {name: round(one.percent, 1) for name, one in self.resources.items() if one.percent is not None}


@dataclass(frozen=True, slots=True)
class Decision:
    """The condition from now on, and what there is to tell."""

    condition: Condition
    notices: tuple[Notice, ...] = ()


def begin(base: Level) -> Condition:
    """Nothing was read yet."""
    return Condition(base, base)


def decide(before: Condition, seen: Snapshot, thresholds: Thresholds, *, calm_s: float = CALM_S) -> Decision:
    """What a snapshot changes.

    Args:
        calm_s: Seconds without anything that asks for a level, after which it is left.
    """
    resources: dict[Resource, Standing] = {}
    notices: list[Notice] = []
    slept = before.at is None or not 0.0 <= seen.at - before.at <= max(LEAST_GAP_S, GAP * seen.interval_s)
    for name in RESOURCES:
        was, limit = before.resources[name], thresholds.overload(name)
        now = resources[name] = stands(
            was,
            getattr(seen, f"{name}_percent"),
            seen.at,
            limits=thresholds.of(name),
            overload=limit,
            calm_s=calm_s,
            slept=slept,
        )
        if now.overloaded and not was.overloaded:
            notices.append(Overloaded(name, now.percent or 0.0, limit, seen.at - (now.over_at or seen.at)))
        elif was.overloaded and not now.overloaded:
            notices.append(Relieved(name, now.percent, limit))
    moved = _moved(replace(before, at=seen.at, resources=resources), seen, calm_s, slept=slept)
    if moved.level is not before.level:
        reason = _reason(moved, before.level, thresholds, calm_s)
        told = LevelChanged(before.level, moved.level, moved.base, reason, moved.figures(), moved.states())
        notices.insert(0, told)
    return Decision(moved, tuple(notices))


def asked_for(before: Condition, base: Level, at: float, *, reason: str = "", actor: str = "") -> Decision:
    """Somebody sets the level: it is the base from now on, and holds at once unless what was read asks for more."""
    level = Level.highest(base, _wanted(before))
    now = replace(before, base=base)
    if level is before.level:
        return Decision(now)
    now = replace(now, level=level, since=at, calm_at=None)
    told = LevelChanged(before.level, level, base, reason or "asked for", now.figures(), now.states(), actor)
    return Decision(now, (told,))


def take_up(
    before: Condition, level: Level, overloaded: Collection[Resource], at: float, thresholds: Thresholds
) -> Decision:
    """Go on from what another watch has told, which is over: its level, and what was overloaded.

    Another level is told at once, as is an overload that is new. One that was told and is none now ends as any does,
    after the calm time: a restart is no reason to say that it is over.
    """
    resources = dict(before.resources)
    notices: list[Notice] = []
    if level is not before.level:
        reason = "the watch began anew"
        notices.append(LevelChanged(level, before.level, before.base, reason, before.figures(), before.states()))
    for name, now in before.resources.items():
        if now.overloaded and name not in overloaded:
            limit = thresholds.overload(name)
            notices.append(Overloaded(name, now.percent or 0.0, limit, at - (now.over_at or at)))
        elif name in overloaded and not now.overloaded:
            resources[name] = now._replace(overloaded=True, read_at=at)
    return Decision(replace(before, resources=resources), tuple(notices))


def _moved(now: Condition, seen: Snapshot, calm_s: float, *, slept: bool) -> Condition:
    wanted = Level.highest(now.base, _wanted(now))
    if wanted.rank > now.level.rank:
        return replace(now, level=wanted, since=seen.at, calm_at=None)
    if wanted is now.level:
        return replace(now, calm_at=None)
    calm_at = seen.at if now.calm_at is None or slept else now.calm_at
    if seen.at - calm_at < calm_s:
        return replace(now, calm_at=calm_at)
    lower = Level.highest(now.level.calmer(), wanted)
    return replace(now, level=lower, since=seen.at, calm_at=None if lower is wanted else seen.at)


def _wanted(condition: Condition) -> Level:
    return Level.highest(*(_ASKS_FOR[one.state] for one in condition.resources.values()))


def _reason(now: Condition, before: Level, thresholds: Thresholds, calm_s: float) -> str:
    if now.level.rank < before.rank:
        return f"calm for {calm_s:g} s"
    asking = [name for name in RESOURCES if _ASKS_FOR[now.resources[name].state] is now.level]
    words = []
    for name in asking:
        state, percent = now.resources[name].state, now.resources[name].percent
        limit = thresholds.of(name)[1 if state == "critical" else 0]
        words.append(f"{name} at {percent:.0f} % ({state} from {limit:g} %)")
    return ", ".join(words)
