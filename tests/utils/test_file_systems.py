"""Where a path lies: local disks and network file systems."""

from pathlib import Path

import pytest

from utils.file_systems import file_system_of, network_file_system

TABLE = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:45 / {folder} rw,relatime shared:2 - {kind} server:/export rw
31 22 0:46 / {folder}/local rw,relatime - ext4 /dev/other rw
"""


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_known(tmp_path: Path, kind: str) -> None:
    """By the mount a path lies under, spaces in its name included; what is mounted inside counts by itself."""
    shared = tmp_path / "shared ü"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(TABLE.format(folder=str(shared).replace(" ", r"\040"), kind=kind), encoding="utf-8")

    assert network_file_system(shared / "state", str(mounts)) == kind
    assert network_file_system(shared / "local" / "state", str(mounts)) == ""
    assert network_file_system(tmp_path, str(mounts)) == ""
    assert file_system_of(tmp_path, str(mounts)) == "ext4"


def test_without_a_mount_table_nothing_is_known(tmp_path: Path) -> None:
    """Other systems than Linux have none."""
    assert file_system_of(tmp_path, str(tmp_path / "missing")) == ""
    assert network_file_system(tmp_path, str(tmp_path / "missing")) == ""
