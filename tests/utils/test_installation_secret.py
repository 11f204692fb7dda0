"""The secret of an installation: one for all its processes, another for every other, and nobody else's business."""

import stat
import threading
from pathlib import Path

import pytest

from utils.installation_secret import installation_secret


def test_it_stays_the_same_and_is_another_one_elsewhere(tmp_path: Path) -> None:
    """64 hex digits, in a file that only its owner reads."""
    (tmp_path / "other").mkdir()

    secret = installation_secret(tmp_path)

    assert len(secret) == 64
    assert int(secret, 16) > 0
    assert installation_secret(tmp_path) == secret
    assert installation_secret(tmp_path / "other") != secret
    assert stat.S_IMODE((tmp_path / "installation.key").stat().st_mode) == 0o600


def test_who_asks_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    """Sixteen threads at a fresh directory."""
    together = threading.Barrier(16)
    found: list[str] = []

    def ask() -> None:
        together.wait()
        found.append(installation_secret(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 16
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    "damage", [b"", b"abc\n", b"\xff" * 64 + b"\n", b"0" * 64], ids=["empty", "cut", "bytes", "torn"]
)
def test_a_damaged_one_is_replaced(tmp_path: Path, damage: bytes) -> None:
    """What was kept under the old one is not found again; nothing else is lost."""
    (tmp_path / "installation.key").write_bytes(damage)

    secret = installation_secret(tmp_path)

    assert len(secret) == 64
    assert installation_secret(tmp_path) == secret
