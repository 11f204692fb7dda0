"""One file that holds a backup: a gzipped tar with what it is first, the files, and at its end their SHA-256.

`about.json` comes first, so that a newer format is refused before anything is unpacked. `manifest.json` comes last,
for only then the hashes are known; so a file that was cut has none. Any `tar` reads it. Memory does not grow with the
size of the files.
"""

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

import orjson

from utils.database import StateError

__all__ = ["ABOUT", "FORMAT", "MANIFEST", "About", "BackupDamaged", "BackupWriter", "unpacked"]

FORMAT = 1
ABOUT, MANIFEST = "about.json", "manifest.json"
_LEVEL = 1  # most of it is Parquet, which is compressed already
_LARGEST_NOTE = 1 << 30


class BackupDamaged(StateError):
    """The file is no backup of ours, or not as it was written."""


@dataclass(frozen=True, slots=True)
class About:
    """What a backup is of.

    `schema` is the schema version of the database, `head` the position and hash of the newest event (`SEQ:HASH`),
    `made_at` RFC 3339, `program` the release that made it.
    """

    format: int
    program: str
    made_at: str
    schema: int
    head: str


class BackupWriter:
    """Writes one backup; a context. Without `finish` the file has no manifest, and is refused when it is read."""

    def __init__(self, file: IO[bytes], about: About) -> None:
        self._packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_LEVEL)
        self._tar = tarfile.open(fileobj=self._packed, mode="w")  # noqa: SIM115 - it holds nothing open
        self._hashes: dict[str, str] = {}
        self.add(ABOUT, io.BytesIO(orjson.dumps(asdict(about))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the disk is full: the first error is the news
            self._packed.close()

    def add(self, name: str, content: BinaryIO) -> None:
        """Add a seekable file under a name."""
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        hashed = _Hashed(content)
        self._tar.addfile(entry, hashed)
        self._hashes[name] = hashed.sha256.hexdigest()

    def finish(self) -> None:
        """Write the manifest, and all that waits."""
        content = orjson.dumps(self._hashes)
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(content), 0o600
        self._tar.addfile(entry, io.BytesIO(content))
        self._tar.close()
        self._packed.close()


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def unpacked(path: Path, *, accept: Callable[[About], None], put: Callable[[str, Any, int], None]) -> About:
    """Read a backup to its end, and prove every file of it.

    Args:
        accept: Told what it is of, before the first file; raises when that cannot be used.
        put: Called with name, readable content and size (bytes) of each file; reads it whole.

    Raises:
        BackupDamaged: it is none, was cut, or a file in it is not as it was written.
        StateError: the format is a newer release's, or the file cannot be read.
    """
    about: About | None = None
    manifest: dict[str, str] | None = None
    found: dict[str, str] = {}
    with _told(path), gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() else None
            if content is None or (about is None) != (entry.name == ABOUT) or entry.name in found:
                raise _damaged(path, f"{entry.name!r} does not belong there")
            hashed = _Hashed(content)
            if entry.name == ABOUT:
                about = _about(path, hashed.read(_LARGEST_NOTE))
                accept(about)
            elif entry.name == MANIFEST:
                manifest = orjson.loads(hashed.read(_LARGEST_NOTE))
                continue
            else:
                put(entry.name, hashed, entry.size)
            found[entry.name] = hashed.sha256.hexdigest()
        while packed.read(1 << 20):  # the checksum of the whole stands at the end
            pass
    if about is None or manifest is None:
        raise _damaged(path, "its end is missing")
    for name in sorted(found.keys() | manifest.keys()):
        if found.get(name) != manifest.get(name):
            raise _damaged(path, f"{name} is not as it was written")
    return about


def _about(path: Path, content: bytes) -> About:
    told = orjson.loads(content)
    if told["format"] > FORMAT:
        raise StateError(
            f"{path}: is a backup of format {told['format']}, this program knows {FORMAT}",
            hint=f"it was made by release {told['program']}: restore it with that one, or a later one",
        )
    return About(**told)


def _damaged(path: Path, reason: str) -> BackupDamaged:
    return BackupDamaged(f"{path}: is no backup, or is damaged ({reason})", hint="use another backup")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror or error})", hint="check the path") from error
