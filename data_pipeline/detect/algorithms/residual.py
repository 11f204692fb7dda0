"""Seasonal residual: how far a point is from its season, less most of the local level."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View

_LEVEL_SHARE = 0.7  # of the local level is taken off: less, and slow growth is strange; more, and long incidents vanish


class Centre(NamedTuple):
    centre: float

    def raw(self, view: View) -> Floats:
        """Distance from the usual residual, in sigmas of the season's residuals."""
        away: Floats = np.abs(_residual(view) - self.centre)
        return away


@dataclass(frozen=True, slots=True)
class SeasonalResidual:
    kind = Centre

    def learn(self, history: View) -> Centre:
        return Centre(float(np.median(_residual(history))))


def _residual(view: View) -> Floats:
    return view.rest - _LEVEL_SHARE * view.local
