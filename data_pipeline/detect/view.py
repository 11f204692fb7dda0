"""What the algorithms look at: one metric in order of time, its level, spread and season taken off."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.shape import Shape, choose_shape
from data_pipeline.detect.wall import UTC_WALL, Wall

REACH = 41  # points that make the local level
CUT = 50.0  # spreads beyond which a point is not stranger: squares and rolling sums stay finite
_LEAST = 0.01  # share of the level that is never a change, and of the spread a season may explain away
_GROWN = 15  # points of half a history, from which on growth is looked for
_BENT = 0.8  # growth by a share of the level must leave so much of what growth by a sum does
_NOTHING, _LARGEST = 1e-300, 700.0  # the least number that has a logarithm, the greatest that is one
_STEADY = 0.7  # share of each half's spread that growth must leave at most
_MAD_TO_SIGMA = 1.4826
_MEAN_DEVIATION_TO_SIGMA = 1.2533


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A stretch of one metric, n >= 1 points; every array has shape (n,) and is finite.

    Attributes:
        level: Values less their median, in robust sigmas.
        rest: The same with the season taken off.
        local: What `rest` is near each point: the median round it with `hindsight`, of those before it without.
        hindsight: Whether a point may be judged by later ones: the whole series is in hand.
        last: Only so many points at the end need a figure, those before are context; `None`: all do.
    """

    level: Floats
    rest: Floats
    local: Floats
    hindsight: bool
    last: int | None = None

    def newest(self, points: int) -> "View":
        """The last `points` of it."""
        return View(self.level[-points:], self.rest[-points:], self.local[-points:], self.hindsight)

    def oldest(self, points: int) -> "View":
        """The first `points` of it."""
        return View(self.level[:points], self.rest[:points], self.local[:points], self.hindsight)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What must be known of a history to make views of it and of what comes after it."""

    centre: float
    spread: float
    shape: Shape | None
    rest_centre: float
    rest_spread: float
    growth: float = 0.0  # in units of the values a second
    since: float = 0.0  # when the growth was none
    by_share: bool = False  # all is about the logarithms of the values: they grow by a share of themselves

    @classmethod
    def of(cls, times: Floats, values: Floats, *, growing: bool = False, wall: Wall = UTC_WALL) -> "Profile":
        """Of finite `values` in order of time, shape (n,); a history without points gives level 0, spread 1.

        `growing`: steady growth is taken off, and expected to go on. `wall`: whose days and weeks are a season.
        """
        if not len(values):
            return cls(0.0, 1.0, None, 0.0, 1.0)
        growth, since, by_share = 0.0, float(times[0]), False
        if growing:
            growth, by_share = _growth(times, values)
        if growth:
            values = (np.log(values) if by_share else values) - growth * (times - since)
        centre = float(np.median(values))
        # The floor keeps a constant constant: without it, its first change ever would be infinite.
        least = _LEAST if by_share else max(_LEAST * abs(centre), 1e-6)
        spread = robust_spread(values - centre, least=least)
        level = (values - centre) / spread
        shape = choose_shape(times, np.clip(level, -CUT, CUT), wall)
        rest = level if shape is None else level - shape.expected(times)
        rest_centre = float(np.median(rest))
        rest_spread = robust_spread(rest - rest_centre, least=_LEAST)
        return cls(centre, spread, shape, rest_centre, rest_spread, growth, since, by_share)

    def view(self, times: Floats, values: Floats, *, hindsight: bool = False, last: int | None = None) -> View:
        """The points as the algorithms see them; the arguments are those of `View`."""
        if self.by_share:
            values = np.log(np.maximum(values, _NOTHING))
        level = (values - self.growth * (times - self.since) - self.centre) / self.spread
        rest = level if self.shape is None else level - self.shape.expected(times)
        rest = np.clip((rest - self.rest_centre) / self.rest_spread, -CUT, CUT)
        return View(np.clip(level, -CUT, CUT), rest, rolling_median(rest, REACH, hindsight=hindsight), hindsight, last)

    def band(self, time: float, sigmas: float) -> tuple[float, float]:
        """What is usual at that time, so many sigmas round it, in units of the values."""
        shape = 0.0 if self.shape is None else float(self.shape.expected(np.array([time]))[0])
        usual = self.centre + self.growth * (time - self.since) + self.spread * (shape + self.rest_centre)
        reach = sigmas * self.spread * self.rest_spread
        low, high = usual - reach, usual + reach
        return (float(np.exp(min(low, _LARGEST))), float(np.exp(min(high, _LARGEST)))) if self.by_share else (low, high)

    def state(self) -> dict[str, Any]:
        """As JSON can hold it; `from_state` reads it."""
        return {
            "centre": self.centre,
            "spread": self.spread,
            "shape": self.shape and self.shape.state(),
            "rest_centre": self.rest_centre,
            "rest_spread": self.rest_spread,
            "growth": self.growth,
            "since": self.since,
            "by_share": self.by_share,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Profile":
        """The profile that `state` came from."""
        return cls(**{**state, "shape": state["shape"] and Shape.from_state(state["shape"])})


def _growth(times: Floats, values: Floats) -> tuple[float, bool]:
    """Slope of steady growth a second, and whether it is that of the logarithms; 0 if there is none."""
    slope = _slope(times, values)
    # One per cent a day: a line through it is wrong at once, and more so each day.
    if len(values) < 2 * _GROWN or not (values > 0.0).all():
        return slope, False
    logs = np.log(values)
    by_share = _slope(times, logs)
    if not by_share:
        return slope, False
    line, curve = values - slope * (times - times[0]), logs - by_share * (times - times[0])
    bent = np.abs(values * -np.expm1(np.median(curve) - curve))  # what the curve leaves, in units of the values
    return (by_share, True) if np.median(bent) < _BENT * np.median(np.abs(line - np.median(line))) else (slope, False)


def _slope(times: Floats, values: Floats) -> float:
    """Slope of steady growth, units a second; 0 unless it explains most of the spread in both halves of a long history.

    The median slope between points half a history apart (after Theil, 1950).
    """
    half = len(values) // 2
    if half < _GROWN:
        return 0.0
    apart = times[half:] - times[: len(times) - half]
    if not (apart > 0.0).all():
        return 0.0
    slope = float(np.median((values[half:] - values[: len(values) - half]) / apart))
    flat = values - slope * (times - times[0])
    # A step between the halves has a slope, too; but neither half grows by itself.
    for part in (slice(None, half), slice(half, None)):
        before, after = (float(np.median(np.abs(one[part] - np.median(one[part])))) for one in (values, flat))
        if not after < _STEADY * before:
            return 0.0
    return slope


def robust_spread(centred: Floats, *, least: float) -> float:
    """Sigma of values whose median is 0, from their median absolute deviation; at least `least`."""
    away = np.abs(centred)
    spread = _MAD_TO_SIGMA * float(np.median(away))
    if spread <= least:  # more than half of the points are equal: the others speak
        spread = _MEAN_DEVIATION_TO_SIGMA * float(np.mean(away))
    return max(spread, least)


def rolling_median(values: Floats, width: int, *, hindsight: bool) -> Floats:
    """Median of the `width` points round each point (mirrored at the ends), or of those before it alone.

    Without hindsight the first point is its own level, and the ends of a short history are padded with it.
    """
    n = len(values)
    if n < 3:
        return values.copy() if hindsight else np.full(n, values[0] if n else 0.0)
    if hindsight:
        width = min(width, (n - 1) // 2 * 2 + 1)
        padded = np.pad(values, width // 2, mode="reflect")
    else:
        padded = np.concatenate((np.full(width, values[0]), values[:-1]))
    windows = sliding_window_view(padded, width)
    out = np.empty(n)
    for start in range(0, n, 4096):  # a block stays in the processor's cache
        part = windows[start : start + 4096]
        out[start : start + 4096] = np.partition(part, width // 2, axis=1)[:, width // 2]
    return out


def rolling_mean_and_deviation(values: Floats, width: int, *, hindsight: bool) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the `width` points round each point, or of those up to it."""
    windows = sliding_window_view(_padded(values, width, hindsight), width)
    mean: Floats = windows.mean(axis=1)
    deviation: Floats = windows.std(axis=1)
    return mean, deviation


def _padded(values: Floats, width: int, hindsight: bool) -> Floats:
    before = width // 2 if hindsight else width - 1
    return np.pad(values, (before, width - 1 - before), mode="edge")
