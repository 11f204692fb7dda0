"""Counters, gauges and histograms with labels; as Prometheus text or as JSON.

    metrics = Metrics()
    rows = metrics.counter("rows_total", "Rows delivered.", labels=("dataset",))
    rows.inc(31, dataset="fx")
    fx = rows.labels(dataset="fx")      # on hot paths: bind once,
    fx.inc()                            # then a count is one lock and one addition

Quantiles (`utils.quantiles`) are at most 1 % off the true value, in bounded memory, over all that was observed.
"""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.metric_series import CounterSeries, GaugeSeries, HistogramSeries, MetricsError
from utils.metrics_text import check_labels, check_name, escaped, labelled, layout, number, prefix_lines

__all__ = ["DURATION_BUCKETS", "Counter", "Gauge", "Histogram", "Metrics", "MetricsError"]

DURATION_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds, from a cache hit to a slow provider."""

_MAX_SERIES = 20_000
_ELSEWHERE = "_other"

C = TypeVar("C", "CounterSeries", "GaugeSeries", "HistogramSeries")


class Metric(ABC, Generic[C]):
    """A name, its label names, and one series for each combination of their values."""

    kind: str

    def __init__(self, name: str, help: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.help = help
        self.label_names = labels
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], C] = {}

    def labels(self, **labels: str) -> C:
        """The series for these label values; keep it where speed matters.

        Beyond 20,000 series all further ones share one whose labels are `_other`: memory stays bounded.

        Raises:
            MetricsError: Other labels than the declared ones.
        """
        try:
            key = tuple([labels[name] for name in self.label_names])
        except KeyError:
            key = ()
        if len(labels) != len(self.label_names) or len(key) != len(labels):
            raise MetricsError(
                f"metric {self.name}: labels {sorted(labels)} given, {sorted(self.label_names)} declared; "
                "give exactly the declared ones"
            )
        series = self._series.get(key)
        return self._add(key) if series is None else series

    def series(self) -> list[tuple[dict[str, str], C]]:
        """Every (labels, series) so far."""
        with self._lock:
            return [(dict(zip(self.label_names, key, strict=True)), series) for key, series in self._series.items()]

    def _rows(self) -> list[tuple[tuple[str, ...], C]]:
        with self._lock:
            return list(self._series.items())

    def remove(self, **labels: str) -> None:
        """Forget one series: what it measured is gone for good."""
        with self._lock:
            self._series.pop(tuple(str(labels.get(name, "")) for name in self.label_names), None)

    @abstractmethod
    def _new(self) -> C: ...

    @abstractmethod
    def as_text(self) -> Iterator[str]:
        """The lines of the Prometheus exposition format, HELP and TYPE first."""

    @abstractmethod
    def as_json(self) -> list[dict[str, Any]]:
        """One `{"labels": {…}, …}` a series."""

    def _add(self, key: tuple[str, ...]) -> C:
        with self._lock:
            return self._added(tuple(map(str, key)))

    def _at(self, key: tuple[str, ...]) -> C:
        """The lock is held. Raises `MetricsError` when there are not as many labels as were declared."""
        series = self._series.get(key)
        if series is None:
            if len(key) != len(self.label_names):
                raise MetricsError(f"metric {self.name}: {key} are not values of {self.label_names}")
            series = self._added(key)
        return series

    def _added(self, key: tuple[str, ...]) -> C:
        """The lock is held."""
        if len(self._series) >= _MAX_SERIES and key not in self._series:
            key = (_ELSEWHERE,) * len(key)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._new()
        return series


class Counter(Metric[CounterSeries]):
    kind = "counter"

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        """Count `amount` more for these labels."""
        self.labels(**labels).inc(amount)

    def inc_all(self, amounts: Mapping[tuple[str, ...], float]) -> None:
        """Count many at once: label values, in the order in which the labels were declared -> how much more.

        Raises:
            MetricsError: Not as many labels as were declared, or an amount is negative.
        """
        with self._lock:
            for key, amount in amounts.items():
                self._at(key).inc(amount)

    def value(self, **labels: str) -> float:
        return self.labels(**labels).value

    def as_text(self) -> Iterator[str]:
        name = self.name if self.name.endswith("_total") else f"{self.name}_total"  # the format's convention
        yield from prefix_lines(name, self.help, self.kind)
        labels = layout(self.label_names)
        for key, series in self._rows():
            yield f"{name}{labels % escaped(key)} {number(series.value)}"

    def as_json(self) -> list[dict[str, Any]]:
        return [{"labels": labels, "value": series.value} for labels, series in self.series()]

    def _new(self) -> CounterSeries:
        return CounterSeries()


class Gauge(Metric[GaugeSeries]):
    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        self.labels(**labels).set(value)

    def set_all(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Set many at once: label values, in the order in which the labels were declared -> value.

        Raises:
            MetricsError: Not as many labels as were declared.
        """
        with self._lock:
            for key, value in values.items():
                self._at(key).set(value)

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        self.labels(**labels).inc(amount)

    def dec(self, amount: float = 1.0, **labels: str) -> None:
        self.labels(**labels).inc(-amount)

    def value(self, **labels: str) -> float:
        return self.labels(**labels).value

    def as_text(self) -> Iterator[str]:
        name = self.name
        yield from prefix_lines(name, self.help, self.kind)
        labels = layout(self.label_names)
        for key, series in self._rows():
            yield f"{name}{labels % escaped(key)} {number(series.value)}"

    def as_json(self) -> list[dict[str, Any]]:
        rows = [(labels, series.value) for labels, series in self.series()]
        return [{"labels": labels, "value": value if math.isfinite(value) else None} for labels, value in rows]

    def _new(self) -> GaugeSeries:
        return GaugeSeries(self._lock)


class Histogram(Metric[HistogramSeries]):
    kind = "histogram"

    def __init__(
        self,
        name: str,
        help: str,
        labels: tuple[str, ...],
        buckets: tuple[float, ...],
        clock: Clock,
    ) -> None:
        super().__init__(name, help, labels)
        self.buckets = buckets
        self._clock = clock

    def observe(self, value: float, **labels: str) -> None:
        """Take note of one value for these labels."""
        self.labels(**labels).observe(value)

    @contextmanager
    def time(self, **labels: str) -> Iterator[None]:
        """Observe how many seconds the block takes, also when it fails."""
        started = self._clock.monotonic()
        try:
            yield
        finally:
            self.observe(self._clock.monotonic() - started, **labels)

    def statistics(self, **labels: str) -> dict[str, float | int | None]:
        return self.labels(**labels).statistics()

    def as_text(self) -> Iterator[str]:
        yield from prefix_lines(self.name, self.help, self.kind)
        for key, series in self._rows():
            rows, total, count = series.cumulative()
            for bound, seen in rows:
                yield f"{self.name}_bucket{labelled((*self.label_names, 'le'), (*key, number(bound)))} {seen}"
            yield f"{self.name}_sum{labelled(self.label_names, key)} {number(total)}"
            yield f"{self.name}_count{labelled(self.label_names, key)} {count}"

    def as_json(self) -> list[dict[str, Any]]:
        return [{"labels": labels, **series.statistics()} for labels, series in self.series()]

    def _new(self) -> HistogramSeries:
        return HistogramSeries(self.buckets)


M = TypeVar("M", Counter, Gauge, Histogram)


class Metrics:
    """The registry: made once, passed in; asking for a metric again gives the same one. Safe for threads."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, help: str = "", *, labels: Sequence[str] = ()) -> Counter:
        """A number that only grows. Raises `MetricsError` on a bad name or a clash with another metric."""
        return self._get(Counter, name, tuple(labels), lambda: Counter(name, help, tuple(labels)))

    def gauge(self, name: str, help: str = "", *, labels: Sequence[str] = ()) -> Gauge:
        """A number that goes up and down. Raises as `counter`."""
        return self._get(Gauge, name, tuple(labels), lambda: Gauge(name, help, tuple(labels)))

    def histogram(
        self,
        name: str,
        help: str = "",
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = DURATION_BUCKETS,
    ) -> Histogram:
        """How values are spread. `buckets` are upper bounds, rising; Prometheus sees them. Raises as `counter`."""
        bounds = tuple(float(bound) for bound in buckets if bound != math.inf)
        if "le" in labels:
            raise MetricsError(f"metric {name}: the label 'le' is the histogram's own; choose another name")
        if not all(low < high for low, high in pairwise(bounds)):
            raise MetricsError(f"metric {name}: bucket bounds must rise, got {bounds}")
        return self._get(
            Histogram, name, tuple(labels), lambda: Histogram(name, help, tuple(labels), bounds, self._clock)
        )

    def include(self, other: "Metrics") -> None:
        """Tell those of another registry too; of two metrics with one name, the other's."""
        with other._lock:
            theirs = dict(other._metrics)
        with self._lock:
            self._metrics.update(theirs)

    def to_prometheus(self) -> str:
        """Everything in the Prometheus text format 0.0.4, by name; serve it as `text/plain; version=0.0.4`."""
        return "".join(f"{line}\n" for metric in self._sorted() for line in metric.as_text())

    def to_json(self) -> dict[str, Any]:
        """`{name: {"type", "help", "series": [{"labels", "value"} or {"labels", "count", …, "p99"}]}}`."""
        return {
            metric.name: {"type": metric.kind, "help": metric.help, "series": metric.as_json()}
            for metric in self._sorted()
        }

    def _sorted(self) -> "list[Counter | Gauge | Histogram]":
        with self._lock:
            return [self._metrics[name] for name in sorted(self._metrics)]

    def _get(self, kind: type[M], name: str, labels: tuple[str, ...], make: Callable[[], M]) -> M:
        with self._lock:
            known = self._metrics.get(name)
            if known is None:
                if problem := check_name(name) or check_labels(labels):
                    raise MetricsError(f"metric {name!r}: {problem}")
                made = self._metrics[name] = make()
                return made
        if isinstance(known, kind) and known.label_names == labels:
            return known
        raise MetricsError(
            f"metric {name} is a {known.kind} with labels {known.label_names} already, now asked for as "
            f"{kind.kind} with {labels}; choose another name"
        )
