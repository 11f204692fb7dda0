"""What the watching itself costs, and how far it steps back when that is too much. Pure but for what it is told."""

from collections import deque

__all__ = ["MOST_PERCENT", "MOST_STRETCH", "OwnCost"]

MOST_PERCENT = 1.0
"""Percent of one core that the watching may cost."""

MOST_STRETCH = 16
"""Times the level's interval: at most so much less often."""

WINDOW_S, LEAST_STEPS = 30.0, 5
"""Seconds that the cost is told over, and steps that are needed to tell it at all."""

BACK_BELOW = 0.4
"""Share of the most: watching twice as often again must still cost well below it."""

_KEPT = 256


class OwnCost:
    """Sums up the processor time of the steps over the last seconds. Not thread-safe.

    The first step is left out: it loads what is needed, once.
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # when it ended, processor seconds
        self._begun: float | None = None
        self.stretch = 1
        self.total_s = 0.0  # processor seconds of all steps

    def note(self, cpu_s: float, at: float) -> float | None:
        """One step took `cpu_s` seconds of a processor and ended `at` (monotonic).

        Gives the percent because of which `stretch` is another one now; None: it is as it was.
        """
        self.total_s += max(0.0, cpu_s)
        if self._begun is None or at < self._begun:  # the first step, or a clock that went backwards
            self._forget(at)
            return None
        self._steps.append((at, max(0.0, cpu_s)))
        while len(self._steps) > LEAST_STEPS and at - self._steps[0][0] > WINDOW_S:
            self._begun = self._steps.popleft()[0]
        return self._adapt(at)

    @property
    def percent(self) -> float | None:
        """Of one core, over the last seconds; None: not told yet."""
        if len(self._steps) < LEAST_STEPS or self._begun is None or (over := self._steps[-1][0] - self._begun) <= 0.0:
            return None
        return 100.0 * sum(cpu_s for _, cpu_s in self._steps) / over

    def _adapt(self, at: float) -> float | None:
        percent, stretch = self.percent, self.stretch
        if percent is None:
            return None
        if percent > MOST_PERCENT:
            stretch = min(MOST_STRETCH, stretch * 2)
        elif percent < BACK_BELOW * MOST_PERCENT:
            stretch = max(1, stretch // 2)
        if stretch == self.stretch:
            return None
        self.stretch = stretch
        self._forget(at)  # the next verdict is about the new pace
        return percent

    def _forget(self, at: float) -> None:
        self._steps.clear()
        self._begun = at
