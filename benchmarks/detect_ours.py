"""Our detectors over labelled series, in a process of its own: `python -m benchmarks.detect_ours MEASURE CORPUS EVERY`.

`python -m benchmarks.detect_ours speed` tells how long a long and a short series take, and a new point.
"""

import json
import sys
import time

from benchmarks.detect_work import perform


def speed() -> dict[str, float]:
    """Processor seconds for 100,000 and 300 points, milliseconds for one new point against a fitted model."""
    import numpy as np

    from data_pipeline.detect import score_series
    from data_pipeline.detect.detector import Series
    from data_pipeline.detect.ensemble import EnsembleDetector

    random = np.random.default_rng(0)
    told = {}
    for points, name in ((300, "s_300"), (100_000, "s_100k")):
        times = np.asarray(60.0 * np.arange(points), np.float64)
        values = np.sin(times / 13_000.0) + 0.1 * random.normal(size=points)
        taken = []
        for _ in range(3):
            began = time.process_time()
            score_series(values, times, points // 5)
            taken.append(time.process_time() - began)
        told[name] = min(taken)
    history, new = Series("", "", times[:-1], values[:-1]), Series("", "", times[-1:], values[-1:])
    model = EnsembleDetector().fit(history)
    began = time.process_time()
    for _ in range(50):
        model.score(new)
    told["ms_new_point"] = (time.process_time() - began) / 50 * 1000.0
    return told


if __name__ == "__main__":
    if sys.argv[1:] == ["speed"]:
        print(json.dumps(speed()))
    else:
        from data_pipeline.detect import score_causal, score_series

        perform(sys.argv, {"batch": score_series, "causal": score_causal})
