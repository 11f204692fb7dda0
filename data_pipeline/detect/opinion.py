"""A second opinion: the ensemble confirms or rejects what the median finds strange, from a longer past."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from data_pipeline.detect.alarm import confirmed_at
from data_pipeline.detect.detector import Series
from data_pipeline.detect.median import Judgement, MedianDetector
from data_pipeline.detect.precedents import has_precedent
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.traits import to_scale
from utils.history import Block
from utils.point_order import in_order

MOST = 50  # points of one run that are asked about: an outage of everything needs no second opinion
ENOUGH = 30  # points of history; with fewer, algorithms that look at stretches have seen too few
AGREES = 3.0  # deviations from an algorithm's usual figure
_BEYOND_DOUBT = 3.0  # times as far out as the median's limit: told whatever the others say
_CERTAIN = 5.5  # a fused figure that would be an alarm without the median

Past = Callable[[str], Sequence[Block]]
"""Of a subject: its blocks, longer than what a run reads of all."""


class Verdict(NamedTuple):
    """What the ensemble says of a point. `agree`: the algorithms that find it strange; `certain`: with or without the
    median it is an alarm."""

    confirmed: bool
    certain: bool
    agree: tuple[str, ...]


class Opinion:
    """Asks the ensemble, a bounded number of times (some milliseconds each).

    Args:
        most: Points that are asked about.
        past: Where more of a subject's past is; without, what the caller has is all.
    """

    def __init__(self, most: int = MOST, past: Past | None = None) -> None:
        self._left = most
        self._past = past

    def about(self, series: Series, detector: MedianDetector, judged: Judgement) -> Verdict | None:
        """Of the last point of `series`, given those before it; `None`: it was not asked.

        Too short a history is not asked about, nor is anything once enough was asked.

        Args:
            series: Finite values in their own unit, in order of time.
            detector: What finds the point strange, with the rate and the wall.
            judged: What it said; the last one counts.
        """
        if self._left <= 0 or len(series.values) <= ENOUGH:
            return None
        self._left -= 1
        # Imported for the first point that sticks out: most runs have none.
        from data_pipeline.detect.fitted import Fitted

        times, values = self._longer(series)
        if has_precedent(times, values, float(judged.limit[-1]), detector.wall):
            return Verdict(confirmed=False, certain=False, agree=())
        fitted = Fitted.to(series.metric, times[:-1], values[:-1], detector.wall)
        found = fitted.figures(times, values, 1)
        figure = float(found.fused[-1])
        return Verdict(
            confirmed=bool(judged.ratio[-1] >= _BEYOND_DOUBT) or figure >= confirmed_at(len(times) - 1, detector.rate),
            certain=figure >= _CERTAIN,
            agree=tuple(
                member.name
                for member, z in zip(fitted.members, found.members[:, -1].tolist(), strict=True)
                if z >= AGREES
            ),
        )

    def _longer(self, series: Series) -> tuple[Floats, Floats]:
        """The series on its metric's scale, with as much past as there is."""
        for block in self._past(series.subject) if self._past is not None else ():
            if series.metric in block.metrics:
                times, raw = in_order(block.times, block.values[:, block.metrics.index(series.metric)])
                stop = int(np.searchsorted(times, series.times[-1], side="right"))
                if stop >= len(series.times):
                    return times[:stop], to_scale(series.metric, raw[:stop])
        return series.times, to_scale(series.metric, series.values)
