"""Put a backup in the place of a state directory that is not there yet; proven before anybody sees it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_pipeline.store.results import Results
from data_pipeline.store.views import Views
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.kept import MIGRATIONS, kept
from utils.backup_file import About, BackupDamaged, unpacked
from utils.database import StateError
from utils.events import NewEvent
from utils.sqlite import explain, prepare_directory
from utils.state import PACK_BELOW, State
from utils.storage import BlobNameInvalid, Storage

__all__ = ["Found", "Restored", "proven", "restore"]

_DATABASES = ("orchestrator.db", "coordination.db")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a backup holds, proven.

    `files` of the storage, `events` of the log, `versions` that it names; `damaged`: those of them that are not whole,
    for they were not when the backup was made (dataset and version).
    """

    about: About
    files: int
    events: int
    versions: int
    damaged: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self.about),
            "files": self.files,
            "events": self.events,
            "versions": self.versions,
            "damaged": list(self.damaged),
        }


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put in place."""

    into: Path
    found: Found

    def to_json(self) -> dict[str, Any]:
        return {"state_dir": str(self.into), **self.found.to_json()}


@operation("admin")
def restore(system: IntegratedSystem, actor: Actor, path: Path, into: Path) -> Restored:
    """Make a state directory of a backup. It appears whole, or not at all.

    `system` lends its configuration (the secrets that sign the log); its own state is not touched.

    Raises:
        UsageError: `into` holds something, or the configuration names another place for what it keeps.
        StateError: the backup is damaged, or a newer release's; or it cannot be written there.
    """
    if system.settings.database.url or system.settings.storage.folder:
        raise UsageError(
            "restore puts back a state directory; this configuration keeps its state elsewhere",
            hint="restore with a configuration without database.url, and storage.url empty or in a bucket",
        )
    into = into.absolute()
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"{into}: is not empty", hint="move it away, or name another folder with --into")
    folder = into.with_name(f".{into.name}.restoring-{os.urandom(4).hex()}")
    try:
        with _staged(system, path, folder) as (state, found):
            data = {"actor": actor.name, "from": path.name, **found.to_json()}
            state.events.append([NewEvent("state.restored", "state", data, source="operations")])
        folder.replace(into)
    except OSError as error:
        raise explain(error, into) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Restored(into, found)


def proven(system: IntegratedSystem, path: Path, folder: Path) -> Found:
    """What a backup holds. It is unpacked into a folder that is not there yet, whose content is for nobody.

    Raises:
        StateError: it is damaged, or a newer release's.
    """
    with _staged(system, path, folder) as (_, found):
        return found


@contextmanager
def _staged(system: IntegratedSystem, path: Path, folder: Path) -> Iterator[tuple[State, Found]]:
    """The state that a backup holds, in a folder, with its files, the log's chain and all versions proven."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file", hint="name a file that `backup` made")
    prepare_directory(folder)
    about, files = _unpack(path, folder)
    settings = system.settings
    own = kept(settings, folder, system.loaded.known)
    own = replace(own, storage=folder / "storage", object_store=None, database_url="", cache_url="")
    with State(lambda: own, system.clock) as state:
        verified = state.events.verify(about.head if not about.head.startswith("0:") else None)
        if verified.fault is not None:
            raise BackupDamaged(f"{path}: its log is not whole: {verified.fault}", hint="use another backup")
        views = Views(state.database)
        results = Results(state.storage, views)
        versions = views.versions()
        damaged = tuple(f"{one.dataset} {one.version}" for one in versions if results.damage(one) is not None)
        yield state, Found(about, files, verified.events, len(versions), damaged)


def _unpack(path: Path, folder: Path) -> tuple[About, int]:
    storage = Storage(folder / "storage", pack_below=PACK_BELOW)
    files = 0

    def put(name: str, content: Any, size: int) -> None:
        nonlocal files
        if name in _DATABASES:
            with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                shutil.copyfileobj(content, file, _PIECE)
            return
        blob = name.removeprefix("storage/")
        if blob == name:
            raise BackupDamaged(f"{path}: {name!r} does not belong there", hint="use another backup")
        files += 1
        if size < PACK_BELOW:
            storage.put_bytes(blob, content.read(), later=True)
            if files % 1000 == 0:
                storage.flush()
        else:
            with storage.writer(blob) as file:
                shutil.copyfileobj(content, file, _PIECE)

    try:
        about = unpacked(path, accept=_known, put=put)
        storage.flush()
    except BlobNameInvalid as error:
        raise BackupDamaged(f"{path}: {error}", hint="use another backup") from error
    finally:
        storage.close()
    if not (folder / _DATABASES[0]).is_file():
        raise BackupDamaged(f"{path}: holds no log", hint="use another backup")
    return about, files


def _known(about: About) -> None:
    if about.schema > len(MIGRATIONS):
        raise StateError(
            f"the backup has schema version {about.schema}, this program knows {len(MIGRATIONS)}",
            hint=f"it was made by release {about.program}: restore it with that one, or a later one",
        )
