"""Spectral residual (Ren et al., "Time-Series Anomaly Detection Service at Microsoft", KDD 2019)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View

_AHEAD = 5  # points guessed after the judged one, so that it does not stand at the edge
_SMOOTH = 3  # frequencies averaged
_ROWS = 4096


class Salience(NamedTuple):
    width: int

    def raw(self, view: View) -> Floats:
        """How much a point sticks out of the saliency map of the points before it."""
        width = int(self.width)
        values = view.rest
        windows = sliding_window_view(np.concatenate((np.full(width - 1, values[0]), values)), width)
        out = np.empty(len(values))
        for start in range(0, len(out), _ROWS):
            out[start : start + _ROWS] = _salience(windows[start : start + _ROWS])
        return out


@dataclass(frozen=True, slots=True)
class SpectralResidual:
    """The map is made of `width` points."""

    width: int = 59

    kind = Salience

    def learn(self, history: View) -> Salience:
        return Salience(self.width)


def _salience(windows: Floats) -> Floats:
    newest = windows[:, -2]
    gradients = (newest[:, None] - windows[:, -7:-2]) / np.arange(5, 0, -1)
    guess = windows[:, -6] + gradients.mean(axis=1) * 5.0
    series = np.concatenate((windows, np.repeat(guess[:, None], _AHEAD, axis=1)), axis=1)
    spectrum = np.fft.rfft(series, axis=1)
    size = np.abs(spectrum)
    logs = np.log(size + 1e-6)
    padded = np.pad(logs, ((0, 0), (_SMOOTH // 2, _SMOOTH // 2)), mode="edge")
    residual = logs - sliding_window_view(padded, _SMOOTH, axis=1).mean(axis=2)
    mapped = np.abs(np.fft.irfft(np.exp(residual) * spectrum / (size + 1e-6), series.shape[1], axis=1))
    before = mapped[:, -_AHEAD - 22 : -_AHEAD - 1].mean(axis=1)
    sticks: Floats = np.maximum(mapped[:, -_AHEAD - 1] - before, 0.0) / (before + 1e-3)
    # A line that hardly moves has a map of rounding errors.
    moves: Floats = np.minimum(1.0, windows.std(axis=1) / 0.1)
    return sticks * moves
