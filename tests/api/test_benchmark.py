"""The clients of the benchmark do what they measure."""

import asyncio

import pytest

from benchmarks.api_clients import ask


def test_every_request_is_answered_and_timed(server: str) -> None:
    """So many as asked for, at the least; times in order."""
    found = asyncio.run(ask(f"{server}/api/v1/datasets", 4, 60.0, 100))

    assert found["requests"] >= 100
    assert 0.0 < found["p50_ms"] <= found["p99_ms"]


def test_what_is_not_answered_well_ends_it(server: str) -> None:
    """A benchmark of refusals would be a quick one."""
    with pytest.raises(OSError, match="404"):
        asyncio.run(ask(f"{server}/nowhere", 2, 60.0, 100))
