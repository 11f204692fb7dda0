"""One series of a metric, for one combination of label values: what is counted, set or observed, under a lock."""

import math
import threading
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate

from utils.quantiles import QuantileSketch


class MetricsError(ValueError):
    """A metric was declared or used wrongly: its name, its labels, or a counter counting down."""


class CounterSeries:
    """One counter: only grows."""

    __slots__ = ("_lock", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count `amount` more. Raises `MetricsError` when it is negative or NaN."""
        if not amount >= 0:
            raise MetricsError(f"a counter only grows; got {amount!r}. Use a gauge for what goes down")
        with self._lock:
            self._value += amount

    @property
    def value(self) -> float:
        return self._value


class GaugeSeries:
    """One gauge: goes up and down, or asks a function when it is read."""

    __slots__ = ("_function", "_lock", "_value")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock  # that of all series of a gauge: a page makes thousands anew, and one each was a fifth of it
        self._value = 0.0
        self._function: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        self._value = value

    def inc(self, amount: float = 1.0) -> None:
        with self._lock:
            self._value += amount

    def dec(self, amount: float = 1.0) -> None:
        self.inc(-amount)

    def set_function(self, function: Callable[[], float]) -> None:
        """Ask `function` for the value whenever the metrics are read."""
        self._function = function

    @property
    def value(self) -> float:
        if self._function is None:
            return self._value
        try:
            return float(self._function())
        except Exception:  # noqa: BLE001 - one broken gauge must not take the whole page of metrics with it
            return math.nan


class HistogramSeries:
    """One histogram: counts a bucket, and p50, p95, p99 of everything observed. NaN and infinity are not counted."""

    __slots__ = ("_bounds", "_buckets", "_lock", "_sketch")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._lock = threading.Lock()
        self._bounds = bounds
        self._buckets = [0] * (len(bounds) + 1)
        self._sketch = QuantileSketch()

    def observe(self, value: float) -> None:
        """Take note of one value."""
        if value - value != 0.0:  # NaN or infinite
            return
        with self._lock:
            self._buckets[bisect_left(self._bounds, value)] += 1
            self._sketch.add(value)

    def quantile(self, q: float) -> float | None:
        """The value that a share `q` (0..1) of all observed ones do not exceed, 1 % off at most; `None` when empty."""
        if not 0.0 <= q <= 1.0:
            raise MetricsError(f"a quantile is between 0 and 1, got {q!r}")
        with self._lock:
            return self._sketch.quantile(q)

    def statistics(self) -> dict[str, float | int | None]:
        """`count sum mean min max p50 p95 p99`; `None` where nothing was observed."""
        with self._lock:
            sketch = self._sketch
            return {
                "count": sketch.count,
                "sum": sketch.sum,
                "mean": sketch.sum / sketch.count if sketch.count else None,
                "min": sketch.min if sketch.count else None,
                "max": sketch.max if sketch.count else None,
                "p50": sketch.quantile(0.50),
                "p95": sketch.quantile(0.95),
                "p99": sketch.quantile(0.99),
            }

    def cumulative(self) -> tuple[list[tuple[float, int]], float, int]:
        """([(upper bound, values up to it)] with +Inf last, sum, count): as Prometheus wants them."""
        with self._lock:
            counts = list(accumulate(self._buckets))
            return list(zip((*self._bounds, math.inf), counts, strict=True)), self._sketch.sum, self._sketch.count
