"""Which algorithms agree that a point is strange: asked about the few points that stick out, for the reader's trust."""

from data_pipeline.detect.detector import Series
from data_pipeline.detect.robust import Floats

_MOST = 50  # points of one run that are asked about: an outage of everything needs no second opinion
_ENOUGH = 30  # points of history; with fewer, algorithms that look at stretches have seen too few
AGREES = 3.0  # deviations from an algorithm's usual figure


class Agreement:
    """Asks the ensemble, a bounded number of times (some 20 ms each)."""

    def __init__(self, most: int = _MOST) -> None:
        self._left = most

    def about(self, times: Floats, values: Floats) -> tuple[str, ...]:
        """Names of the algorithms to which the last point is strange, given those before it; all n of them finite.

        Empty with too short a history, and when enough was asked.
        """
        if self._left <= 0 or len(values) <= _ENOUGH:
            return ()
        self._left -= 1
        # Imported for the first point that sticks out: most runs have none.
        from data_pipeline.detect.ensemble import EnsembleDetector

        model = EnsembleDetector().fit(Series("", "", times[:-1], values[:-1]))
        figures = model.judge(times, values).members
        return tuple(name for name, figure in figures.items() if figure >= AGREES)
