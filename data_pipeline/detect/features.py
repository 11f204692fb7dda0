"""What a point looks like to the detectors that judge features: level, residual, slope, and its surroundings."""

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.view import View, rolling_mean_and_deviation, rolling_median

_SPANS = (5, 25)


def features(view: View) -> Floats:
    """Shape (n, 9): level, residual, slope; and at two spans mean, deviation, distance from the median."""
    rest, n = view.rest, len(view.rest)
    slope = np.diff(rest, prepend=rest[:1])
    if view.hindsight and n > 1:
        slope = np.gradient(rest)
    columns = [view.level, rest, slope]
    for span in _SPANS:
        mean, deviation = rolling_mean_and_deviation(rest, span, hindsight=view.hindsight)
        columns += [mean, deviation, rest - rolling_median(rest, span, hindsight=view.hindsight)]
    return np.column_stack(columns)
