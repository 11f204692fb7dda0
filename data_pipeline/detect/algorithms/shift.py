"""Slow shift: the mean of the newest residuals against that of the history.

A moving window takes the place of the endless sum of Page's CUSUM ("Continuous Inspection Schemes",
Biometrika 1954; the window is the MOSUM of Bauer & Hackl, Technometrics 1978): a shift that has been
judged does not weigh on the points after it for ever.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View, rolling_mean_and_deviation

_CLIP = 10.0  # sigmas: one wild point is no shift


class Level(NamedTuple):
    width: int
    level: float

    def raw(self, view: View) -> Floats:
        """Distance of the mean of the window from the history's, in sigmas of that mean if points were independent."""
        mean = _means(view, int(self.width))
        away: Floats = np.abs(mean - self.level) * float(np.sqrt(self.width))
        return away


@dataclass(frozen=True, slots=True)
class SlowShift:
    """A window of a twentieth of the history, `least` to `most` points."""

    least: int = 5
    most: int = 200

    kind = Level

    def learn(self, history: View) -> Level:
        width = int(np.clip(len(history.rest) // 20, self.least, self.most))
        return Level(width, float(np.median(_means(history, width))))


def _means(view: View, width: int) -> Floats:
    clipped = np.clip(view.rest, -_CLIP, _CLIP)
    return rolling_mean_and_deviation(clipped, width, hindsight=view.hindsight)[0]
