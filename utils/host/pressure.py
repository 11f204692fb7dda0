"""How long tasks waited for a processor, memory or a disk: the kernel's pressure stall information."""

from dataclasses import dataclass
from pathlib import Path

from utils.host.attempt import lines

__all__ = ["Pressure", "pressure"]


@dataclass(frozen=True, slots=True)
class Pressure:
    """Percent of the last 10 seconds. `some`: in which at least one task waited; `full`: in which all did."""

    some: float | None = None
    full: float | None = None


def pressure(path: Path) -> Pressure:
    """What a file like /proc/pressure/memory says; nothing where the kernel does not tell.

    https://docs.kernel.org/accounting/psi.html
    """
    told: dict[str, float] = {}
    for line in lines(path):
        kind, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")[0].partition("=")
        if name == "avg10" and value.replace(".", "", 1).isdigit():
            told[kind] = min(100.0, float(value))
    return Pressure(told.get("some"), told.get("full"))
