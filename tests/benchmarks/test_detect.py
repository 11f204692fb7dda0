"""The detection benchmark: where it looks for labelled series, what it asks of a measure, which targets are met."""

import json
from pathlib import Path

import pytest

from benchmarks import detect, detect_work
from benchmarks.measure import BenchmarkError

MEASURE = """
import pandas as pd
import importlib

def load_index(folder):
    return pd.DataFrame({"source": ["A"] * 20 + ["B"] * 5})

def evaluate(folders, target, mode):
    module, _, name = target.partition(":")
    answer = getattr(importlib.import_module(module), name)([1.0, 2.0], [0, 60], 1)
    shared = {"vus_pr": answer, "seconds_per_10k": 0.5, "source_mean_vus_pr": float(len(load_index(folders[0])))}
    return None, shared if mode == "batch" else {"vus_pr": answer, "nab": 60.0}
"""


def test_labelled_series_are_found_beside_the_program(tmp_path: Path) -> None:
    """A folder with both the series and what measures them; without one the error says what belongs where."""
    with pytest.raises(BenchmarkError, match=r"put data/anomaly/index\.csv and bench/anomaly_eval\.py into a folder"):
        detect.found(tmp_path)
    for name in ("data/anomaly/index.csv", "bench/anomaly_eval.py"):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True)
        path.touch()

    assert detect.found(tmp_path) == (
        tmp_path / "corpus/data/anomaly",
        tmp_path / "corpus/bench/anomaly_eval.py",
    )


def test_figures_have_our_names_and_the_short_form_takes_a_tenth_of_each_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both modes are measured, by the function that was given for each."""
    path = tmp_path / "measure.py"
    path.write_text(MEASURE)

    detect_work.perform(
        ["ours", str(path), "corpus", "10"], {"batch": lambda *_: 0.7, "causal": lambda values, *_: sum(values)}
    )

    assert json.loads(capsys.readouterr().out) == {
        "vus_pr": 0.7,
        "vus_pr_of_sources": 3.0,  # two of twenty, one of five
        "s_per_100k": 5.0,
        "causal_vus_pr": 3.0,
        "nab": 60.0,
    }


def test_targets_are_judged_by_our_figures() -> None:
    """A figure that was not measured meets nothing and misses nothing."""
    result = detect.compared({"ours": {"vus_pr": 0.71, "nab": 40.0}, "lof": {"vus_pr": 0.4}}, {}, (0.0, 0.0))

    assert (result.met["vus_pr"], result.met["nab"], result.met["s_100k"]) == (True, False, None)
    assert result.ratios["vus_pr / lof"] == pytest.approx(1.775)
