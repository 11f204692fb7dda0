"""What only this installation knows: names and signs what it keeps in a place that others can write to."""

import os
import re
import secrets
from pathlib import Path

from utils.file_lock import FileLock

__all__ = ["installation_secret", "known_secret"]


def installation_secret(directory: Path) -> str:
    """64 hex digits, made at the first call and kept in `installation.key`; the same for all processes of a state.

    Raises:
        OSError: The directory cannot be read or written.
    """
    path = directory / "installation.key"
    if (known := known_secret(directory)) is None:
        with FileLock(directory / ".installation.key.lock"):
            # Or it is damaged: what was kept under the old one is not found again.
            if (known := known_secret(directory)) is None:
                known = secrets.token_hex(32)
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(fd, "w") as file:
                    file.write(f"{known}\n")
    return known


def known_secret(directory: Path) -> str | None:
    """The same, when it was made already; None: it was not, or is damaged."""
    try:
        found = (directory / "installation.key").read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    return found[:64] if re.fullmatch(r"[0-9a-f]{64}\n", found) else None
