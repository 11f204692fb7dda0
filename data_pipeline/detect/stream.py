"""Numbers as they come: `add_sample` keeps them, `detect` says which of the newest are strange."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from data_pipeline.detect.detector import ALARM, Anomaly, Direction, Series
from data_pipeline.detect.ensemble import CONTEXT, EnsembleDetector, EnsembleModel
from data_pipeline.detect.explain import reason
from data_pipeline.detect.feedback import heard
from data_pipeline.detect.feedback_views import Kind, Said, Told
from data_pipeline.detect.opinion import AGREES
from data_pipeline.detect.robust import MINIMUM_POINTS, RECENT, Floats, core_limit
from data_pipeline.detect.wall import Wall
from utils.clock import Clock, SystemClock

_LATELY = 4 * RECENT  # samples
_SOON = 8  # samples after which a model may be fitted again
_GROWTH = 1.3  # a model is fitted again when there is so much more to learn from


@dataclass(slots=True)
class _Metric:
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    strange: list[bool] = field(default_factory=list)  # what `detect` said of each
    model: EnsembleModel | None = None
    due: int = MINIMUM_POINTS - 1  # samples ever seen at which it is fitted next
    fitted: int = 0  # and at which it was last
    seen: int = 0
    judged: bool = True  # nothing has come since
    since: float | None = None  # when the episode that is open began

    @property
    def often_strange(self) -> bool:
        """Whether so much was strange of late that it is the model that is wrong."""
        return sum(self.strange[-_LATELY:]) > RECENT

    def forget(self, gone: Callable[[float], bool]) -> None:
        """Drop samples by their time; the next fit is due by those that are left."""
        kept = [at for at, time in enumerate(self.times) if not gone(time)]
        self.times = [self.times[at] for at in kept]
        self.values = [self.values[at] for at in kept]
        self.strange = [self.strange[at] for at in kept]
        self.seen, self.fitted = len(kept), min(self.fitted, len(kept))
        self.judged = self.judged or not kept

    def history(self) -> tuple[Floats, Floats]:
        """What to learn from: without what was strange for less than `RECENT` samples; what lasts is learned."""
        if self.often_strange:
            return np.array(self.times), np.array(self.values)
        strange = np.array(self.strange)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], strange, [False])).astype(np.int8)))
        keep = np.ones(len(strange), bool)
        for first, behind in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            keep[first:behind] = behind - first >= RECENT
        return np.array(self.times)[keep], np.array(self.values)[keep]


class StreamDetector:
    """Watch any number of metrics of one subject, each sample judged once, by those before it.

    A call of `detect` fits at most one metric again, the one that has waited longest; so a sample costs some
    milliseconds however many metrics there are.

    >>> detector = StreamDetector("orders")
    >>> for minute in range(60):
    ...     detector.add_sample({"rows": 1000.0 + minute % 3}, time=60.0 * minute)
    ...     assert detector.detect() == []
    >>> detector.add_sample({"rows": 0.0}, time=3600.0)
    >>> [anomaly.metric for anomaly in detector.detect()]
    ['rows']

    Args:
        subject: Whose numbers they are.
        rate: Expected false episodes per 1,000 samples of a metric.
        memory: Samples of a metric that are kept.
        clock: Says when a sample without a time was taken.
        zone: Whose days and weeks are a season, an IANA name.
    """

    def __init__(
        self,
        subject: str = "",
        *,
        rate: float = 0.5,
        memory: int = 10_000,
        clock: Clock | None = None,
        zone: str = "UTC",
    ) -> None:
        if memory < 10 * MINIMUM_POINTS:
            raise ValueError(f"memory must be at least {10 * MINIMUM_POINTS} samples; got {memory}")
        self._subject, self._memory = subject, memory
        self._detector = EnsembleDetector(rate=rate, wall=Wall(zone))
        self._clock = clock or SystemClock()
        self._metrics: dict[str, _Metric] = {}
        self._said: list[Said] = []

    def add_sample(self, metrics: Mapping[str, float], time: float | None = None) -> None:
        """Keep one value a metric, taken at `time` (epoch seconds; now). A value that is not finite is left out.

        Raises:
            ValueError: a metric has a sample at that time or a later one.
        """
        time = self._clock.time() if time is None else time
        for name in metrics:
            known = self._metrics.get(name)
            if known is not None and known.times and time <= known.times[-1]:
                raise ValueError(f"{name}: samples must come in order of time; {time} is not after {known.times[-1]}")
        for name, value in metrics.items():
            if np.isfinite(value) and not self._is_excluded(name, time):
                self._keep(self._metrics.setdefault(name, _Metric()), time, float(value))

    def detect(self) -> list[Anomaly]:
        """What is strange among the samples that came since the last call: of each metric, its newest one."""
        new = {name: metric for name, metric in self._metrics.items() if not metric.judged}
        found = [self._judge(name, metric) for name, metric in new.items()]
        self._fit_one()
        return heard([anomaly for anomaly in found if anomaly is not None], self._said)

    def not_an_anomaly(self, anomaly: Anomaly) -> None:
        """That was fine: it is learned from, and the like of it is judged more quietly from now on."""
        told = (Told(anomaly.time, anomaly.direction, anomaly.score),)
        self._heed("fine", anomaly.metric, anomaly.time, anomaly.time, told)
        metric = self._metrics.get(anomaly.metric)
        if metric is not None and anomaly.time in metric.times:
            metric.strange[metric.times.index(anomaly.time)] = False

    def normal_since(self, time: float, metric: str = "") -> None:
        """What the metric (all) has been since then is normal: the samples before are forgotten, it learns anew."""
        for one in self._meant(metric):
            one.forget(lambda at: at < time)
            one.strange = [False] * len(one.strange)
            one.since = None
            one.model, one.due = None, MINIMUM_POINTS - 1

    def exclude(self, since: float, until: float, metric: str = "") -> None:
        """From `since` up to `until`, ahead or not, samples of the metric (of all) are neither judged nor learned from.

        Raises:
            ValueError: the time ends before it begins.
        """
        if not since < until:
            raise ValueError(f"a time to leave out must end after it begins; got {since} to {until}")
        self._heed("excluded", metric, since, until)
        for one in self._meant(metric):
            one.forget(lambda at: since <= at < until)
            one.due = min(one.due, max(len(one.values), MINIMUM_POINTS - 1))

    def _heed(self, kind: Kind, metric: str, since: float, until: float, told: tuple[Told, ...] = ()) -> None:
        said = Said(len(self._said), "", self._subject, metric, kind, since, until, told, metric, "", "")
        self._said.append(said)

    def _meant(self, metric: str) -> list[_Metric]:
        return [one for name, one in self._metrics.items() if metric in ("", name)]

    def _is_excluded(self, metric: str, time: float) -> bool:
        return any(
            said.kind == "excluded" and said.metric in ("", metric) and said.since <= time < (said.until or said.since)
            for said in self._said
        )

    @property
    def learning(self) -> dict[str, str]:
        """Metric -> "learning: 8 of 12 points", of those that are not judged yet."""
        return {
            name: f"learning: {len(metric.values)} of {MINIMUM_POINTS} points"
            for name, metric in self._metrics.items()
            if metric.model is None
        }

    def _keep(self, metric: _Metric, time: float, value: float) -> None:
        if len(metric.values) >= self._memory + self._memory // 4:  # a quarter at a time: cheaper than one by one
            for kept in (metric.times, metric.values, metric.strange):
                del kept[: -self._memory]
        metric.times.append(time)
        metric.values.append(value)
        metric.strange.append(False)
        metric.seen += 1
        metric.judged = False

    def _judge(self, name: str, metric: _Metric) -> Anomaly | None:
        metric.judged = True
        if metric.model is None or metric.model.learning:
            return None
        recent = slice(-CONTEXT, None)
        times, values = np.array(metric.times[recent]), np.array(metric.values[recent])
        judged = metric.model.judge(times, values)
        score = judged.score
        if not score >= ALARM:
            metric.since = None
            return None
        metric.strange[-1] = True
        if metric.often_strange:
            metric.due = min(metric.due, metric.fitted + _SOON)
        metric.since = metric.since if metric.since is not None else float(times[-1])
        low, high = self._band(metric, float(times[-1]))
        value, usual = float(values[-1]), (low + high) / 2.0
        side: Direction = "up" if value > usual else "down"
        far = abs(value - usual) >= high - low  # twice as far out as the band reaches
        if min(metric.values) >= 0.0:
            low = max(low, 0.0)  # rows, seconds: what was never negative is not expected to be
        return Anomaly(
            metric=name,
            subject=self._subject,
            time=float(times[-1]),
            value=value,
            score=score,
            severity="critical" if far else "warning",
            direction=side,
            expected_low=low,
            expected_high=high,
            reason=reason(name, float(times[-1]), value, (low, high), values[:-1]),
            since=metric.since,
            agree=tuple(name for name, figure in judged.members.items() if figure >= AGREES),
        )

    def _band(self, metric: _Metric, time: float) -> tuple[float, float]:
        assert metric.model is not None
        sigmas = float(core_limit(np.array(len(metric.values)), self._detector.rate))
        return metric.model.profile.band(time, sigmas)

    def _fit_one(self) -> None:
        due = [metric for metric in self._metrics.values() if metric.seen >= metric.due]
        if not due:
            return
        metric = max(due, key=lambda one: one.seen / one.due)
        times, values = metric.history()
        metric.model = self._detector.fit(Series("", self._subject, times, values))
        metric.fitted = metric.seen
        metric.due = max(metric.seen + _SOON, int(metric.seen * _GROWTH))
        # A long memory is never much longer than what was learned: then it is the share that is new that counts.
        metric.due = min(metric.due, metric.seen + int(self._memory * (_GROWTH - 1.0)))
