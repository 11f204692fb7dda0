"""Rolling median and MAD: a point against the points round it, in units of how much those move."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import REACH, View, rolling_median

_LEAST = 0.3  # share of the whole history's spread that a quiet stretch is credited with


class Spread(NamedTuple):
    spread: float

    def raw(self, view: View) -> Floats:
        """Distance from the rolling median, in rolling MADs."""
        away = np.abs(view.rest - view.local)
        moves = 1.4826 * rolling_median(away, 2 * REACH + 1, hindsight=view.hindsight)
        far: Floats = away / np.maximum(moves, _LEAST * self.spread)
        return far


@dataclass(frozen=True, slots=True)
class RollingMedian:
    kind = Spread

    def learn(self, history: View) -> Spread:
        away = np.abs(history.rest - history.local)
        return Spread(max(1.4826 * float(np.median(away)), 0.1))
