"""Robust autoregression of what the season leaves: ridge, reweighted so that incidents do not teach."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View, robust_spread

_CLIP = 6.0  # sigmas: an outlier predicts the next points as if it were one of this size
_ROUNDS = 3


class Lags(NamedTuple):
    weights: Floats  # oldest lag first, the constant last
    sigma: float

    def raw(self, view: View) -> Floats:
        """Error of the prediction from the points before, in robust sigmas."""
        lags = _lags(view.rest, len(self.weights) - 1)
        far: Floats = np.abs(view.rest - lags @ self.weights) / self.sigma
        return far


@dataclass(frozen=True, slots=True)
class SeasonalAutoregression:
    """Three to `most` lags, one for every twelve points.

    Huber weights (Huber, "Robust Estimation of a Location Parameter", 1964), three rounds.
    """

    most: int = 24

    kind = Lags

    def learn(self, history: View) -> Lags:
        n = len(history.rest)
        order = int(np.clip(n // 12, 3, self.most))
        if n < 2 * order + 4:
            return Lags(np.zeros(2), 1.0)
        lags, wanted = _lags(history.rest, order), np.clip(history.rest, -_CLIP, _CLIP)
        lags, wanted = lags[order:], wanted[order:]
        weights: Floats = np.zeros(order + 1)
        weight: Floats = np.ones(len(wanted))
        sigma = 1.0
        for _ in range(_ROUNDS):
            square = (lags * weight[:, None]).T @ lags
            square[np.diag_indices(order)] += 0.002 * weight.sum() + 1e-6
            square[order, order] += 1e-9
            weights = np.asarray(np.linalg.solve(square, (lags * weight[:, None]).T @ wanted), np.float64)
            error = history.rest[order:] - lags @ weights
            sigma = robust_spread(error - float(np.median(error)), least=0.05)
            weight = 1.0 / np.maximum(np.abs(error) / (2.0 * sigma), 1.0)
        return Lags(weights, sigma)


def _lags(values: Floats, order: int) -> Floats:
    clipped = np.clip(values, -_CLIP, _CLIP)
    # What went before the first point is taken to have been like it.
    padded = np.concatenate((np.full(order, clipped[0]), clipped))
    return np.column_stack((sliding_window_view(padded, order)[:-1], np.ones(len(values))))
