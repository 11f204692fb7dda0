"""What the monitor tells: the level changed, it watches less often, a resource is overloaded. Each is an event."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from monitoring.progressive.levels import Level
from monitoring.progressive.states import Resource, ResourceState
from utils.events.event import NewEvent

__all__ = ["LevelChanged", "Notice", "Overloaded", "Relieved", "Throttled"]

SOURCE = "monitor"


class Notice(Protocol):
    """Something that is told once."""

    @property
    def type(self) -> str: ...

    def to_event(self) -> NewEvent: ...

    def words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LevelChanged:
    """The host is watched more, or less, closely.

    Attributes:
        reason: In words.
        figures: Percent by resource, as read.
        states: Of the resources that are known.
        actor: Who asked for it; "": the monitor by itself.
    """

    before: Level
    after: Level
    base: Level
    reason: str
    figures: dict[str, float] = field(default_factory=dict)
    states: dict[str, ResourceState] = field(default_factory=dict)
    actor: str = ""

    type = "host.level_changed"

    def to_event(self) -> NewEvent:
        data: dict[str, Any] = {
            "before": str(self.before),
            "after": str(self.after),
            "base": str(self.base),
            "reason": self.reason,
            "figures": self.figures,
            "states": self.states,
        }
        if self.actor:
            data["actor"] = self.actor
        return NewEvent("host.level_changed", "host", data, source=SOURCE)

    def words(self) -> str:
        return f"{self.before} -> {self.after}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Throttled:
    """The watching itself cost too much, and is done less often; or it is done as often as the level says again.

    Attributes:
        cost_percent: Of one core, over the last seconds.
        stretch: How many times the interval of the level; 1: not throttled any more.
        interval_s: Seconds between two samples now.
    """

    level: Level
    cost_percent: float
    stretch: int
    interval_s: float

    type = "host.throttled"

    def to_event(self) -> NewEvent:
        data = {
            "level": str(self.level),
            "cost_percent": round(self.cost_percent, 3),
            "stretch": self.stretch,
            "interval_s": self.interval_s,
        }
        return NewEvent("host.throttled", "host", data, source=SOURCE)

    def words(self) -> str:
        if self.stretch == 1:
            return f"watching costs {self.cost_percent:.2f} % of a core: as often as {self.level} says again"
        return f"watching costs {self.cost_percent:.2f} % of a core: every {self.interval_s:g} s only"


@dataclass(frozen=True, slots=True)
class Overloaded:
    """A resource has been beyond its limit for a while.

    Attributes:
        percent: As read; `limit`: percent above which it is overloaded.
        since_s: For how long, seconds.
        top: The processes that use the most of it, with `pid`, `name` and how much; not known of a disk.
    """

    resource: Resource
    percent: float
    limit: float
    since_s: float
    top: tuple[dict[str, Any], ...] = ()

    type = "host.overloaded"

    def to_event(self) -> NewEvent:
        data: dict[str, Any] = {"percent": self.percent, "limit": self.limit, "since_s": round(self.since_s, 1)}
        if self.top:
            data["top"] = list(self.top)
        return NewEvent("host.overloaded", self.resource, data, source=SOURCE)

    def words(self) -> str:
        return f"{self.resource} at {self.percent:.0f} %, above {self.limit:g} % for {self.since_s:.0f} s"


@dataclass(frozen=True, slots=True)
class Relieved:
    """A resource that was overloaded has been well below its limit for the calm time; `percent` None: it is unknown."""

    resource: Resource
    percent: float | None
    limit: float

    type = "host.relieved"

    def to_event(self) -> NewEvent:
        data = {"percent": self.percent, "limit": self.limit}
        return NewEvent("host.relieved", self.resource, data, source=SOURCE)

    def words(self) -> str:
        if self.percent is None:
            return f"{self.resource} cannot be read any more"
        return f"{self.resource} at {self.percent:.0f} %, below {self.limit:g} % again"
