"""Files below a folder, under the names of blobs: written under a temporary name, and renamed when they are whole."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from utils.storage.blob import Blob
from utils.storage.errors import BlobNameInvalid, StorageError, explained

_TEMPORARY = ".tmp-"
_SMALL = ".small."
_BAD_PART = re.compile(r"(?:^|/)(?:\.{0,2}|\.tmp-[^/]*|\.small\.[^/]*)(?:/|$)|[\x00-\x1f\x7f\\]")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_TRIES = 100  # a folder may be tidied away by another process between its making and its use


def is_name(path: str) -> bool:
    """Whether a blob may be called so: a relative posix path that stays inside, with no part that is our own."""
    return _BAD_PART.search(path) is None


class Folder:
    """The files of a storage. A reader sees the old one or the new one, never half of one.

    Methods that change something raise OSError, which their caller explains.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100 - a string, and links stay links
        self.small = Path(self._root, f"{_SMALL}db")

    def full(self, path: str) -> str:
        """Where the blob of this name is, or would be. Raises BlobNameInvalid."""
        if not is_name(path):
            raise BlobNameInvalid(
                f"storage: {path!r} is not a name for a blob",
                path=path,
                hint="Use a relative path with / between its parts, without . or .. and not starting with .tmp-",
                transient=False,
            )
        return f"{self._root}/{path}"

    def create(self, target: str) -> tuple[str, int]:
        """A new file beside the target, under a name that nobody else knows, and its descriptor.

        Raises:
            StorageError: its folder cannot be made.
        """
        folder = target.rpartition("/")[0]
        temporary = f"{folder}/{_TEMPORARY}{os.urandom(8).hex()}"
        for _ in range(_TRIES):
            try:
                return temporary, os.open(temporary, _CREATE, 0o600)
            except FileNotFoundError:
                self._make_folder(folder)
        raise StorageError(
            f"storage: the folder {folder} cannot be made",
            path=folder,
            hint="Check whether a broken link is in its place, or another program keeps deleting it",
            transient=True,
        )

    def publish(self, temporary: str, target: str, *, durable: bool) -> None:
        """Give a whole file its name. `durable`: so that the name survives a power cut."""
        os.replace(temporary, target)
        if durable:
            folder = target.rpartition("/")[0]
            while len(folder) >= len(self._root):  # the names of new folders have to survive as well
                fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
                folder = folder.rpartition("/")[0]

    def discard(self, temporary: str) -> None:
        """Remove a file that got no name, as far as that can be done."""
        with suppress(OSError):
            os.remove(temporary)  # noqa: PTH107 - names are strings here
        self.tidy(temporary)

    def tidy(self, target: str) -> None:
        """Remove the folders that a file left empty."""
        folder = target.rpartition("/")[0]
        with suppress(OSError):  # the first one that is not empty ends it
            while len(folder) > len(self._root):
                os.rmdir(folder)  # noqa: PTH106
                folder = folder.rpartition("/")[0]

    def list(self, prefix: str) -> Iterator[Blob]:
        """The files whose names start with `prefix`, by name. Raises StorageError."""
        yield from self._walk(prefix.rpartition("/")[0], prefix)

    def sweep(self, until: float) -> int:
        """Remove temporary files that were last written before a moment (epoch seconds), or then; how many."""
        count = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                if name.startswith(_TEMPORARY):
                    leftover = f"{folder}/{name}"
                    with suppress(OSError):  # its writer may have finished just now
                        if os.lstat(leftover).st_mtime <= until:
                            os.remove(leftover)  # noqa: PTH107 - names are strings here
                            self.tidy(leftover)
                            count += 1
        return count

    def _make_folder(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):  # noqa: PTH112 - names are strings here
            missing.append(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
        for each in reversed(missing):  # not makedirs: it would give the folders between them the default mode
            with suppress(FileExistsError, FileNotFoundError):
                os.mkdir(each, 0o700)  # noqa: PTH102

    def _walk(self, base: str, prefix: str) -> Iterator[Blob]:
        try:
            with os.scandir(f"{self._root}/{base}" if base else self._root) as entries:
                # A folder sorts with its slash, so that the whole listing is in the order of the names.
                found = sorted((entry.name + "/" if entry.is_dir() else entry.name, entry) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise explained(error, prefix, f"{self._root}/{base}") from error
        for name, entry in found:
            path = f"{base}/{name}" if base else name
            if name.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    yield from self._walk(path[:-1], prefix)
            elif path.startswith(prefix) and not name.startswith((_TEMPORARY, _SMALL)):
                with suppress(FileNotFoundError):  # deleted while we look
                    about = entry.stat()
                    yield Blob(path, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))
