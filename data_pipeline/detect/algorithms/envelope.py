"""Elliptic envelope on features: robust Mahalanobis distance.

Covariance by concentration steps (Rousseeuw & Van Driessen, "A Fast Algorithm for the Minimum
Covariance Determinant Estimator", Technometrics 1999), begun from medians and MADs, not by chance.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.features import features
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View
from data_pipeline.detect.windows import sample

_STEPS = 8


class Ellipse(NamedTuple):
    centre: Floats
    unmix: Floats  # (d, d): rows times this have covariance 1

    def raw(self, view: View) -> Floats:
        """Mahalanobis distance of each point's features."""
        away = (features(view) - self.centre) @ self.unmix
        distance: Floats = np.sqrt(np.einsum("ij,ij->i", away, away))
        return distance


@dataclass(frozen=True, slots=True)
class EllipticEnvelope:
    """The `kept` share of the history that lies closest together says what is usual."""

    kept: float = 0.75

    kind = Ellipse

    def learn(self, history: View) -> Ellipse:
        rows = sample(features(history), 5000)
        width = rows.shape[1]
        centre = np.median(rows, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(rows - centre), axis=0), 0.05)
        unmix = np.diag(1.0 / spread)
        many = max(min(len(rows), width + 2), int(self.kept * len(rows)))
        for _ in range(_STEPS):
            away = (rows - centre) @ unmix
            core = rows[np.argsort(np.einsum("ij,ij->i", away, away), kind="stable")[:many]]
            centre = core.mean(axis=0)
            covariance = (core - centre).T @ (core - centre) / len(core)
            # A feature that never moves would make its first change infinite.
            values, vectors = np.linalg.eigh(covariance + 0.01 * np.eye(width))
            unmix = vectors / np.sqrt(np.maximum(values, 1e-9))
        return Ellipse(centre, unmix)
