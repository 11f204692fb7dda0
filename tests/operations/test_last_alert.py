"""The mark that says an alert from memory was told: where it lies when the state takes none."""

import tempfile
from pathlib import Path

import pytest

from operations import last_alert
from tests.integration.installation import Installation


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Installation, Path]:
    """An installation whose alerts cannot be kept, and the place of the mark among temporary files."""
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}})
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    with made.system() as system:
        made.state.mkdir()
        made.state.joinpath("alerts").write_text("a file where the folder should be")
        return made, shared / f"orchestrator-{last_alert._name(system)}.told"


def test_what_was_told_within_the_hour_is_known(told: tuple[Installation, Path]) -> None:
    """By an empty file of our own."""
    installation, mark = told
    with installation.system() as system:
        assert [last_alert._was_told(system), last_alert._was_told(system)] == [False, True]
    assert (mark.read_bytes(), mark.stat().st_mode & 0o777) == (b"", 0o600)


def test_no_link_of_somebody_else_is_followed(
    told: tuple[Installation, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lays one where temporary files go has no file made, and none touched, in our name."""
    installation, mark = told
    victim, missing = tmp_path / "victim", tmp_path / "missing"
    victim.write_text("mine")
    monkeypatch.setattr("os.getuid", lambda: 12345)  # the link is not ours
    before = victim.stat()
    with installation.system() as system:
        for target in (victim, missing):
            mark.unlink(missing_ok=True)
            mark.symlink_to(target)
            assert not last_alert._was_told(system)

    assert not missing.exists()
    assert victim.stat().st_mtime_ns == before.st_mtime_ns
