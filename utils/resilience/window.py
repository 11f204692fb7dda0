"""Judge the last calls of a provider: pure arithmetic, no clock and no lock."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

# What is remembered of a call.
OK, FAILED, SLOW, SLOW_FAILED = range(4)


def require(owner: str, key: str, value: object, good: bool, wanted: str) -> None:
    """Refuse a setting.

    Raises:
        ValueError: `good` is false; the message names the owner, the key, what is wanted and what came.
    """
    if not good:
        raise ValueError(f"{owner}: {key} must be {wanted}, got {value!r}")


class Trial:
    """One half-open phase: its permits, and what came of them."""

    __slots__ = ("failed", "free", "in_a_row", "last_taken", "recorded", "slow")

    def __init__(self, permits: int) -> None:
        self.free = permits
        self.recorded = self.failed = self.slow = self.in_a_row = 0
        self.last_taken = 0.0

    def add(self, code: int) -> None:
        """Count one outcome."""
        bad = code in (FAILED, SLOW_FAILED)
        self.recorded += 1
        self.failed += bad
        self.slow += code in (SLOW, SLOW_FAILED)
        self.in_a_row = self.in_a_row + 1 if bad else 0


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a provider counts as broken; see `CircuitBreaker` for each."""

    owner: str  # named in the error when a limit cannot work
    failure_rate: float
    window: int
    minimum_calls: int
    failure_threshold: int | None
    slow_call: float
    slow_rate: float
    half_open_calls: int

    def __post_init__(self) -> None:
        for key, good, wanted in (
            ("failure_rate", 0 < self.failure_rate <= 1, "above 0 and at most 1"),
            ("window", self.window >= 1, "at least 1"),
            ("minimum_calls", 1 <= self.minimum_calls <= self.window, "at least 1 and at most the window"),
            ("failure_threshold", self.failure_threshold is None or self.failure_threshold >= 1, "at least 1, or None"),
            ("slow_call", self.slow_call > 0, "above 0"),
            ("slow_rate", 0 < self.slow_rate <= 1, "above 0 and at most 1"),
            ("half_open_calls", self.half_open_calls >= 1, "at least 1"),
        ):
            require(self.owner, key, getattr(self, key), good, wanted)

    def new_window(self) -> deque[int]:
        """An empty window. A row of failures longer than it need not fit: all of the window failed by then."""
        return deque(maxlen=self.window)

    def counts(self, calls: Sequence[int] | Trial) -> tuple[int, int, int]:
        """How many calls, failed ones, slow ones."""
        if isinstance(calls, Trial):
            return calls.recorded, calls.failed, calls.slow
        slow_failed = calls.count(SLOW_FAILED)
        return len(calls), calls.count(FAILED) + slow_failed, calls.count(SLOW) + slow_failed

    def reason_to_open(self, codes: Sequence[int]) -> str:
        """Why a closed circuit with these calls, oldest first, must open; empty when it need not."""
        if self.failure_threshold is not None:
            last = codes[-self.failure_threshold :]
            if len(last) == self.failure_threshold and all(code in (FAILED, SLOW_FAILED) for code in last):
                return f"{len(last)} failures in a row"
        calls, failed, slow = self.counts(codes)
        if calls >= self.minimum_calls:
            if failed >= self.failure_rate * calls:
                return f"{failed} of the last {calls} calls failed"
            if slow >= self.slow_rate * calls:
                return f"{slow} of the last {calls} calls took {self.slow_call:g} s or more"
        return ""

    def reason_to_reopen(self, trial: Trial) -> str:
        """The same for a half-open circuit, after every call: a dead provider is left alone after the first one."""
        if trial.failed >= self.failure_rate * trial.recorded or trial.in_a_row == self.failure_threshold:
            return f"{trial.failed} of {trial.recorded} trial calls failed"
        if trial.slow >= self.slow_rate * trial.recorded:
            return f"{trial.slow} of {trial.recorded} trial calls were slow"
        return ""
