"""From when on a provider counts as broken: pure arithmetic, no clock and no lock."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from utils.resilience.window import Counts, CountWindow, TimeWindow, Window, require


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a provider counts as broken; see `CircuitBreaker` for each."""

    owner: str  # named in the error when a limit cannot work
    failure_rate: float
    window: int
    window_time: float | None
    minimum_calls: int
    failure_threshold: int | None
    slow_call: float
    slow_rate: float
    half_open_calls: int

    def __post_init__(self) -> None:
        owner = self.owner
        require(owner, "failure_rate", self.failure_rate, lambda rate: 0 < rate <= 1, "above 0 and at most 1")
        require(owner, "window", self.window, lambda calls: calls >= 1, "at least 1", whole=True)
        if self.window_time is not None:
            require(owner, "window_time", self.window_time, lambda s: 0 < s < math.inf, "above 0 and finite, or None")
        most = math.inf if self.window_time is not None else self.window
        wanted = "at least 1" if self.window_time is not None else "at least 1 and at most the window"
        require(owner, "minimum_calls", self.minimum_calls, lambda calls: 1 <= calls <= most, wanted, whole=True)
        if self.failure_threshold is not None:
            threshold = self.failure_threshold
            require(owner, "failure_threshold", threshold, lambda row: row >= 1, "at least 1, or None", whole=True)
        require(owner, "slow_call", self.slow_call, lambda seconds: seconds > 0, "above 0")
        require(owner, "slow_rate", self.slow_rate, lambda rate: 0 < rate <= 1, "above 0 and at most 1")
        require(owner, "half_open_calls", self.half_open_calls, lambda calls: calls >= 1, "at least 1", whole=True)

    def new_window(self, monotonic: Callable[[], float]) -> Window:
        """An empty window. A row of failures longer than it need not fit: all of the window failed by then."""
        if self.window_time is None:
            return CountWindow(maxlen=self.window)
        return TimeWindow(self.window_time, monotonic)

    def reason_to_open(self, counts: Counts) -> str:
        """Why a closed circuit with these calls must open; empty when it need not."""
        if self.failure_threshold is not None and counts.row >= self.failure_threshold:
            return f"{counts.row} failure{'s' * (counts.row > 1)} in a row"
        if counts.calls < self.minimum_calls:
            return ""
        return self._broken(counts, "calls" if self.window_time is None else f"calls in {self.window_time:g} s")

    def reason_to_reopen(self, counts: Counts) -> str:
        """The same for a half-open circuit, after every call: a dead provider is left alone after the first one."""
        if counts.row == self.failure_threshold:
            return f"{counts.failed} of {counts.calls} trial calls failed"
        return self._broken(counts, "trial calls")

    def _broken(self, counts: Counts, which: str) -> str:
        of = f"of {counts.calls}" if which == "trial calls" else f"of the last {counts.calls}"
        if counts.failed >= self.failure_rate * counts.calls:
            return f"{counts.failed} {of} {which} failed"
        if counts.slow >= self.slow_rate * counts.calls:
            return f"{counts.slow} {of} {which} took {self.slow_call:g} s or more"
        return ""
