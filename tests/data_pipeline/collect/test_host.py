"""This machine as a provider."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_pipeline.collect.host import COLUMNS, HostCollector, Options
from tests.data_pipeline.collect.requests import Calls, make_request
from utils.clock import ManualClock


def test_one_sample_is_one_row() -> None:
    """Its columns are those that readers know, its source is the host, and it was asked once."""
    collector, calls, clock = HostCollector(), Calls(), ManualClock()
    provider = collector.provider_of(Options(), "this_host")
    collected = collector.collect(make_request(Options(), Path(), provider=provider, call=calls, clock=clock))
    collector.close()

    assert collected.rows is not None
    (batch,) = collected.rows()
    (row,) = batch.to_pylist()
    assert tuple(row) == COLUMNS
    assert row["time"] == clock.now()
    assert 0 <= row["memory_percent"] <= 100
    assert math.isfinite(row["process_threads"])
    assert (calls.providers, collected.provenance.attempts) == (["host"], 1)
    assert len(collected.provenance.content_sha256) == 64


def test_the_disk_is_that_of_the_folder_that_is_named(tmp_path: Path) -> None:
    """A folder that is not there has no disk; one beside the configuration has."""
    (tmp_path / "data").mkdir()
    collector, clock = HostCollector(), ManualClock()
    free = []
    for disk in ("data", "nowhere"):
        options = Options(disk=Path(disk))
        request = make_request(options, tmp_path, base=tmp_path, provider="host", call=Calls(), clock=clock)
        rows = collector.collect(request).rows
        assert rows is not None
        free.append(next(iter(rows())).to_pylist()[0]["disk_free_bytes"])
    collector.close()

    assert free[0] > 0
    assert free[1] is None


def test_host_takes_no_other_options() -> None:
    """What is misspelt is not left out silently."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        Options.model_validate({"every": "1s"})
