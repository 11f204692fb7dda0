"""Fixtures of the integration tests."""

from pathlib import Path

import pytest

from tests.integration import feed as provider
from tests.integration.installation import Installation
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
