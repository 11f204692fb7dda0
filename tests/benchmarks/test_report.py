"""The report over all benchmarks: who is ahead, what is behind and why, what could not be measured."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.comparison import Comparison, Target, compare

TARGETS = (Target("append_per_s", ">= 1 x slow", at_least=1, of="slow"), Target("start_ms", "<= 1", 1))


@pytest.fixture
def result() -> Comparison:
    told = {
        "ours": {"append_per_s": 300.0, "start_ms": 5.0, "cpu_us_a_line": 4.0, "heard": 2.0},
        "slow": {"append_per_s": 100.0, "start_ms": 50.0, "cpu_us_a_line": 16.0, "heard": 1.0},
        "quick": {"append_per_s": 200.0, "start_ms": 4.0},
    }
    return compare("demo", TARGETS, told, {"cores": 2}, (0.1, 0.2))


def test_each_figure_stands_beside_the_best_peer_by_what_its_unit_calls_better(result: Comparison) -> None:
    """A rate is better when it is larger, a time when it is smaller; of a mere number nobody knows."""
    found = {one.figure: (one.peer, one.times) for one in report.standings([result])}
    assert found == {
        "append_per_s": ("quick", 1.5),
        "start_ms": ("quick", 0.8),
        "cpu_us_a_line": ("slow", 4.0),
    }


def test_what_is_behind_or_missed_stands_first_with_its_reason(
    result: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without one it says so."""
    told = report.to_markdown([result], {"other": "no browser"}, short=False)
    assert "2 of 3 figures that a peer has as well are ahead" in told
    assert "| demo: start_ms | 5 | quick 4 | 0.80 times as good | **no reason is known** |" in told
    assert "| demo: start_ms | 5 | <= 1 | **no reason is known** |" in told
    assert "other could not be measured: no browser" in told
    assert "append_per_s / slow" not in told
    monkeypatch.setattr(report, "REASONS", {("demo", "start_ms"): "it checks first"})
    assert told.count("no reason") == 2
    assert "no reason" not in report.to_markdown([result], {}, short=False)


def test_a_report_is_written_of_what_could_be_measured(
    result: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plot needs no network."""
    measured = {"demo": result, "other": "exit 1"}
    monkeypatch.setattr(report, "_measured", lambda name, **_: measured[name])

    assert report.report(["demo", "other"], tmp_path / "bench", short=True, runs=None) == ["other"]

    page = (tmp_path / "bench/ahead.html").read_text()
    assert "demo: append_per_s" in page
    assert "https://cdn" not in page.partition("<body>")[2][:2000]
    assert "exit 1" in (tmp_path / "bench/figures.md").read_text()
    assert '"append_per_s": 300.0' in (tmp_path / "bench/figures.json").read_text()


def test_a_benchmark_that_cannot_be_had_is_told_in_its_last_words() -> None:
    """In a process of its own."""
    assert "invalid choice" in str(report._measured("nonsense", short=True, runs=None))
