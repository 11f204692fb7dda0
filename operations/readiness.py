"""Can this installation take work now? Quick to say, and asked every few seconds by whoever sends work here."""

import shutil
from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.words import size
from utils.database import StateError

__all__ = ["Checked", "Readiness", "ready"]

LEAST_ROOM = 16 * 2**20
"""Bytes below which the next commit may not find room."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Readiness:
    """All of them; `ready` when each is well."""

    checks: tuple[Checked, ...]

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"ready": self.ready, "checks": [check.to_json() for check in self.checks]}


def ready(system: IntegratedSystem) -> Readiness:
    """Whether the database has our tables, the log can be written, and there is room for it."""
    return Readiness((_tables(system), _log(system), _room(system)))


def _tables(system: IntegratedSystem) -> Checked:
    """The database brings its tables up to date when it is opened; one of a newer release refuses."""
    try:
        system.database.query("SELECT 1 FROM checkpoints LIMIT 1")
    except StateError as error:
        return Checked("migrations", False, system.loaded.known.redacted(str(error)))
    return Checked("migrations", True, "done")


def _log(system: IntegratedSystem) -> Checked:
    """A transaction that changes nothing takes the turn of a writer, and is refused where nothing can be written."""
    try:
        with system.database.transaction() as connection:
            connection.execute("UPDATE checkpoints SET seq = seq WHERE name = ?", ("",))
    except StateError as error:
        return Checked("log", False, system.loaded.known.redacted(str(error)))
    return Checked("log", True, "can be written")


def _room(system: IntegratedSystem) -> Checked:
    try:
        free = shutil.disk_usage(system.state_dir).free
    except OSError as error:
        return Checked("disk", False, f"{system.state_dir}: {error.strerror}")
    return Checked("disk", free >= LEAST_ROOM, f"{size(free)} free")
