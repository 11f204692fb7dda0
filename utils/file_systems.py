"""Which file system a path lies on, and whether that is one where locks cannot be trusted."""

import os
import re
from pathlib import Path

MOUNTS = "/proc/self/mountinfo"

_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "9p", "gfs2", "glusterfs"),
    *("beegfs", "gpfs", "ocfs2", "orangefs", "pvfs2", "vboxsf", "prl_fs"),
}
_NETWORK_FUSE = tuple(f"fuse.{name}" for name in ("sshfs", "glusterfs", "s3fs", "rclone", "gcsfuse", "ceph", "juicefs"))


def network_file_system(path: Path, mounts: str = MOUNTS) -> str:
    """The type of the network file system that holds `path`; "" when it is a local one, or nobody tells.

    SQLite's locks and shared memory are not reliable over a network.
    """
    kind = file_system_of(path, mounts)
    return kind if kind in _NETWORK or kind.startswith(_NETWORK_FUSE) else ""


def file_system_of(path: Path, mounts: str = MOUNTS) -> str:
    """The type of the file system that holds `path`, which need not exist yet ("" where the system does not tell)."""
    try:
        lines = Path(mounts).read_bytes().splitlines()
    except OSError:
        return ""
    target, best, kind = os.fsencode(path.resolve()), b"", b""
    for line in lines:
        before, _, after = line.partition(b" - ")
        # Spaces and the like in a mount point are written as octal numbers.
        mount = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), before.split(b" ")[4])
        inside = target == mount or target.startswith(mount.rstrip(b"/") + b"/")
        if inside and len(mount) >= len(best):  # of two mounts on one point, the later hides the earlier
            best, kind = mount, after.split(b" ")[0]
    return kind.decode()
