"""Files of this machine. What was hashed is what is parsed: a file that changes meanwhile is refused."""

import glob
import hashlib
import os
import stat
from collections.abc import Callable, Collection
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import IO

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.listing import Budget, Found, Reading, filled, fixed_part
from data_pipeline.collect.spool import MEMORY
from data_pipeline.dataset import FileSeen, Payload
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from utils.resilience.deadline import check

__all__ = ["LocalFiles"]

_PIECE = 2**20


class LocalFiles:
    """The files that a path or pattern of this machine means. See `Place`.

    Args:
        template: The path as written, without what stands behind `!`.
        key: The key in the configuration that the user should look at.
    """

    def __init__(self, request: CollectRequest, template: str, budget: Budget, *, key: str = "path") -> None:
        self._request = request
        self._budget = budget
        self._key = key
        self._relative = not Path(template).expanduser().is_absolute()
        base = request.base.absolute()
        self._path = base / Path(filled(template, request)).expanduser()
        self._root = base / Path(fixed_part(template)).expanduser()
        self.shown = str(self._path)
        self.root = f"{str(self._root).rstrip('/')}/"
        self.notes: list[str] = []
        self._odd: dict[str, Path] = {}  # files whose name is no text, by how it is written down
        self.trusts_listing = glob.has_magic(template)

    def find(self) -> list[Found]:
        path = self._path
        if path.is_dir():
            raise self._refused(f"{path} is a folder", f"name a file in it, or a pattern such as {path / '*.csv'}")
        # A file whose own name holds brackets is taken as it is.
        if path.exists():
            return [self._found(path)]
        if not self._root.is_dir():
            raise self.nothing()
        if not glob.has_magic(str(path)):
            return []
        names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        return [self._found(file) for name in names if (file := Path(name)).is_file()]

    def nothing(self) -> CollectError:
        path = self._path
        if glob.has_magic(str(path)):
            folders = any(glob.iglob(str(path), recursive=True))  # noqa: PTH207 - as above
            what = f"no file matches {path}" + (" (folders do)" if folders else "")
        else:
            what = f"there is no file {path}"
        return self._refused(what, f"check `{self._key}`{self._advice()}")

    def names(self, folder: str) -> Collection[str]:
        try:
            return os.listdir(folder)  # noqa: PTH208 - names are wanted, not paths
        except OSError:
            return ()

    def read(self, found: Found) -> Reading:
        path = self._odd.get(found.path) or Path(found.path)
        where = f"{self._request.dataset}: {found.path}"
        try:
            return self._reading(path, found.path)
        except PermissionError as error:
            raise self._refused(
                f"{path} cannot be read (permission denied)", f"give the user `{_user()}` the right to read it"
            ) from error
        except FileNotFoundError as error:
            raise ProviderUnavailable(f"{where} went away while it was read", provider=self._provider) from error
        except OSError as error:
            raise ProviderUnavailable(
                f"{where} cannot be read ({error.strerror or error})", provider=self._provider
            ) from error

    @property
    def _provider(self) -> str:
        return self._request.provider

    def _found(self, path: Path) -> Found:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        if shown != str(path):
            self._odd[shown] = path
        try:
            figures = path.stat()
        except OSError:
            return Found(shown, 0, 0.0)  # reading it will tell what is wrong
        return Found(shown, figures.st_size, figures.st_mtime)

    def _reading(self, path: Path, shown: str) -> Reading:
        # Looked at before it is opened: opening a pipe that nobody writes to would wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise self._refused(
                f"{path} is no regular file",
                f"`{self._key}` takes files; pipes and devices have no end that could be waited for",
            )
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            digest = hashlib.sha256()
            keep = before.st_size <= MEMORY and self._budget.take(before.st_size)
            held: list[bytes] | None = [] if keep else None
            size = 0
            while piece := stream.read(_PIECE):
                check(self._provider)
                size += len(piece)
                digest.update(piece)
                if held is not None:
                    held.append(piece)
        self._must_be_unchanged(path, before, size)
        payload = Payload(self._opener(path, before, held), size, digest.hexdigest(), name=Path(shown).name)
        return Reading(payload, FileSeen(shown, size, before.st_mtime, payload.sha256))

    def _opener(self, path: Path, before: os.stat_result, held: list[bytes] | None) -> Callable[[], IO[bytes]]:
        if held is not None:
            content = b"".join(held)
            return lambda: BytesIO(content)

        def reopen() -> IO[bytes]:
            stream = path.open("rb")
            try:
                self._must_be_unchanged(path, before, before.st_size)
            except ProviderUnavailable:
                stream.close()
                raise
            return stream

        return reopen

    def _must_be_unchanged(self, path: Path, before: os.stat_result, size: int) -> None:
        after = path.stat()
        same = (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
        if not same or size != before.st_size:
            raise ProviderUnavailable(
                f"{self._request.dataset}: {path} changed while it was read",
                hint="let its writer write a temporary file and rename it when it is whole",
                provider=self._provider,
            )

    def _refused(self, what: str, hint: str) -> ProviderRefused:
        return ProviderRefused(f"{self._request.dataset}: {what}", hint=hint, provider=self._provider)

    def _advice(self) -> str:
        path = self._path
        advice = "; a relative path starts at the file that names it" if self._relative else ""
        folder = path.parent
        while glob.has_magic(str(folder)):
            folder = folder.parent
        if not folder.is_dir():
            return f"{advice}; the folder {folder} does not exist"
        try:
            names = [entry.name for entry in os.scandir(folder)]
        except OSError:
            return advice
        near = get_close_matches(path.name, names, n=1, cutoff=0.5)
        return f"{advice}; did you mean {folder / near[0]}?" if near else advice


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
