"""Fixtures of the integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faulty_server import FaultyServer
from tests.integration import feed as provider
from tests.integration.gating import hold
from tests.integration.installation import Installation
from tests.integration.people import GOOD
from tests.servers.s3 import bucket, own_bucket, own_s3, s3_endpoint  # noqa: F401 - fixtures


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> provider.Feed:
    """A provider in Python, new for each test."""
    made = provider.Feed()
    monkeypatch.setattr(provider, "FEED", made)
    return made


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """The provider of `people`, in good health."""
    with FaultyServer(GOOD) as running:
        yield running


@pytest.fixture
def held(installation: Installation, server: FaultyServer) -> str:
    """A good version of `people` stands, and a batch is held; gives the held version."""
    return hold(installation, server)
