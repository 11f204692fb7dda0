"""Sampling for days takes no more memory than sampling for a minute."""

import gc
import shutil
import tracemalloc
from pathlib import Path

import pytest

import utils.host
from tests.utils.host.table import put
from utils.clock import ManualClock
from utils.host import MetricsCollector
from utils.host.history import HostPoints
from utils.host.processes import ProcessTable
from utils.host.recent import Recent

OURS = tracemalloc.Filter(True, str(Path(utils.host.__file__).parent / "*"), all_frames=True)
"""What somebody else allocates meanwhile does not count: names of the paths that the test makes, other threads."""


@pytest.mark.parametrize(
    ("samples", "most"),
    [(150, 60_000), pytest.param(20_000, 1_000_000, marks=pytest.mark.prove)],
    ids=["short", "full"],
)
def test_the_memory_of_a_sampler_is_flat(tmp_path: Path, samples: int, most: int) -> None:
    """Processes come and go all the while; what was known of the dead is forgotten."""
    clock, recent, points = ManualClock(), Recent(), HostPoints()
    collector = MetricsCollector(clock, processes=ProcessTable(clock, proc=tmp_path))

    def sample(number: int) -> None:
        shutil.rmtree(tmp_path / str(number - 20), ignore_errors=True)
        put(tmp_path, number, f"job-{number}", started=number, cpu=number % 7, command=("job", str(number)))
        taken = collector.collect()
        recent.note(taken, clock.monotonic())
        points.note(taken, clock.monotonic())
        clock.advance(5.0)

    for number in range(1000, 1040):
        sample(number)
    tracemalloc.start(8)
    try:
        before = _kept()
        for number in range(1040, 1040 + samples):
            sample(number)
        grown = _kept() - before
    finally:
        tracemalloc.stop()

    assert grown < most, f"{grown:,}"


def _kept() -> int:
    """Bytes that the sampler, or what it called, has allocated and not given back."""
    gc.collect()
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([OURS]).traces)
