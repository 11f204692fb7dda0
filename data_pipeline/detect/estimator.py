"""Any algorithm, or the ensemble, as a scikit-learn outlier detector: rows are moments, columns are metrics.

scikit-learn is imported with this module and by nothing else in the program.
"""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin  # type: ignore[import-untyped]  # it has no types
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]  # nor here

from data_pipeline.detect.detector import ALARM, Series
from data_pipeline.detect.ensemble import MEMBERS, EnsembleDetector
from data_pipeline.detect.robust import Floats

_STEP = 3600.0  # seconds between rows, for which nothing is said of time


class SeriesOutlierDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Rows are consecutive moments; those that are scored come after those that were learned.

    `score_samples` has scikit-learn's sign: lower is stranger, from -1 to 0. It is our score with its sign turned.

    Args:
        members: Names of `registry.ALGORITHMS`; `None`: the ensemble.
        rate: Expected false episodes per 1,000 rows of one column.
        step: Seconds between rows: seasons by the clock are found with it.
    """

    def __init__(self, members: tuple[str, ...] | None = None, rate: float = 0.5, step: float = _STEP) -> None:
        self.members = members
        self.rate = rate
        self.step = step

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Learn each column; ValueError for what scikit-learn refuses, and for settings out of range."""
        table = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        detector = EnsembleDetector(tuple(self.members or MEMBERS), rate=self.rate)
        times = np.asarray(self.step * np.arange(len(table)), np.float64)
        self.models_ = [detector.fit(Series("", str(k), times, column)) for k, column in enumerate(table.T)]
        self.n_samples_ = len(table)
        self.offset_ = -float(np.nextafter(ALARM, 0.0))  # a score of exactly `ALARM` is an anomaly
        return self

    def score_samples(self, X: Any) -> Floats:  # noqa: N803
        """Shape (n,), -1 (strange) to 0; a row is as strange as its strangest column."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        times = np.asarray(self.step * (self.n_samples_ + np.arange(len(table))), np.float64)
        scores = [m.score(Series("", "", times, column)) for m, column in zip(self.models_, table.T, strict=True)]
        strangest: Floats = np.nan_to_num(np.stack(scores)).max(axis=0)
        return -strangest

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Negative where a row is an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Any:  # noqa: N803
        """-1 for outliers, 1 for the others."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)
