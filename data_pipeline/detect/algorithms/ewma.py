"""EWMA control chart (Roberts, "Control Chart Tests Based on Geometric Moving Averages", Technometrics 1959)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View, robust_spread


class Chart(NamedTuple):
    weight: float
    sigma: float

    def raw(self, view: View) -> Floats:
        """Distance of each point from the average of those before it, in sigmas of that distance."""
        far: Floats = np.abs(_surprise(view.rest, self.weight)) / self.sigma
        return far


@dataclass(frozen=True, slots=True)
class EwmaChart:
    """`weight` is that of the newest point in the average."""

    weight: float = 0.25

    kind = Chart

    def learn(self, history: View) -> Chart:
        surprise = _surprise(history.rest, self.weight)
        return Chart(self.weight, robust_spread(surprise - float(np.median(surprise)), least=0.05))


def _surprise(values: Floats, weight: float) -> Floats:
    # Weights die out: what is older than this has one below 1e-6, and a stream need not remember it.
    memory = int(np.ceil(np.log(1e-6) / np.log1p(-weight)))
    weights = weight * (1.0 - weight) ** np.arange(memory)
    weights /= weights.sum()
    padded = np.concatenate((np.full(memory, values[0]), values[:-1]))
    surprise: Floats = values - np.convolve(padded, weights, "valid")
    return surprise
