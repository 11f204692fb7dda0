"""A close look at one point: its season, its band, and the sentence that says what is wrong."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.detector import CRITICAL, Anomaly, Direction, Series
from data_pipeline.detect.explain import number, reason
from data_pipeline.detect.median import Judgement, MedianDetector, MedianModel
from data_pipeline.detect.opinion import Opinion
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.season import Season, choose
from data_pipeline.detect.traits import direction_of, from_scale, to_scale

_EPISODE = 32  # points looked back at for the beginning of an episode


@dataclass(frozen=True, slots=True, eq=False)
class Close:
    """The last point of `series` (finite, in order of time) and what the median says of it and those before it.

    Attributes:
        values: The series on its metric's scale.
        early: The first point that `judged` is about.
    """

    series: Series
    detector: MedianDetector
    values: Floats
    season: Season | None
    early: int
    judged: Judgement

    @classmethod
    def at(cls, series: Series, detector: MedianDetector) -> "Close":
        """Look at the last of two points or more."""
        times, values = series.times, to_scale(series.metric, series.values)
        season = choose(times[:-1], values[:-1], detector.wall)
        early = max(len(values) - 1 - _EPISODE, 0)
        model = MedianModel(detector, series.metric, season, times[:early], values[:early])
        return cls(series, detector, values, season, early, model.judge(times[early:], values[early:]))

    @property
    def ratio(self) -> float:
        """How far out the point lies, in times of the limit; NaN: no verdict."""
        return float(self.judged.ratio[-1])

    @property
    def side(self) -> Direction:
        """Of what was expected."""
        return "up" if self.values[-1] > self.judged.expected[-1] else "down"

    def strange(self, ignore_below: float, opinion: Opinion) -> Anomaly | None:
        """The anomaly, if the median finds the point strange and the ensemble does not reject it."""
        if not self.ratio >= 1.0 or not self._matters(ignore_below):
            return None
        verdict = opinion.about(self.series, self.detector, self.judged)
        if verdict is not None and not verdict.confirmed:
            return None
        since = _since(self.series.times[self.early :], self.values[self.early :] > self.judged.expected, self.judged)
        score = _score(self.ratio)
        # Critical is what both find far out.
        severe = score >= CRITICAL and (verdict is None or verdict.certain)
        agree = () if verdict is None else verdict.agree
        return self._told(score, "critical" if severe else "warning", self._out(), since, agree)

    def of_course(self, ignore_below: float, ratio: float, agree: tuple[str, ...]) -> Anomaly | None:
        """The anomaly of a point that the ensemble finds strange; `ratio` in times of the ensemble's limit.

        Where the point by itself is usual, the words say that it is the course that is not.
        """
        if not self._matters(ignore_below):
            return None
        low, high = self._band()
        score = _score(ratio)
        words = self._out()
        if not self.ratio >= 1.0:
            value = float(self.series.values[-1])
            low_, high_ = number(low, value, high), number(high, value, low)
            words = (
                f"{self.series.metric} {number(value, low, high)}, alone nothing strange ({low_} to {high_}), "
                f"but the points up to it run as the {len(self.values) - 1} before them do not"
            )
        return self._told(score, "critical" if score >= CRITICAL else "warning", words, self.series.times[-1], agree)

    def _matters(self, ignore_below: float) -> bool:
        metric = self.series.metric
        if direction_of(metric, self.detector.direction) not in {"both", self.side}:
            return False
        usual = from_scale(metric, float(self.judged.expected[-1]))
        return not abs(float(self.series.values[-1]) - usual) < ignore_below * abs(usual)

    def _band(self) -> tuple[float, float]:
        metric, expected, reach = self.series.metric, float(self.judged.expected[-1]), float(self.judged.limit[-1])
        low, high = from_scale(metric, expected - reach), from_scale(metric, expected + reach)
        if self.series.values.min() >= 0.0:
            low = max(low, 0.0)  # rows, seconds, points: what was never negative is not expected to be
        return low, high

    def _out(self) -> str:
        times, raw = self.series.times, self.series.values
        past = raw[:-1] if self.season is None else raw[:-1][self.season.alike(times[:-1], times[-1])]
        return reason(self.series.metric, float(times[-1]), float(raw[-1]), self._band(), past, self.season)

    def _told(
        self, score: float, severity: Literal["warning", "critical"], words: str, since: float, agree: tuple[str, ...]
    ) -> Anomaly:
        low, high = self._band()
        return Anomaly(
            metric=self.series.metric,
            subject=self.series.subject,
            time=float(self.series.times[-1]),
            value=float(self.series.values[-1]),
            score=score,
            severity=severity,
            direction=self.side,
            expected_low=low,
            expected_high=high,
            reason=words,
            since=float(since),
            agree=agree,
        )


def _score(ratio: float) -> float:
    return ratio / (1.0 + ratio) if ratio < np.inf else 1.0


def _since(times: Floats, above: NDArray[np.bool_], judged: Judgement) -> float:
    """Time of the first of the unbroken run of strange points, on the same side, that ends with the last one."""
    broken = np.flatnonzero(~(judged.ratio >= 1.0) | (above != above[-1]))
    return float(times[broken[-1] + 1] if broken.size else times[0])
