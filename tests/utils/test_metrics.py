"""Counters, gauges, histograms: exact under threads, right in text and JSON, bounded in memory."""

import json
import math
import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.clock import ManualClock
from utils.metrics import Metrics, MetricsError
from utils.quantiles import QuantileSketch


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=ManualClock())


def test_a_counter_counts_per_label(metrics: Metrics) -> None:
    """Each combination of labels has its own number."""
    rows = metrics.counter("rows_total", labels=("dataset",))
    rows.inc(dataset="a")
    rows.inc(2.5, dataset="a")
    rows.labels(dataset="b").inc(4)

    assert rows.value(dataset="a") == 3.5
    assert rows.value(dataset="b") == 4


@pytest.mark.parametrize("amount", [-1, -0.001, math.nan])
def test_a_counter_only_grows(metrics: Metrics, amount: float) -> None:
    """Counting down is refused and changes nothing."""
    counter = metrics.counter("c_total")

    with pytest.raises(MetricsError, match="gauge"):
        counter.inc(amount)

    assert counter.value() == 0


def test_a_gauge_goes_both_ways_and_may_ask(metrics: Metrics) -> None:
    """Set, up, down, or a function read at export; a failing function is NaN, not an error."""
    gauge = metrics.gauge("g")
    gauge.set(5)
    gauge.inc()
    gauge.dec(2)
    assert gauge.value() == 4

    gauge.labels().set_function(lambda: 7)
    assert gauge.value() == 7
    gauge.labels().set_function(lambda: 1 / 0)
    assert math.isnan(gauge.value())
    assert metrics.to_json()["g"]["series"] == [{"labels": {}, "value": None}]
    assert metrics.to_prometheus() == "# TYPE g gauge\ng NaN\n"


def test_asking_again_gives_the_same_metric(metrics: Metrics) -> None:
    """A name stands for one metric; another kind or other labels are a clash."""
    first = metrics.counter("x_total", labels=("a",))

    assert metrics.counter("x_total", labels=("a",)) is first
    with pytest.raises(MetricsError, match=r"x_total is a counter.*gauge"):
        metrics.gauge("x_total", labels=("a",))
    with pytest.raises(MetricsError, match="x_total"):
        metrics.counter("x_total", labels=("b",))


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ä", "a\n"])
def test_a_bad_name_is_refused(metrics: Metrics, name: str) -> None:
    """Prometheus would reject the whole page."""
    with pytest.raises(MetricsError, match="name"):
        metrics.counter(name)


@pytest.mark.parametrize("labels", [("1a",), ("__x",), ("a-b",), ("a", "a"), ("a:b",)])
def test_bad_labels_are_refused(metrics: Metrics, labels: tuple[str, ...]) -> None:
    """Label names follow Prometheus's rules."""
    with pytest.raises(MetricsError, match="label"):
        metrics.counter("x_total", labels=labels)


@pytest.mark.parametrize("given_labels", [{}, {"a": "1"}, {"a": "1", "c": "2"}, {"a": "1", "b": "2", "c": "3"}])
def test_other_labels_than_declared_are_refused(metrics: Metrics, given_labels: dict[str, str]) -> None:
    """The message names both lists."""
    counter = metrics.counter("x_total", labels=("a", "b"))

    with pytest.raises(MetricsError, match=r"\['a', 'b'\] declared"):
        counter.inc(**given_labels)  # type: ignore[arg-type]  # mypy takes the labels for the amount


def test_threads_lose_no_count(metrics: Metrics) -> None:
    """Eight threads, 2,000 counts each: 16,000."""
    counter = metrics.counter("c_total", labels=("who",))
    histogram = metrics.histogram("h_seconds")

    def work(number: int) -> None:
        bound = counter.labels(who=str(number % 2))
        for _ in range(2_000):
            bound.inc()
            histogram.observe(0.1)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counter.value(who="0") == counter.value(who="1") == 8_000
    assert histogram.statistics()["count"] == 16_000


def test_a_count_is_quick(metrics: Metrics) -> None:
    """An increment of a bound series costs a few microseconds of processor time at most."""
    bound = metrics.counter("c_total", labels=("d",)).labels(d="x")
    best = math.inf
    for _ in range(5):
        started = time.process_time()
        for _ in range(10_000):
            bound.inc()
        best = min(best, (time.process_time() - started) / 10_000)

    assert best < 5e-6  # a fifth of one where it was written


def test_the_prometheus_text_is_exact(metrics: Metrics) -> None:
    """Order, HELP, TYPE, escaping, cumulative buckets, +Inf, sum and count."""
    metrics.counter("rows", "Rows\nof \\ all.", labels=("path",)).inc(3, path='a"b\\c\nd')
    metrics.gauge("free_bytes").set(1.5e20)
    histogram = metrics.histogram("wait_seconds", "Wait.", labels=("p",), buckets=(0.5, 1, 2.5))
    for value in (0.5, 0.7, 9.0):
        histogram.observe(value, p="x")

    assert metrics.to_prometheus() == (
        "# TYPE free_bytes gauge\n"
        "free_bytes 1.5e+20\n"
        "# HELP rows_total Rows\\nof \\\\ all.\n"
        "# TYPE rows_total counter\n"
        'rows_total{path="a\\"b\\\\c\\nd"} 3\n'
        "# HELP wait_seconds Wait.\n"
        "# TYPE wait_seconds histogram\n"
        'wait_seconds_bucket{p="x",le="0.5"} 1\n'
        'wait_seconds_bucket{p="x",le="1"} 2\n'
        'wait_seconds_bucket{p="x",le="2.5"} 2\n'
        'wait_seconds_bucket{p="x",le="+Inf"} 3\n'
        'wait_seconds_sum{p="x"} 10.2\n'
        'wait_seconds_count{p="x"} 3\n'
    )


@settings(max_examples=few(60))
@given(values=st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_any_label_value_stays_on_its_line(values: list[str]) -> None:
    """Whatever a value holds, the text has one sample line a series, and the value can be read back."""
    metrics = Metrics()
    for value in values:
        metrics.counter("c_total", labels=("v",)).inc(v=value)

    samples = metrics.to_prometheus().split("\n")[1:-1]

    assert len(samples) == len(values)
    for line, value in zip(samples, values, strict=True):
        match = re.fullmatch(r'c_total\{v="((?:[^"\\]|\\.)*)"\} 1', line, re.DOTALL)
        assert match is not None
        read = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[1])
        assert read == value


def test_the_json_form_is_json(metrics: Metrics) -> None:
    """Statistics of histograms with p50, p95, p99; `None` where nothing was observed."""
    histogram = metrics.histogram("h_seconds", labels=("d",))
    for i in range(1, 101):
        histogram.observe(i / 100, d="x")
    histogram.labels(d="empty")

    series = json.loads(json.dumps(metrics.to_json(), allow_nan=False))["h_seconds"]["series"]

    full, empty = series
    assert full["labels"] == {"d": "x"}
    assert (full["count"], full["min"], full["max"]) == (100, 0.01, 1.0)
    assert full["sum"] == pytest.approx(50.5)
    assert full["p50"] == pytest.approx(0.505, rel=0.03)
    assert full["p95"] == pytest.approx(0.95, rel=0.02)
    assert full["p99"] == pytest.approx(0.99, rel=0.02)
    assert (empty["count"], empty["mean"], empty["p99"]) == (0, None, None)


def test_a_histogram_times_blocks_also_failing_ones() -> None:
    """By the injected clock."""
    clock = ManualClock()
    histogram = Metrics(clock=clock).histogram("h_seconds")

    with histogram.time():
        clock.advance(2)

    @histogram.time()
    def fail() -> None:
        clock.advance(4)
        raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        fail()

    assert histogram.statistics()["sum"] == 6.0
    assert histogram.statistics()["count"] == 2


def test_nan_and_infinity_are_not_observed(metrics: Metrics) -> None:
    """They would make sum and mean useless for ever."""
    histogram = metrics.histogram("h")
    for value in (math.nan, math.inf, -math.inf, 1.0):
        histogram.observe(value)

    assert histogram.statistics()["count"] == 1
    assert histogram.statistics()["sum"] == 1.0


@pytest.mark.parametrize("buckets", [(1, 1), (2, 1), (math.nan, 1)])
def test_buckets_must_rise(metrics: Metrics, buckets: tuple[float, ...]) -> None:
    """Prometheus needs them in order."""
    with pytest.raises(MetricsError, match="rise"):
        metrics.histogram("h", buckets=buckets)


def test_the_label_le_is_the_histograms_own(metrics: Metrics) -> None:
    """It would clash with the buckets."""
    with pytest.raises(MetricsError, match="'le'"):
        metrics.histogram("h", labels=("le",))


def test_the_number_of_series_is_bounded(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels from data cannot fill the memory: what is too much is counted together."""
    monkeypatch.setattr("utils.metrics._MAX_SERIES", 10)
    counter = metrics.counter("c_total", labels=("id",))
    for i in range(100):
        counter.inc(id=str(i))

    series = counter.series()
    assert len(series) == 11
    assert sum(one.value for _, one in series) == 100
    assert counter.value(id="_other") == 90


def test_a_removed_series_is_gone(metrics: Metrics) -> None:
    """A dataset that is no longer declared can leave the page."""
    counter = metrics.counter("c_total", labels=("d",))
    counter.inc(d="x")

    counter.remove(d="x")

    assert metrics.to_prometheus() == "# TYPE c_total counter\n"


@settings(max_examples=few(100))
@given(
    values=st.lists(st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-6), min_size=1, max_size=200),
    q=st.floats(0, 1),
)
def test_a_quantile_is_within_one_percent(values: list[float], q: float) -> None:
    """For any values and any rank the sketch is at most 1 % off the exact value of that rank."""
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)

    answer = sketch.quantile(q)

    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    assert answer is not None
    assert answer == pytest.approx(exact, rel=0.0101, abs=1e-9)
    assert min(values) <= answer <= max(values)


def test_a_sketch_stays_small() -> None:
    """Over a hundred decades the bins are bounded and high quantiles stay right."""
    sketch = QuantileSketch()
    values = [10 ** (i / 50 - 8) for i in range(5_000)]
    for value in values:
        sketch.add(value)

    assert len(sketch._bins) <= 2_048
    assert sketch.quantile(0.99) == pytest.approx(values[int(0.99 * 4_999)], rel=0.011)
    assert QuantileSketch().quantile(0.5) is None


def test_many_values_are_set_at_once(metrics: Metrics) -> None:
    """As if each had been set by its labels; other than the declared ones are refused."""
    gauge = metrics.gauge("rows", labels=("dataset", "place"))
    gauge.set(1, dataset="fx", place="here")
    gauge.set_all({("fx", "here"): 2.0, ("fx", 'th"ere'): 3.0})

    assert metrics.to_prometheus().splitlines()[1:] == [
        'rows{dataset="fx",place="here"} 2',
        'rows{dataset="fx",place="th\\"ere"} 3',
    ]
    with pytest.raises(MetricsError, match="are not values of"):
        gauge.set_all({("fx",): 1.0})


def test_many_counts_are_made_at_once(metrics: Metrics) -> None:
    """As if each had been counted by its labels; other than the declared ones and negative amounts are refused."""
    counter = metrics.counter("calls_total", labels=("provider",))
    counter.inc(1, provider="a")
    counter.inc_all({("a",): 2.0, ("b",): 0.0})

    assert counter.as_json() == [
        {"labels": {"provider": "a"}, "value": 3.0},
        {"labels": {"provider": "b"}, "value": 0.0},
    ]
    with pytest.raises(MetricsError, match="are not values of"):
        counter.inc_all({(): 1.0})
    with pytest.raises(MetricsError, match="only grows"):
        counter.inc_all({("a",): -1.0})


def test_a_registry_may_include_another(metrics: Metrics) -> None:
    """Told in one list by name; what is counted later is told as well."""
    other = Metrics()
    count = other.counter("b_total")
    metrics.gauge("c").set(3)
    metrics.gauge("a").set(1)
    metrics.include(other)
    count.inc(2)

    assert [line for line in metrics.to_prometheus().splitlines() if line[0] != "#"] == ["a 1", "b_total 2", "c 3"]
