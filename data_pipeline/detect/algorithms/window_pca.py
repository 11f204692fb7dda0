"""Window PCA: what the main shapes of the history cannot rebuild of a window."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View
from data_pipeline.detect.windows import Windows, width_for


class Shapes(NamedTuple):
    width: int
    mean: Floats
    shapes: Floats  # (points of a window, components)

    def raw(self, view: View) -> Floats:
        """Root mean square of what is left of the windows of a point, in robust sigmas of the series."""
        return Windows(view.level, int(self.width), hindsight=view.hindsight, last=view.last).judge(self._left)

    def _left(self, rows: Floats) -> Floats:
        centred = rows - self.mean
        centred -= (centred @ self.shapes) @ self.shapes.T
        left: Floats = np.sqrt(np.mean(centred * centred, axis=1))
        return left


@dataclass(frozen=True, slots=True)
class WindowPca:
    """Components that hold `variance` of the history's windows of `width` points."""

    width: int = 10
    variance: float = 0.9

    kind = Shapes

    def learn(self, history: View) -> Shapes:
        width = width_for(self.width, len(history.level))
        rows = Windows(history.level, width, hindsight=True).sample(5000)
        mean = rows.mean(axis=0)
        values, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        share = np.cumsum(values) / max(float(values.sum()), 1e-12)
        components = min(int(np.searchsorted(share, self.variance)) + 1, rows.shape[1] - 1)
        return Shapes(width, mean, np.ascontiguousarray(vectors[:, :components]))
