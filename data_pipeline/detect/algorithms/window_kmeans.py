"""Window k-means: the shape of the stretch round a point against the shapes that the history is made of."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.neighbourhood import Singles
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View
from data_pipeline.detect.windows import Windows, width_for

_ROUNDS = 12
_FLAT = 0.1  # sigmas: a flat window has no shape, only noise


class Centres(NamedTuple):
    width: int
    centres: Singles

    def raw(self, view: View) -> Floats:
        """Distance of a point's windows, each at mean 0 and deviation 1, to the nearest centre."""
        windows = Windows(view.level, int(self.width), hindsight=view.hindsight, last=view.last)
        return windows.judge(
            lambda rows: np.sqrt(np.maximum(_squared(_normalised(rows), self.centres).min(axis=1), 0.0))
        )


@dataclass(frozen=True, slots=True)
class WindowKmeans:
    """`shapes` centres of windows of `width` points, after Yairi et al., "Fault Detection by Mining ..." (2001)."""

    width: int = 64
    shapes: int = 10
    seed: int = 0

    kind = Centres

    def learn(self, history: View) -> Centres:
        width = width_for(self.width, len(history.level))
        rows = _normalised(Windows(history.level, width, hindsight=True).sample(3000))
        many = min(self.shapes, max(1, len(rows) // 4))
        centres = rows[np.random.default_rng(self.seed).choice(len(rows), many, replace=False)]
        for _ in range(_ROUNDS):
            nearest = _squared(rows, centres).argmin(axis=1)
            for one in range(many):
                members = nearest == one
                if members.any():
                    centres[one] = rows[members].mean(axis=0)
        return Centres(width, centres)


def _normalised(rows: Floats) -> Singles:
    centred = rows - rows.mean(axis=1, keepdims=True)
    shaped: Singles = (centred / np.maximum(centred.std(axis=1, keepdims=True), _FLAT)).astype(np.float32)
    return shaped


def _squared(rows: Singles, centres: Singles) -> Singles:
    own, other = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", centres, centres)
    squared: Singles = own[:, None] - 2.0 * rows @ centres.T + other
    return squared
