"""Joint distance: how unusual a combination of values is, by the covariance of the metrics (Mahalanobis, 1936)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats

_LEAST = 0.02  # variance that a combination is credited with, in squared sigmas of its metrics


class JointEllipse(NamedTuple):
    centre: Floats
    scale: Floats  # of each metric: what moved little while it was learned is not infinitely strange later
    unmix: Floats  # (metrics, metrics)

    def raw(self, table: Floats, *, hindsight: bool) -> Floats:
        """Distance of each moment, shape (n,); `table` has shape (n, metrics)."""
        away = (np.clip((table - self.centre) / self.scale, -15.0, 15.0)) @ self.unmix
        distance: Floats = np.sqrt(np.mean(away * away, axis=1))
        return distance


@dataclass(frozen=True, slots=True)
class JointDistance:
    """Centre, scales and covariance of the history; combinations that never moved are credited with a little."""

    kind = JointEllipse

    def learn(self, table: Floats) -> JointEllipse:
        centre = np.median(table, axis=0)
        scale = np.maximum(table.std(axis=0), 0.02)
        rows = np.clip((table - centre) / scale, -15.0, 15.0)
        values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True).reshape(table.shape[1], -1))
        return JointEllipse(centre, scale, vectors / np.sqrt(np.maximum(values, _LEAST)))
