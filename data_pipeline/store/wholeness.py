"""Is a version as it was written? Its files against the sizes and checksums that the log says.

A file is read for this once in a process, and again when its size, its time or its inode is another one. Small files
cost as much to ask about as to read: they are read each time.
"""

import hashlib
from dataclasses import dataclass

from data_pipeline.store.manifest import Part, is_manifest, parts_of
from data_pipeline.store.views import Version
from utils.correlation import run_id
from utils.database import StateError
from utils.events import EventStore, NewEvent
from utils.logger import get_logger
from utils.storage import BlobNotFound, Storage, StorageError

__all__ = ["Damage", "Wholeness", "note_damage"]

QUICK = 16 * 2**20
"""Bytes of a version that are read when nobody waits for its rows (10 to 30 ms); the size of the rest is looked at."""

SMALL = 2**16


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a file of a version. `lasting`: it does not pass by itself."""

    path: str
    reason: str
    lasting: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Wholeness:
    """Compares versions with what the log says of them. Thread-safe."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._digests: dict[str, tuple[tuple[int, int, int], str]] = {}

    def damage(self, version: Version, *, thorough: bool = True) -> Damage | None:
        """What is wrong with the first file that is not as it was written; None: the version is whole.

        Args:
            thorough: Read all of it; else at most `QUICK` bytes.
        """
        digest = version.body.get("sha256", "")
        path = version.path
        try:
            if not is_manifest(path):
                alone = Part(path, version.rows, version.size, 0, digest)
                return self._fault(alone, read=thorough or version.size <= QUICK)
            content = self._storage.read_bytes(path)
            if digest and _sha256(content) != digest and self._storage.renew(path):
                content = self._storage.read_bytes(path)
            if digest and _sha256(content) != digest:
                return Damage(path, "it is not what was written")
            left = QUICK
            for part in parts_of(content):
                path = part.path
                left -= part.size
                if part.rows and (found := self._fault(part, read=thorough or left >= 0)) is not None:
                    return found
        except BlobNotFound:
            return Damage(path, "it is gone")
        except StorageError as error:
            return Damage(path, error.message, lasting=not error.transient)
        except (StateError, ValueError) as error:
            return Damage(path, str(error), lasting=not getattr(error, "transient", False))
        return None

    def forget(self) -> None:
        """Read everything anew: a disk may change a file and none of its times."""
        self._digests.clear()

    def _fault(self, part: Part, *, read: bool) -> Damage | None:
        found = self._compared(part, read=read)
        return self._compared(part, read=read) if found is not None and self._storage.renew(part.path) else found

    def _compared(self, part: Part, *, read: bool) -> Damage | None:
        if part.size <= SMALL:
            content = self._storage.read_bytes(part.path)
            size, digest = len(content), _sha256(content)
        else:
            identity = self._storage.identity(part.path)
            size, digest = identity[0], part.sha256
            known = self._digests.get(part.path)
            if known is not None and known[0] == identity:
                digest = known[1]
            elif read and size == part.size and part.sha256:
                digest = self._storage.digest(part.path)
                self._digests[part.path] = identity, digest
        if size != part.size:
            return Damage(part.path, f"it has {size:,} bytes, and {part.size:,} were written")
        return Damage(part.path, "it is not what was written") if part.sha256 and digest != part.sha256 else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def note_damage(events: EventStore, version: Version, damage: Damage | None) -> None:
    """Tell the log, without waiting, that a version is damaged; or, with None, that it is whole again."""
    data = {"version": version.version, "path": version.path}
    if damage is not None:
        data |= {"path": damage.path, "reason": damage.reason}
        if run := run_id.get():
            data["run_id"] = run  # what this run delivers in its place says nothing about the disk
        log = get_logger("store")
        log.warning("version.damaged", dataset=version.dataset, version=version.version, damage=str(damage))
    kind = "version.restored" if damage is None else "version.damaged"
    events.submit([NewEvent(kind, version.dataset, data, source="store")])
