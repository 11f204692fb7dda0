"""The limits of a container or a service, as far as they are tighter than the machine (control groups, version 2)."""

from dataclasses import dataclass
from pathlib import Path

from utils.host.attempt import lines

__all__ = ["Container", "Used"]

_LOOK_AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class Used:
    """What is used of the limits; None: there is no such limit.

    Attributes:
        memory: Bytes that cannot be given back at once: without file pages that were not used lately, as Kubernetes
            counts its working set.
        cpu_seconds: Processor time so far of all in the group that has `cores`.
    """

    memory: int | None = None
    memory_limit: int | None = None
    cpu_seconds: float | None = None
    cores: float | None = None


class Container:
    """Reads what the groups of this process use and may use. A group's limit binds all groups in it.

    Args:
        groups: Where the control groups are mounted.
        own: The file that names the group of this process.
    """

    def __init__(self, groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> None:
        self._groups, self._own = groups, own
        self._looked: float | None = None
        self._memory: Path | None = None  # the group with the tightest limit
        self._memory_limit = 0
        self._cpu: Path | None = None
        self._cores = 0.0

    def used(self, now: float) -> Used:
        """What is used now. `now`: monotonic seconds; limits are looked up again once a minute."""
        if self._looked is None or not 0.0 <= now - self._looked < _LOOK_AGAIN:
            self._find_limits()
            self._looked = now
        memory = _memory_used(self._memory) if self._memory is not None else None
        cpu = _cpu_used(self._cpu) if self._cpu is not None else None
        return Used(
            memory=memory,
            memory_limit=self._memory_limit if memory is not None else None,
            cpu_seconds=cpu,
            cores=self._cores if cpu is not None else None,
        )

    @property
    def memory_pressure(self) -> Path | None:
        """The pressure file of the group whose memory is limited."""
        return None if self._memory is None else self._memory / "memory.pressure"

    def _find_limits(self) -> None:
        self._memory = self._cpu = None
        for group in self._chain():
            limit = _number(lines(group / "memory.max"))
            if limit is not None and (self._memory is None or limit < self._memory_limit):
                self._memory, self._memory_limit = group, limit
            cores = _cores(lines(group / "cpu.max"))
            if cores is not None and (self._cpu is None or cores < self._cores):
                self._cpu, self._cores = group, cores

    def _chain(self) -> list[Path]:
        """The group of this process, and those around it. In a container the outermost that is seen is its own."""
        named = [line.removeprefix("0::") for line in lines(self._own) if line.startswith("0::")]
        if not named:
            return []
        path = self._groups / named[0].lstrip("/")
        if ".." in path.parts or not path.is_dir():
            return [self._groups]
        inside = path.relative_to(self._groups)
        return [path, *(self._groups / around for around in inside.parents if path != self._groups)]


def _number(found: list[str]) -> int | None:
    return int(found[0]) if found and found[0].strip().isdigit() else None  # without a limit it says `max`


def _cores(found: list[str]) -> float | None:
    """`cpu.max` has a quota and the period it is for, both in microseconds."""
    parts = found[0].split() if found else []
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) == 0 or int(parts[0]) == 0:
        return None
    return int(parts[0]) / int(parts[1])


def _memory_used(group: Path) -> int | None:
    current = _number(lines(group / "memory.current"))
    if current is None:
        return None
    return max(0, current - (_field(lines(group / "memory.stat"), "inactive_file") or 0))


def _cpu_used(group: Path) -> float | None:
    used = _field(lines(group / "cpu.stat"), "usage_usec")
    return None if used is None else used / 1e6


def _field(found: list[str], name: str) -> int | None:
    for line in found:
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return None
