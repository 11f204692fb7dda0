"""What the history keeps of this machine: one point a minute of all figures together, its roll-ups by the history."""

import math
import socket
from collections.abc import Mapping
from typing import Any

from utils.database import Statement
from utils.history import CLOSE, point
from utils.history.series import subject_of
from utils.host.recent import FIGURES

__all__ = ["HIGHS", "HostPoints", "labels", "metric"]

EVERY = 60.0
"""Seconds that one point stands for."""

HIGHS = ("cpu_percent", "memory_percent")
"""Of these the highest value of the minute is kept beside the mean: a spike is what one looks for."""

_LAST = frozenset({"disk_percent", "disk_free_bytes"})  # a mean of these was never true


def labels(host: str = "") -> Mapping[str, str]:
    """Of the series of a host; default: this one."""
    return {"host": host or socket.gethostname() or "unknown"}


def metric(figure: str) -> str:
    """What the history calls a figure of a sample.

    >>> metric("cpu_percent")
    'host_cpu_percent'
    """
    return f"host_{figure}"


class HostPoints:
    """Sums samples up, and gives the statements that keep a minute of them once it is over.

    Whoever calls hands the statements to the writer: `events.append([], statements=...)`. Not for several threads.
    """

    def __init__(self, host: str = "") -> None:
        self._subject = subject_of(labels(host))
        self._began: float | None = None
        self._newest = 0.0
        self._forget()

    def note(self, sample: Any, at: float) -> tuple[Statement, ...]:
        """Take a `HostSample`, or anything with some of its fields and a `time`; mostly gives nothing.

        Args:
            at: Monotonic seconds.
        """
        over = self._began is not None and not 0.0 <= at - self._began < EVERY
        statements = self.rest() if over else ()
        if self._began is None:
            self._began = at
        for name in FIGURES:
            value = getattr(sample, name, None)
            if value is None:
                continue
            total, count, high = self._sums.get(name, (0.0, 0, -math.inf))
            self._sums[name] = (value, 1, value) if name in _LAST else (total + value, count + 1, max(high, value))
        self._newest = sample.time.timestamp()
        return statements

    def rest(self) -> tuple[Statement, ...]:
        """What was noted and is not kept yet, at the end of the watch; empty when there is nothing."""
        if not self._sums:
            return ()
        means = {metric(name): total / count for name, (total, count, _) in self._sums.items()}
        highs = {metric(f"{name}_high"): self._sums[name][2] for name in HIGHS if name in self._sums}
        self._forget()
        # The same metrics in each point, also those without a value: together they are one series of rows.
        names = (*map(metric, FIGURES), *(metric(f"{name}_high") for name in HIGHS))
        found = {**means, **highs}
        return point(self._subject, self._newest, {name: found.get(name) for name in names}), *CLOSE

    def _forget(self) -> None:
        self._sums: dict[str, tuple[float, int, float]] = {}
        self._began = None
