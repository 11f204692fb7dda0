"""The work of the detection benchmark: score labelled series and measure what the scores are worth.

Imports nothing of ours: the peers do it in their own environment. The measures are those of the file MEASURE (a
module with `evaluate(folders, target, mode=..., ...)`), and so is the form of the corpus. The answer is one line of
JSON on the standard output: figure -> value.
"""

import importlib.util
import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Score = Callable[[Any, Any, int], Any]

BATCH = {
    "vus_pr": "vus_pr",
    "source_mean_vus_pr": "vus_pr_of_sources",
    "vus_pr_short": "vus_pr_short",
    "vus_pr_long": "vus_pr_long",
    "recall_1fa": "recall_at_1_false",
}
CAUSAL = {
    "vus_pr": "causal_vus_pr",
    "own_recall": "own_recall",
    "own_false_per_1000": "own_false_per_1000",
    "nab": "nab",
}


def perform(arguments: Sequence[str], detectors: Mapping[str, Score]) -> None:
    """`arguments`: MEASURE CORPUS EVERY, the last three; `detectors`: mode (`batch`, `causal`) -> function."""
    measure, corpus, every = arguments[-3:]
    harness = _harness(Path(measure), int(every))
    stage = types.ModuleType("detectors_under_measure")
    sys.modules[stage.__name__] = stage
    told: dict[str, float] = {}
    for mode, function in detectors.items():
        setattr(stage, mode, function)
        _, totals = harness.evaluate([corpus], f"{stage.__name__}:{mode}", mode=mode)
        names = BATCH if mode == "batch" else CAUSAL
        told.update({ours: float(totals[theirs]) for theirs, ours in names.items() if theirs in totals})
        if mode == "batch":
            told["s_per_100k"] = 10.0 * float(totals["seconds_per_10k"])
    print(json.dumps(told))


def _harness(path: Path, every: int) -> Any:
    """The module at `path`, which then takes every so many-th series of each source."""
    spec = importlib.util.spec_from_file_location("measure_of_detectors", path)
    assert spec is not None
    assert spec.loader is not None
    harness = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = harness
    spec.loader.exec_module(harness)
    if every > 1:
        whole = harness.load_index

        def some(folder: str) -> Any:
            index = whole(folder)
            return index[index.groupby("source").cumcount() % every == 0].reset_index(drop=True)

        harness.load_index = some  # type: ignore[attr-defined]
    return harness
