"""Windows of a series as rows, and one figure a window brought back to the points."""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from data_pipeline.detect.robust import Floats

_DIMENSIONS = 64  # a longer window is thinned out to about so many of its points
_EVERY = 8000  # with hindsight, about so many windows are looked at; those between are interpolated
_SELDOM = 10_000  # and only in series with more windows than this
_ROWS = 4096  # judged at a time


def width_for(wanted: int, n: int) -> int:
    """`wanted`, but at most a quarter of `n` points, and at least 3."""
    return max(3, min(wanted, n // 4))


class Windows:
    """The windows of a series, or of several side by side: those inside, or without hindsight one for each point.

    Args:
        values: Shape (n,) or (n, metrics), n >= 1.
        width: Points of a window; long windows are thinned out.
        hindsight: Whether a point may be judged by later ones.
        last: Only so many points at the end are judged; `None`: all are.
    """

    def __init__(self, values: Floats, width: int, *, hindsight: bool, last: int | None = None) -> None:
        self._n, self._width, self._hindsight = len(values), width, hindsight
        # Without hindsight the first points have no past: their windows begin with the first value.
        short = max(0, width - len(values)) if hindsight else width - 1
        padded = np.concatenate((np.repeat(values[:1], short, axis=0), values)) if short else values
        compared = max(_DIMENSIONS // (values.shape[1] if values.ndim > 1 else 1), 8)
        self._all = sliding_window_view(padded, width, axis=0)[..., :: max(1, width // compared)]
        count = len(self._all)
        stride = max(1, min(width // 3, count // _EVERY)) if hindsight and count > _SELDOM else 1
        self._looked_at = np.arange(0, count, stride)
        if self._looked_at[-1] != count - 1:
            self._looked_at = np.append(self._looked_at, count - 1)
        if last is not None and not hindsight:
            self._looked_at = self._looked_at[-last:]

    def sample(self, most: int) -> Floats:
        """At most `most` windows as rows, always the same ones."""
        return sample(self._all, most).reshape(min(most, len(self._all)), -1)

    def judge(self, figure: Callable[[Floats], NDArray[np.floating]]) -> Floats:
        """One figure a point: the mean of the figures of the windows that cover it, or that of the one that ends there.

        What need not be judged has the figure of the first point that must.

        `figure` gives one figure for each of the rows it is given.
        """
        figures = np.empty(len(self._looked_at))
        for start in range(0, len(figures), _ROWS):
            rows = self._all[self._looked_at[start : start + _ROWS]]
            figures[start : start + _ROWS] = figure(rows.reshape(len(rows), -1))
        count = len(self._all)
        if len(figures) < count:
            figures = np.interp(np.arange(count), self._looked_at, figures)
        return self._covering_mean(figures) if self._hindsight else figures

    def _covering_mean(self, figures: Floats) -> Floats:
        total = np.concatenate(([0.0], np.cumsum(figures)))
        point = np.arange(self._n)
        behind = np.minimum(point, len(figures) - 1) + 1
        first = np.minimum(np.maximum(point - self._width + 1, 0), behind - 1)
        mean: Floats = np.maximum(total[behind] - total[first], 0.0) / (behind - first)
        return mean


def sample(rows: Floats, most: int) -> Floats:
    """At most `most` of `rows`, copied, always the same ones, chosen by chance from the whole stretch."""
    if len(rows) <= most:
        return np.array(rows)
    chosen = np.random.default_rng(0).choice(len(rows), most, replace=False)
    chosen.sort()
    return np.array(rows[chosen])
