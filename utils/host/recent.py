"""The last hour of this machine, in as much memory from the first sample to the last."""

import math
from array import array
from bisect import bisect_left
from typing import Any

from utils.host.trends import Trend, trend

__all__ = ["FIGURES", "Recent"]

FIGURES = (
    *("cpu_percent", "memory_percent", "swap_percent", "disk_percent", "load_1m", "temperature_c"),
    *("memory_available_bytes", "disk_free_bytes", "connections", "processes", "network_latency_ms"),
    *("disk_read_bytes_s", "disk_write_bytes_s", "io_read_bytes_s", "io_write_bytes_s"),
    *("network_sent_bytes_s", "network_recv_bytes_s", "pressure_cpu", "pressure_memory", "pressure_io"),
)
"""Of `HostSample`, those whose past is worth something."""

_HOUR = 3600.0
_POINTS = 7200  # an hour at the shortest interval between two samples


class Recent:
    """A ring of samples, their figures only. Not for several threads at once.

    Args:
        seconds: What is older is not told any more.
        points: What is kept at most; with shorter intervals the ring reaches back less far.
    """

    def __init__(self, seconds: float = _HOUR, points: int = _POINTS) -> None:
        self._seconds = seconds
        self._size = points
        self._at = array("d", bytes(8 * points))
        self._values = {name: array("d", bytes(8 * points)) for name in FIGURES}
        self._noted = 0

    def note(self, sample: Any, at: float) -> None:
        """Keep a `HostSample`, or anything with some of its fields. `at`: monotonic seconds."""
        place = self._noted % self._size
        self._at[place] = at
        for name, values in self._values.items():
            value = getattr(sample, name, None)
            values[place] = math.nan if value is None else value
        self._noted += 1

    def points(self, figure: str, seconds: float = _HOUR) -> list[tuple[float, float]]:
        """(monotonic seconds, value) of the last `seconds` before the newest sample, the oldest first.

        Raises:
            KeyError: it is none of `FIGURES`.
        """
        at, values = self._in_order(self._at), self._in_order(self._values[figure])
        begin = bisect_left(at, at[-1] - min(seconds, self._seconds)) if at else 0
        return [(when, value) for when, value in zip(at[begin:], values[begin:], strict=True) if not math.isnan(value)]

    def trend(self, figure: str, seconds: float = _HOUR) -> Trend | None:
        """Mean and slope over a window; None: nothing is known of it."""
        return trend(self.points(figure, seconds))

    def _in_order(self, ring: "array[float]") -> "array[float]":
        """The oldest first."""
        place = self._noted % self._size
        return ring[:place] if self._noted < self._size else ring[place:] + ring[:place]

    def __len__(self) -> int:
        return min(self._noted, self._size)
