"""Who uses most of what is short, among those that may be touched at all. Pure."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.protector.immunity import Facts, Scope, Surroundings, immunity, in_scope
from monitoring.protector.ladder import Resource
from utils.host.processes import Identity, ProcessStat

__all__ = ["Least", "Offender", "Used", "worst"]


@dataclass(frozen=True, slots=True)
class Least:
    """What a process must use at least: ending one that uses little helps nobody.

    Attributes:
        cpu_percent: Of one core.
        memory_bytes: Resident; None: a tenth of the machine's memory.
        written_per_s: Bytes that it has written to disks.
    """

    cpu_percent: float = 25.0
    memory_bytes: int | None = None
    written_per_s: float = 1_000_000.0

    def of(self, resource: Resource) -> float:
        """Percent of a core, bytes, or bytes a second."""
        if resource == "memory":
            return _tenth_of_memory() if self.memory_bytes is None else self.memory_bytes
        return self.cpu_percent if resource == "cpu" else self.written_per_s


def _tenth_of_memory() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 10
    except (ValueError, OSError):
        return 500e6


@dataclass(frozen=True, slots=True)
class Used:
    """What processes used since the look before, by identity: percent of a core; bytes written a second."""

    cpu: Mapping[Identity, float] = field(default_factory=dict)
    written: Mapping[Identity, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offender:
    """A process that may be touched, and what it uses."""

    process: ProcessStat
    cpu_percent: float | None
    written_per_s: float | None

    def uses(self, resource: Resource) -> float:
        """Percent of a core, bytes, or bytes a second."""
        if resource == "memory":
            return self.process.rss_bytes
        found = self.cpu_percent if resource == "cpu" else self.written_per_s
        return found or 0.0


def worst(
    resource: Resource,
    table: Sequence[ProcessStat],
    used: Used,
    about: Surroundings,
    scope: Scope,
    facts: Facts,
    least: float,
    *,
    leave: frozenset[Identity] = frozenset(),
) -> Offender | None:
    """The process in scope that uses most of a resource, at least `least` of it; None: there is none.

    Args:
        leave: Those that something is done about already.
    """
    every = (Offender(one, used.cpu.get(one.identity), used.written.get(one.identity)) for one in table)
    greedy = (one for one in every if one.uses(resource) >= least and one.process.identity not in leave)
    for one in sorted(greedy, key=lambda one: one.uses(resource), reverse=True):
        process = one.process
        if in_scope(process, about, scope, facts) and not immunity(process, about, scope, facts):
            return one
    return None
