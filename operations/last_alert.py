"""The alert for when the log cannot be written: it goes out from memory, to every channel at once."""

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path

from integrated_system import IntegratedSystem
from monitoring.alerting.alert import Alert, AlertType
from monitoring.alerting.alert_files import AlertFiles
from monitoring.alerting.message.message import LONGEST_TITLE, Message, Part
from utils.database import StateError
from utils.events import rfc3339, uuid7
from utils.logger import get_logger
from utils.one_line import one_line

__all__ = ["alert_from_memory"]

WITHIN_S = 10.0
"""How long channels are waited for."""

ONCE_IN_S = 3600.0
"""A crontab begins anew every minute; the disk is full all the same."""


def alert_from_memory(system: IntegratedSystem, error: StateError) -> bool:
    """Tell every channel that the log cannot be written; whether somebody was told.

    Nothing is kept, and nothing tried again: there is nowhere to keep it. Within an hour it is told once, as far as
    that can be remembered.
    """
    channels = system.alert_channels
    if not channels or _was_told(system):
        return False
    redacted, app = system.loaded.known.redacted, system.settings.app.name
    why = one_line(redacted(str(error)), 300)
    title = one_line(f"CRITICAL: {app}: the log cannot be written, no run starts: {why}", LONGEST_TITLE)
    parts = [Part("", f"{why}. No run starts until it can be written again; readers are served what there is.")]
    if error.hint:
        parts.append(Part("Do", one_line(redacted(error.hint), 300)))
    identity = uuid7(system.clock.time())
    message = Message("notice", "critical", title, tuple(parts), f"critical · {app} · sent without the log")
    with contextlib.suppress(OSError, StateError):
        time = rfc3339(system.clock.now())
        alert = Alert(identity, time, "critical", AlertType.CRITICAL, title, message.text, "state")
        AlertFiles(system.alerts_dir).write(alert)
    told: list[str] = []

    def send(name: str) -> None:
        outcome = channels[name].send(message, f"{identity}:{name}")
        if outcome.state == "sent":
            told.append(name)
        else:
            get_logger("alerts").error("alert.not_sent", channel=name, reason=outcome.error)

    threads = [threading.Thread(target=send, args=(name,), name=f"alert:{name}", daemon=True) for name in channels]
    for thread in threads:
        thread.start()
    until = system.clock.monotonic() + WITHIN_S
    for thread in threads:
        thread.join(min(WITHIN_S, max(0.0, until - system.clock.monotonic())))
    return bool(told)


def _was_told(system: IntegratedSystem) -> bool:
    """Whether it was told within the last hour, by this process or another; notes that it is told now.

    By the time of an empty file: of the state, or, should that take none, where temporary files go.
    """
    now = system.clock.time()
    marks: list[Path] = []
    with contextlib.suppress(OSError, StateError):
        marks.append(system.alerts_dir / ".told")
    with contextlib.suppress(OSError):  # none of the usual places can be written
        marks.append(Path(tempfile.gettempdir(), f"orchestrator-{_name(system)}.told"))
    for mark in marks:
        with contextlib.suppress(OSError):
            about = mark.lstat()
            if about.st_uid == os.getuid() and 0.0 <= now - about.st_mtime < ONCE_IN_S:
                return True
    for mark in marks:
        with contextlib.suppress(OSError):
            mark.parent.mkdir(mode=0o700, exist_ok=True)
            # Where temporary files go, somebody else may have laid a link under this name.
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            os.utime(mark, (now, now), follow_symlinks=False)
            break
    return False


def _name(system: IntegratedSystem) -> str:
    place = str(system.config or system.loaded.main)
    return hashlib.sha256(place.encode()).hexdigest()[:12]
