"""Fixtures of the API's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from tests.api.serving import served
from tests.integration.installation import Installation

UNBOUND = {"rate_limit": {"rate": 1e6, "burst": 1_000_000}}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation with one dataset, which has not run."""
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, api=UNBOUND)
    return made


@pytest.fixture
def system(installation: Installation) -> Iterator[IntegratedSystem]:
    with installation.system() as made:
        yield made


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server over an installation of its own. Tests read, and leave it as it is."""
    made = Installation(tmp_path_factory.mktemp("served"))
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, api=UNBOUND)
    with made.system() as system, served(system) as url:
        yield url
