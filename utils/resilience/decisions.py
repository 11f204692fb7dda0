"""What a circuit's verdict becomes: pure steps from one to the next, the same for one process and for many."""

import math
import random
from dataclasses import dataclass, replace
from typing import NamedTuple

from utils.clock import Clock
from utils.resilience.limits import Limits
from utils.resilience.shared_state import Verdict
from utils.resilience.trial import Trial
from utils.resilience.window import OK, require

_CLOCKS_DIFFER = 5.0  # seconds: clocks are corrected now and then
MICROSECOND = 1e-6  # the wall clock's exactness, when the end of a rest came from another process


class Moment(NamedTuple):
    """One moment on both clocks: `wall` in seconds since the epoch, `steady` on the one that is never set."""

    wall: float
    steady: float

    @classmethod
    def of(cls, clock: Clock) -> "Moment":
        return cls(clock.time(), clock.monotonic())


@dataclass(frozen=True, slots=True)
class Decisions:
    """The rules of a circuit; see `CircuitBreaker` for the settings."""

    limits: Limits
    open_for: float
    max_open_for: float
    half_open_for: float | None
    rng: random.Random

    def __post_init__(self) -> None:
        owner, rest = self.limits.owner, self.open_for
        require(owner, "open_for", rest, lambda seconds: 0 < seconds < math.inf, "above 0 and finite")
        longest = self.max_open_for
        require(owner, "max_open_for", longest, lambda most: rest <= most < math.inf, "at least `open_for` and finite")
        if self.half_open_for is not None:
            trial = self.half_open_for
            require(owner, "half_open_for", trial, lambda s: 0 < s < math.inf, "above 0 and finite, or None")

    @property
    def longest_trial(self) -> float:
        """Seconds after which a half-open phase is decided by what came."""
        return max(self.open_for, self._hanging) if self.half_open_for is None else self.half_open_for

    @property
    def patience(self) -> float:
        """Seconds until a permit that is out counts as lost."""
        return min(self._hanging, self.longest_trial)

    @property
    def _hanging(self) -> float:
        return 2 * self.limits.slow_call if self.limits.slow_call < math.inf else self.open_for

    # --- questions ----------------------------------------------------------------------------

    def rest_of(self, verdict: Verdict, wall: float) -> float:
        """Seconds that an open circuit has still to rest, by the wall clock: `inf` when it is held.

        A clock that was set back since must not keep it open for a day: no rest is longer than it was at first. And
        one that opened in the future has rested: processes that live for a second would begin its rest anew each time.
        """
        if verdict.open_until == math.inf:
            return math.inf
        if verdict.opened_at - wall > _CLOCKS_DIFFER:
            return 0.0
        whole = min(verdict.open_until - verdict.opened_at, self.max_open_for)
        return max(0.0, min(verdict.open_until - wall, whole))

    def free(self, verdict: Verdict, steady: float) -> int:
        """How many permits a half-open circuit may lend now."""
        trial = verdict.trial or Trial(steady)
        return trial.free(self.limits.half_open_calls, self.patience, steady)

    def is_overdue(self, verdict: Verdict, steady: float) -> bool:
        """Whether the half-open phase has lasted too long."""
        trial = verdict.trial
        return verdict.state == "half_open" and trial is not None and trial.has_lasted(self.longest_trial, steady)

    # --- steps --------------------------------------------------------------------------------

    def opened(self, before: Verdict, reason: str, wall: float) -> Verdict:
        """Open, for longer each time in a row."""
        times = before.times_opened + 1
        return Verdict("open", wall, wall + self._rest(times), times, reason)

    def lent(self, before: Verdict, permit: str, rest: float, now: Moment) -> Verdict:
        """`permit` is out, when there is one to lend and nothing of the rest (seconds) is left."""
        if before.state == "open" and rest <= 0.0:
            before = replace(
                before, state="half_open", reason=f"{before.reason}; trying again", trial=Trial(now.steady)
            )
        if before.state != "half_open" or self.free(before, now.steady) <= 0:
            return before
        return replace(before, trial=(before.trial or Trial(now.steady)).lend(permit, now.steady))

    def given_back(self, before: Verdict, permit: str) -> Verdict:
        """That permit is free again."""
        return before if before.trial is None else replace(before, trial=before.trial.without(permit))

    def recorded(self, before: Verdict, permit: str | None, code: int, now: Moment) -> Verdict:
        """The call with `permit` (`None`: one that asked for none) came back; dropped when it is of an older phase."""
        trial = before.trial
        asked = trial is not None and permit is not None and trial.has_lent(permit)
        if not asked and (permit is not None or before.state != "half_open"):
            return before
        trial = trial or Trial(now.steady)
        if permit is not None:
            trial = trial.without(permit)
        if before.state == "half_open":
            return self._judged(replace(before, trial=trial.with_outcome(code)), now)
        after = replace(before, trial=trial)
        # The rest began because nobody had come back; now somebody has.
        return self.ended_early(after, after, now) if code == OK else after

    def overdue(self, before: Verdict, now: Moment) -> Verdict:
        """A half-open phase that has lasted too long is decided by what came."""
        trial = before.trial
        if trial is None or not self.is_overdue(before, now.steady):
            return before
        counts = trial.counts()
        if counts.calls:  # within the limits, else it would not be half-open any more
            well = counts.calls - counts.failed
            return Verdict("closed", reason=f"{well} of {counts.calls} trial calls succeeded, the others took too long")
        return replace(self.opened(before, "the trial calls did not come back", now.wall), trial=trial)

    def ended_early(self, before: Verdict, opening: Verdict, now: Moment) -> Verdict:
        """A call through the open circuit came back well: as if the rest were over and it had been a trial call."""
        if not before.same_opening(opening):
            return before
        reason = f"{before.reason}; a call came back well"
        return self._judged(replace(before, state="half_open", reason=reason, trial=Trial(now.steady, (), (OK,))), now)

    # --- details ------------------------------------------------------------------------------

    def _judged(self, verdict: Verdict, now: Moment) -> Verdict:
        """A half-open circuit after one more outcome."""
        counts = (verdict.trial or Trial(now.steady)).counts()
        reason = self.limits.reason_to_reopen(counts)
        if reason:
            return self.opened(verdict, reason, now.wall)
        if counts.calls >= self.limits.half_open_calls:
            return Verdict("closed", reason=f"{counts.calls - counts.failed} of {counts.calls} trial calls succeeded")
        return verdict

    def _rest(self, times_opened: int) -> float:
        """Seconds to stay open: doubling, with up to a fifth taken off at random so that not all return together."""
        if times_opened == 1:
            return self.open_for
        longest = min(self.max_open_for, self.open_for * 2.0 ** min(times_opened - 1, 64))
        return max(self.open_for, longest * self.rng.uniform(0.8, 1.0))
