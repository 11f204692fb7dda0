"""What to do next, from looks at the host alone: three in a row above a limit, one rung of a ladder at a time.

Sustained pressure, not a spike, as systemd-oomd does it (PSI over time), and earlyoom (memory that is available, not
memory that is free). Nothing here asks a clock or touches a process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "LADDERS",
    "MODES",
    "Action",
    "Decision",
    "Limits",
    "Mode",
    "Reading",
    "Resource",
    "Standing",
    "decide",
    "is_above",
]

Resource = Literal["cpu", "memory", "disk"]
Mode = Literal["dev", "test", "prod"]
Action = Literal["shed", "lower", "pause", "terminate", "kill"]

LADDERS: Mapping[Resource, tuple[Action, ...]] = {
    "cpu": ("lower", "pause", "terminate"),
    "memory": ("pause", "terminate"),  # a lower priority frees no memory
    "disk": ("shed", "pause", "terminate"),
}
"""The rungs of each resource, the mildest first. `kill` is no rung: it follows `terminate` after its grace."""

SUSTAINED = 3
"""Looks in a row above a limit until the first rung, between two rungs, and below it until all is over."""

_DEAR = frozenset({"pause", "terminate"})
"""Rungs by which somebody's work suffers."""

HYSTERESIS = 5.0
"""Percent below its limit from which on a resource counts as calm."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a resource is under pressure, in percent.

    Attributes:
        memory: Of the memory that is not available to a new program: what the kernel can take back does not count.
        cpu_waits: Percent of the last ten seconds in which somebody waited for a processor (`some avg10` of
            /proc/pressure/cpu). Below that a full machine is well used, and at most a priority is lowered. Only where
            the kernel tells.
        disk_last: Below that only what can be had again is dropped.
    """

    cpu: float
    memory: float
    disk: float = 80.0
    cpu_waits: float = 10.0
    disk_last: float = 95.0

    def of(self, resource: Resource) -> float:
        return {"cpu": self.cpu, "memory": self.memory, "disk": self.disk}[resource]


MODES: Mapping[Mode, Limits] = {
    "dev": Limits(cpu=75.0, memory=80.0),
    "test": Limits(cpu=85.0, memory=85.0),
    "prod": Limits(cpu=90.0, memory=90.0),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the host, in percent; None: not to be had here."""

    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None
    cpu_waits: float | None = None

    def of(self, resource: Resource) -> float | None:
        """The figure of a resource; one that cannot be (a counter was reset, a clock jumped) is none."""
        value = {"cpu": self.cpu, "memory": self.memory, "disk": self.disk}[resource]
        return value if value is not None and 0.0 <= value <= 100.0 else None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a resource stands.

    Attributes:
        above, calm: Looks in a row above its limit, and well below it. A look that tells nothing counts for neither.
        rung: How many rungs were taken since it was calm.
        gave_up: Nothing more can be done, and a person was told.
        taken_up: Something was told of it before this start, and its end was not.
    """

    above: int = 0
    calm: int = 0
    rung: int = 0
    gave_up: bool = False
    taken_up: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from one look at a resource: its standing from now on, and an action, or that all is over."""

    standing: Standing
    action: Action | None = None
    relieved: bool = False


def decide(resource: Resource, standing: Standing, reading: Reading, limits: Limits) -> Decision:
    """What one more look asks for.

    An action is asked for at most every `SUSTAINED` looks, each time the next rung, and the last rung again and again.
    `relieved` is said once, of what anything was done about.
    """
    value = reading.of(resource)
    if value is None:
        return Decision(standing)
    if value <= limits.of(resource) - HYSTERESIS:
        calm = min(standing.calm + 1, SUSTAINED)
        if calm < SUSTAINED:
            return Decision(replace(standing, above=0, calm=calm))
        return Decision(Standing(calm=calm), relieved=standing.rung > 0 or standing.gave_up or standing.taken_up)
    if not is_above(resource, reading, limits):
        return Decision(replace(standing, above=0, calm=0))
    above = standing.above + 1
    if above < SUSTAINED:
        return Decision(replace(standing, above=above, calm=0))
    rungs = LADDERS[resource]
    action = rungs[min(standing.rung, len(rungs) - 1)]
    if action in _DEAR and not _presses(resource, reading, limits):
        return Decision(replace(standing, above=SUSTAINED - 1, calm=0))  # as soon as it does
    return Decision(Standing(rung=min(standing.rung + 1, len(rungs)), gave_up=standing.gave_up), action)


def is_above(resource: Resource, reading: Reading, limits: Limits) -> bool:
    """Whether a resource is at its limit or beyond."""
    value = reading.of(resource)
    return value is not None and value >= limits.of(resource)


def _presses(resource: Resource, reading: Reading, limits: Limits) -> bool:
    """Whether it is so bad that somebody's work may suffer for it."""
    if resource == "cpu":
        return reading.cpu_waits is None or reading.cpu_waits >= limits.cpu_waits
    if resource == "disk":
        return reading.disk is not None and reading.disk >= limits.disk_last
    return True
