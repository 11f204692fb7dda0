"""How much of memory and CPU may be used here, and how full that is: of the machine or of the container."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.container import Container
from utils.host.pressure import Pressure, pressure
from utils.host.rates import CounterRates, Moment

__all__ = ["Room", "Rooms"]


@dataclass(frozen=True, slots=True)
class Room:
    """See `HostSample` for the units. `pressure`: of memory."""

    cpu_percent: float | None
    cores: float | None
    memory_percent: float | None
    available: int | None
    total: int | None
    pressure: Pressure
    contained: bool


class Rooms:
    """Puts the two together: a container of 512 MB on a machine of 64 GB is full at 512 MB.

    A machine that is full leaves no room in a container either, so the fuller of the two is told.
    """

    def __init__(self, container: Container, machine_pressure: Path) -> None:
        self._container = container
        self._cpu = CounterRates()
        self._pressure = machine_pressure

    def look(self, looked: Moment, cpu_percent: float | None, memory: Any) -> Room:
        """Args: what the machine's CPU is at, and psutil's answer about its memory; None: not to be had."""
        used = self._container.used(looked[0])
        cores = _cores()
        seconds = self._cpu.rates(None if used.cpu_seconds is None else {"cpu": (used.cpu_seconds,)}, looked)
        contained = used.cores is not None and (cores is None or used.cores < cores)
        if used.cores is not None and contained:
            cores = used.cores
            if seconds is not None:
                cpu_percent = max(cpu_percent or 0.0, min(100.0, 100.0 * seconds[0] / used.cores))
        percent = None if memory is None else float(memory.percent)
        available = None if memory is None else int(memory.available)
        total = None if memory is None else int(memory.total)
        inside = self._pressure
        if used.memory is not None and used.memory_limit and (total is None or used.memory_limit < total):
            percent = max(percent or 0.0, min(100.0, 100.0 * used.memory / used.memory_limit))
            left = max(0, used.memory_limit - used.memory)
            available = left if available is None else min(available, left)
            total = used.memory_limit
            inside, contained = self._container.memory_pressure or inside, True
        return Room(
            cpu_percent=cpu_percent,
            cores=cores,
            memory_percent=percent,
            available=available,
            total=total,
            pressure=pressure(inside),
            contained=contained,
        )


def _cores() -> float | None:
    """That this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    count = os.cpu_count()
    return None if count is None else float(count)
