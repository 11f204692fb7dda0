"""The peers' detectors over labelled series: PyOD's isolation forest, LOF and ECOD, and Elementary's kind of z-score.

Run in their environment: `python detect_scores.py NAME MEASURE CORPUS EVERY`; answers as `detect_work` says.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from detect_work import perform

_Z = 3.0  # Elementary's default sensitivity


def _pyod(make):
    def score(values, *_):
        # One metric is judged by its values alone: what packaged detectors do with a column.
        table = np.asarray(values, float).reshape(len(values), -1)
        return make().fit(table).decision_scores_

    return score


def _iforest():
    from pyod.models.iforest import IForest

    return IForest(random_state=0)


def _lof():
    from pyod.models.lof import LOF

    return LOF()


def _ecod():
    from pyod.models.ecod import ECOD

    return ECOD()


def z_score(values, *_):
    """Distance from the mean of all points before, in their standard deviations; an alarm beyond 3."""
    table = np.asarray(values, float).reshape(len(values), -1)
    number = np.arange(1, len(table) + 1)[:, None]
    mean = np.cumsum(table, axis=0) / number
    spread = np.sqrt(np.maximum(np.cumsum(table**2, axis=0) / number - mean**2, 0.0))
    z = np.zeros_like(table)
    z[1:] = np.abs(table[1:] - mean[:-1]) / np.maximum(spread[:-1], 1e-9 + 1e-6 * np.abs(mean[:-1]))
    figure = z.max(axis=1)
    figure[:2] = 0.0
    return figure, figure > _Z


DETECTORS = {"iforest": _pyod(_iforest), "lof": _pyod(_lof), "ecod": _pyod(_ecod), "z-score": z_score}

if __name__ == "__main__":
    detector = DETECTORS[sys.argv[1]]
    if detector is z_score:
        perform(sys.argv, {"batch": lambda *given: z_score(*given)[0], "causal": z_score})
    else:
        perform(sys.argv, {"batch": detector})
