"""Fixtures of the integration tests."""

from pathlib import Path

import pytest

from tests.integration.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)
