"""The algorithms by name. A new one is a file in `algorithms/` and a line here."""

from data_pipeline.detect.algorithm import Algorithm
from data_pipeline.detect.algorithms.autoregression import SeasonalAutoregression
from data_pipeline.detect.algorithms.envelope import EllipticEnvelope
from data_pipeline.detect.algorithms.ewma import EwmaChart
from data_pipeline.detect.algorithms.forest import ResidualForest
from data_pipeline.detect.algorithms.median import RollingMedian
from data_pipeline.detect.algorithms.residual import SeasonalResidual
from data_pipeline.detect.algorithms.shift import SlowShift
from data_pipeline.detect.algorithms.spectral import SpectralResidual
from data_pipeline.detect.algorithms.window_kmeans import WindowKmeans
from data_pipeline.detect.algorithms.window_lof import WindowLof
from data_pipeline.detect.algorithms.window_neighbours import WindowNeighbours
from data_pipeline.detect.algorithms.window_pca import WindowPca

ALGORITHMS: dict[str, Algorithm] = {
    "rolling_median": RollingMedian(),
    "ewma_chart": EwmaChart(),
    "seasonal_residual": SeasonalResidual(),
    "seasonal_autoregression": SeasonalAutoregression(),
    "residual_forest": ResidualForest(),
    "elliptic_envelope": EllipticEnvelope(),
    "window_pca": WindowPca(),
    "window_neighbours": WindowNeighbours(),
    "window_neighbours_20": WindowNeighbours(20),
    "window_neighbours_200": WindowNeighbours(200),
    "window_neighbours_by_length": WindowNeighbours(None),
    "window_lof": WindowLof(),
    "window_lof_32": WindowLof(32),
    "window_lof_100": WindowLof(100),
    "window_kmeans": WindowKmeans(),
    "slow_shift": SlowShift(),
    "spectral_residual": SpectralResidual(),
}


def algorithm(name: str) -> Algorithm:
    """The algorithm called `name`; ValueError with the names that there are."""
    if name not in ALGORITHMS:
        raise ValueError(f"there is no detection algorithm {name!r}; there are: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]
