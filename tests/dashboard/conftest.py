"""A small installation for the tests of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from tests.dashboard.configuration import write_configuration

ACTOR = Actor("tester")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_configuration(tmp_path)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def system(config: Path, state_dir: Path) -> Iterator[IntegratedSystem]:
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        yield system


@pytest.fixture
def ran(system: IntegratedSystem) -> IntegratedSystem:
    """The same after a run of everything."""
    run(system, ACTOR)
    return system


@pytest.fixture
def source(config: Path, state_dir: Path) -> Iterator[Source]:
    source = Source(lambda: IntegratedSystem(config, state_dir=state_dir, environ={}), share_for=0.0)
    yield source
    source.close()
