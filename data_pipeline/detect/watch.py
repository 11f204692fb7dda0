"""The ensemble looks at every series in turn: at some of them a run, at all their points since it looked last.

What a look costs (some milliseconds) is bounded for a run by number and by time; the series that have waited
longest come first. Where the watch over a series stands is kept in one row a dataset; it is no view of the log: when it
is lost, the watch begins again at the newest points.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.detect.alarm import FIRST, Standing, alarms, told_at
from data_pipeline.detect.close import Close
from data_pipeline.detect.detector import Anomaly, Series
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.opinion import AGREES, ENOUGH, Past
from data_pipeline.detect.precedents import has_precedent
from data_pipeline.detect.traits import figure_of, of_a_column, to_scale
from data_pipeline.detect.watch_table import Looks, Stand
from utils.clock import Clock
from utils.database import Database, Statement
from utils.history import Block
from utils.point_order import in_order

if TYPE_CHECKING:
    from data_pipeline.detect.fitted import Models

__all__ = ["Seen", "Terms", "Watch"]

_MOST = 60  # series a run
_SECONDS = 0.05  # of a run, or
_SHARE = 0.05  # of the time that it took, whichever is longer
_AT_ONCE = 256  # points that a look goes back at most


@dataclass(frozen=True, slots=True)
class Terms:
    """How the series of some datasets are judged."""

    detector: MedianDetector
    ignore_below: float
    exclude: frozenset[str]


class Seen(NamedTuple):
    """What the looks of a run found, and the statements that keep where they stand."""

    anomalies: list[Anomaly]
    statements: list[Statement]


class Watch:
    """One a process: it keeps the models of the series that it looked at last. Thread-safe; no two threads are to look
    at one subject at once.

    Args:
        seconds: What the looks of a run may take, however short the run was.
    """

    def __init__(self, database: Database, clock: Clock, *, seconds: float = _SECONDS) -> None:
        self._looks = Looks(database)
        self._clock = clock
        self._seconds = seconds

    @cached_property
    def models(self) -> "Models":
        """What was learned of the series that were looked at last."""
        from data_pipeline.detect.fitted import Models

        return Models()

    def look(
        self,
        blocks: Iterable[tuple[Block, Terms]],
        told: Sequence[Anomaly],
        *,
        new_since: float,
        took: float,
        past: Past,
        mark: Callable[[str], object] = lambda _: None,
    ) -> Seen:
        """Look at some of the series that have points since `new_since` (epoch seconds).

        Args:
            blocks: What a run has read, and how it is judged; a long one may be cut off at the beginning.
            told: What the median and the ensemble found among the new points: these series come first.
            took: Seconds that the run has taken.
            past: More of a subject's past.
            mark: Of a subject: what a model depends on beside the points.
        """
        waiting = _waiting(blocks, new_since)
        if not waiting:
            return Seen([], [])
        end = self._clock.monotonic() + max(self._seconds, _SHARE * took)
        urgent = {(one.subject, one.metric): one for one in told}
        anomalies: list[Anomaly] = []
        statements: list[Statement] = []
        left = _MOST
        for subject in self._in_turn(waiting, {one.subject for one in told}):
            if left <= 0 or self._clock.monotonic() >= end:
                break
            terms, metrics = waiting[subject]
            stands = self._looks.of(subject)
            order = sorted(metrics, key=lambda one: ((subject, one) not in urgent, _until(stands, one)))
            longer = past(subject)
            for metric in order:
                if left <= 0 or self._clock.monotonic() >= end:
                    break
                left -= 1
                stands[metric], found = self._one(
                    _series(longer, metric, subject),
                    stands.get(metric),
                    terms,
                    new_since,
                    urgent.get((subject, metric)),
                    mark(subject),
                )
                anomalies += found
            statements.append(self._looks.keep(subject, stands, min(_until(stands, one) for one in metrics)))
        return Seen(anomalies, statements)

    def _in_turn(self, waiting: Iterable[str], urgent: set[str]) -> list[str]:
        """Those with something to look into, then who has waited longest; of new ones an order that lasts."""
        names = list(waiting)
        oldest = self._looks.oldest(names)
        return sorted(
            names, key=lambda name: (name not in urgent, oldest.get(name, 0.0), zlib.crc32(name.encode()), name)
        )

    def _one(
        self,
        series: Series,
        stand: Stand | None,
        terms: Terms,
        new_since: float,
        told: Anomaly | None,
        mark: object,
    ) -> tuple[Stand, list[Anomaly]]:
        values = to_scale(series.metric, series.values)
        since = new_since if stand is None else math.nextafter(stand.until, math.inf)
        n = len(values)
        first = max(int(np.searchsorted(series.times, since)), ENOUGH, n - _AT_ONCE)
        if first >= n:  # nothing new, or too little: it has had its turn all the same
            stand = stand or Stand(new_since, *FIRST)
            return stand._replace(until=max(stand.until, new_since)), []
        fitted = self.models.fitted(
            (series.subject, series.metric), series.times, values, n - first, mark, terms.detector.wall
        )
        figures = fitted.figures(series.times, values, n - first)
        rate = terms.detector.rate
        found = alarms(figures.fused, first, FIRST if stand is None else Standing(*stand[1:]), rate=rate)
        standing = found.standing
        anomalies = []
        onsets = np.flatnonzero(found.onset).tolist()
        for at in onsets:
            stop = first + at + 1
            goes_on = at == onsets[-1] and bool(found.open[-1])
            if told is not None and (goes_on or series.times[stop - 1] >= told.since):
                continue  # the episode has been told
            agree = tuple(
                member.name
                for member, z in zip(fitted.members, figures.members[:, at].tolist(), strict=True)
                if z >= AGREES
            )
            close = Close.at(
                Series(series.metric, series.subject, series.times[:stop], series.values[:stop]), terms.detector
            )
            ratio = float(figures.fused[at]) / told_at(first + at, rate)
            if close.ratio >= 1.0 and has_precedent(
                series.times[:stop], values[:stop], float(close.judged.limit[-1]), terms.detector.wall
            ):
                continue
            anomaly = close.of_course(terms.ignore_below, max(ratio, 1.0), agree)
            if anomaly is not None:
                anomalies.append(anomaly)
        if told is not None:
            standing = standing._replace(passed=0)
        return Stand(float(series.times[-1]), *standing), anomalies


def _waiting(blocks: Iterable[tuple[Block, Terms]], new_since: float) -> dict[str, tuple[Terms, list[str]]]:
    """Subjects with new points and with enough of them, and their metrics that are looked at.

    When its set of metrics changed, a subject's history lies in several blocks.
    """
    points: Counter[str] = Counter()
    found: dict[str, tuple[Terms, dict[str, None]]] = {}
    for block, terms in blocks:
        points[block.subject] += len(block.times)
        if len(block.times) and block.times[-1] >= new_since:
            _, mine = found.setdefault(block.subject, (terms, {}))
            mine.update(dict.fromkeys(_watched(block.metrics, terms.exclude)))
    return {
        subject: (terms, list(mine)) for subject, (terms, mine) in found.items() if mine and points[subject] > ENOUGH
    }


@lru_cache(maxsize=256)
def _watched(metrics: tuple[str, ...], exclude: frozenset[str]) -> list[str]:
    """Figures of columns are left out: there are hundreds of them, and what sticks out is looked into anyway.

    Kept, because datasets are measured alike.
    """
    return [one for one in metrics if not of_a_column(one) and exclude.isdisjoint((one, figure_of(one)))]


def _series(blocks: Sequence[Block], metric: str, subject: str) -> Series:
    for block in blocks:
        if metric in block.metrics:
            times, values = in_order(block.times, block.values[:, block.metrics.index(metric)])
            return Series(metric, subject, times, values)
    return Series(metric, subject, np.zeros(0), np.zeros(0))


def _until(stands: dict[str, Stand], metric: str) -> float:
    return stands[metric].until if metric in stands else 0.0
