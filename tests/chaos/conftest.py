"""Fixtures of the chaos tests."""

from pathlib import Path

import pytest

from tests.chaos.state import Battered


@pytest.fixture
def battered(tmp_path: Path) -> Battered:
    return Battered(tmp_path, tmp_path / "state")
