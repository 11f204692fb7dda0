"""A world of schedules for each test, on SQLite and on PostgreSQL where that may differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data_pipeline.scheduling.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """On SQLite."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def each_world(tmp_path: Path, address: str) -> Iterator[World]:
    """On each of the databases."""
    made = World(tmp_path, address)
    yield made
    made.close()
