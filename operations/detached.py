"""A process of its own for one queued run or backfill, where nobody else is there to work it off."""

import os
import subprocess
import sys

from integrated_system import ROOT, IntegratedSystem
from utils.log_archive import LogArchive
from utils.log_files import LogFile

__all__ = ["start_detached"]

_detached: "list[subprocess.Popen[bytes]]" = []
"""Children that execute what was asked for, kept until they end: one that nobody asks after stays as a zombie."""


def start_detached(system: IntegratedSystem, *command: str) -> None:
    """Start a command of ours; it outlives us. What it says goes to `logs/detached.log`."""
    whole = [sys.executable, str(ROOT / "integrated_system.py"), *command]
    whole += ["--state-dir", str(system.state_dir)]
    whole += ["--config", str(system.loaded.main)]
    folder = system.state_dir / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    _detached[:] = [child for child in _detached if child.poll() is None]
    kept = system.settings.retention.logs
    path = folder / "detached.log"
    archive = LogArchive(folder, files=kept.files, age=kept.age)
    # While the child holds it, nobody compresses what it still writes to.
    with os.fdopen(LogFile(path, size=kept.size, archive=archive).rotate(system.clock.time()), "ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            whole, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _detached.append(child)
