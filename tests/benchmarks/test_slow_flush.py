"""A disk slowed down for a process: its flushes take as long as was said, or longer."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import events_waiting
from benchmarks.measure import ROOT, environment
from benchmarks.slow_flush import slowed

FLUSH = "import sys, pathlib, benchmarks.machine as m; print(m.flush_time(pathlib.Path(sys.argv[1])))"


def test_a_flush_takes_as_long_as_was_said(tmp_path: Path) -> None:
    """In the process that was given the variables."""
    variables = slowed(tmp_path, 0.004)
    assert variables is not None, "there is a C compiler where tests run"

    done = subprocess.run(
        [sys.executable, "-c", FLUSH, tmp_path], capture_output=True, check=True, cwd=ROOT, env=environment(variables)
    )

    assert float(done.stdout) >= 0.004


def test_without_a_compiler_the_figures_say_that_they_were_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of this disk are there."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    told = events_waiting.waiting(tmp_path, 0.02)

    assert told["waiting_16_power_at_4ms_per_s"] == {"ours": None}
    assert all(value for value in told["waiting_16_power_per_s"].values())
