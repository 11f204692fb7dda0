"""The seasonal-aware rolling median/MAD detector: silent on noise, not poisoned by its own past incidents."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from data_pipeline.detect.detector import Directions, Series
from data_pipeline.detect.robust import MINIMUM_POINTS, RECENT, Floats, baseline, limit, median
from data_pipeline.detect.season import Season, choose
from data_pipeline.detect.traits import direction_of, floors, to_scale
from data_pipeline.detect.wall import UTC_WALL, Wall
from utils.point_order import in_order

WINDOW = 256  # points a judgement looks back at: what a run reads of a metric's history
_CELLS = 512 * WINDOW  # of the windows sorted at a time: they stay in the processor's cache


class Judgement(NamedTuple):
    """How far each point lies from what was expected, on the metric's scale; NaN: no verdict."""

    ratio: Floats  # |value - expected| over the limit; 1 and more is strange
    expected: Floats
    limit: Floats  # > 0, both ways


@dataclass(frozen=True, slots=True)
class MedianDetector:
    """Judge a point by the median and the tail of the points before it, a season taken off when there is one.

    Args:
        rate: False episodes per 1,000 points that may be expected on noise.
        direction: Which way is strange; `both` means what `traits.DIRECTIONS` says about the metric.
        window: Points looked back at.
        wall: Whose days and weeks are a season.
    """

    rate: float = 0.5
    direction: Directions = "both"
    window: int = WINDOW
    wall: Wall = UTC_WALL

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1000.0:
            raise ValueError(f"rate is expected false episodes per 1,000 points, between 0 and 1,000; got {self.rate}")
        if self.direction not in {"up", "down", "both"}:
            raise ValueError(f"direction must be up, down or both; got {self.direction!r}")
        if self.window < MINIMUM_POINTS:
            raise ValueError(f"window must be at least {MINIMUM_POINTS} points; got {self.window}")

    def fit(self, history: Series) -> "MedianModel":
        """Put the history in order, look for a season, keep the newest `window` points."""
        times, values = in_order(history.times, history.values)
        values = to_scale(history.metric, values)
        season = choose(times, values, self.wall)
        return MedianModel(self, history.metric, season, times[-self.window :], values[-self.window :])


@dataclass(frozen=True, slots=True, eq=False)
class MedianModel:
    """What `MedianDetector` learned; `values` are finite, in order of time, on the metric's scale (see `traits`)."""

    detector: MedianDetector
    metric: str
    season: Season | None
    times: Floats
    values: Floats

    def score(self, points: Series) -> Floats:
        """Shape (n,), in the order given: 0.5 at the limit, 2/3 at twice the limit. NaN: no value, or still learning.

        Points are taken in the order given, each joins the baseline of those after it.
        """
        values = to_scale(self.metric, np.where(np.isfinite(points.values), points.values, np.nan))
        judged = self.judge(np.asarray(points.times, np.float64), values)
        wrong = direction_of(self.metric, self.detector.direction)
        ratio = judged.ratio.copy()
        if wrong != "both":
            ratio[values < judged.expected if wrong == "up" else values > judged.expected] = 0.0
        score: Floats = ratio / (1.0 + ratio)
        return score

    def judge(self, times: Floats, values: Floats) -> Judgement:
        """Judge points that are on the metric's scale, both ways; NaN is skipped."""
        width = self.detector.window
        there = np.flatnonzero(~np.isnan(values))
        # Points without a value take no place in the windows, so that gaps do not thin a baseline out.
        shape = self._shape(times)[there]
        line = np.concatenate((np.full(width, np.nan), self.values - self._shape(self.times), values[there] - shape))
        windows = sliding_window_view(line[-(width + len(there)) :], width)[:-1]
        out = Judgement(*np.full((3, len(values)), np.nan))
        lanes = max(_CELLS // width, 16)
        for start in range(0, len(there), lanes):
            part = slice(start, start + lanes)
            judged = self._judge(windows[part], values[there[part]] - shape[part], shape[part])
            for field, figures in zip(out, judged, strict=True):
                field[there[part]] = figures
        return out

    def _judge(self, windows: Floats, points: Floats, shape: Floats) -> Judgement:
        absolute, relative = floors(self.metric)
        base = baseline(windows, floor=np.maximum(absolute, relative * np.abs(shape)), relative_floor=relative)
        reach = limit(base, self.detector.rate)
        away = np.abs(points - base.centre) / reach
        # A lasting step is learned once the newest points agree with it, long before the median of the window
        # does. It stays stranger than most, so that scores still rank it: below 1, but not by much.
        learned = (away >= 1.0) & (np.abs(points - median(windows[:, -RECENT:])) < reach)
        away[learned] = 1.0 - 0.5 / away[learned]
        away[base.points < MINIMUM_POINTS - 1] = np.nan
        return Judgement(away, base.centre + shape, reach)

    def _shape(self, times: Floats) -> Floats:
        return np.zeros(len(times)) if self.season is None else self.season.expected(times)

    def state(self) -> dict[str, Any]:
        """Settings, season and window as JSON can hold them; `from_state` reads it. Days off are not part of it."""
        season = self.season and {"period": self.season.period, "centres": self.season.centres.tolist()}
        return {
            "kind": "median",
            "metric": self.metric,
            "rate": self.detector.rate,
            "direction": self.detector.direction,
            "window": self.detector.window,
            "season": season,
            "zone": self.detector.wall.zone,
            "times": self.times.tolist(),
            "values": self.values.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "MedianModel":
        """The model that `state` came from; ValueError for another detector's state."""
        if state.get("kind") != "median":
            raise ValueError(f"expected the state of a median model, got kind {state.get('kind')!r}")
        wall = Wall(state.get("zone", "UTC"))
        detector = MedianDetector(state["rate"], state["direction"], state["window"], wall)
        season = state["season"] and Season(state["season"]["period"], _array(state["season"]["centres"]), wall)
        return cls(detector, state["metric"], season, _array(state["times"]), _array(state["values"]))


def _array(numbers: list[float]) -> NDArray[np.float64]:
    return np.array(numbers, dtype=np.float64)
