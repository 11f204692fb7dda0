"""Files in a bucket or on a server, through an fsspec file system; each is fetched to a spool before it is parsed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files import stores
from data_pipeline.collect.files.listing import Budget, Found, Reading, filled, fixed_part
from data_pipeline.collect.files.store_errors import told
from data_pipeline.collect.files.stores import Address, Stores
from data_pipeline.collect.files.wildcards import Pattern, has_magic
from data_pipeline.collect.spool import MEMORY, Spool
from data_pipeline.dataset import FileSeen, Payload
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from utils.resilience.deadline import check, remaining
from utils.resilience.errors import RejectedError
from utils.resilience.first_byte import first_byte_arrived

__all__ = ["RemoteFiles", "modified_of"]

T = TypeVar("T")

_PIECE = 8 * 2**20
"""Bytes asked for at once."""

_WINDOW = 2 * 2**20
"""Bytes that are under way at once over SFTP."""


class RemoteFiles:
    """The files that an address with patterns means. See `Place`. `close()` when done.

    Args:
        address: Its `path` is the template, without what stands behind `!`.
        options: For the file system; their values stay out of all messages.
    """

    trusts_listing = True

    def __init__(
        self, request: CollectRequest, address: Address, options: Mapping[str, Any], budget: Budget, opened: Stores
    ) -> None:
        self._request = request
        self._address = address
        self._options = options
        self._budget = budget
        self._stores = opened
        self._system: Any = None
        self._path = filled(address.path, request)
        self._magic = has_magic(address.path)
        self._fixed = fixed_part(address.path)
        self._near: list[str] = []
        self.shown = address.shown + self._path
        self.root = address.shown + self._fixed
        self.notes: list[str] = []

    def find(self) -> list[Found]:
        return self._called(self._walked if self._magic else self._one, listing=True)

    def nothing(self) -> CollectError:
        what = f"no file matches {self.shown}" if self._magic else f"there is no file {self.shown}"
        near = get_close_matches(self._path.rpartition("/")[2], self._near, n=1, cutoff=0.5)
        hint = "check `url`" + (f"; did you mean {near[0]}?" if near else "")
        return ProviderRefused(f"{self._request.dataset}: {what}", hint=hint, provider=self._request.provider)

    def names(self, folder: str) -> Collection[str]:
        path = folder.removeprefix(self._address.shown)
        return self._called(lambda: {_name(entry) for entry in self._listed(path)}, listing=True)

    def read(self, found: Found) -> Reading:
        return self._translated(partial(self._reading, found), found.path, listing=False)

    def close(self) -> None:
        system, self._system = self._system, None
        if system is not None and not self._address.has_buckets:
            stores.close(system)

    # Looking

    def _one(self) -> list[Found]:
        try:
            entry = self._connected().info(self._at(self._path))
        except FileNotFoundError:
            folder = self._path.rpartition("/")[0]
            self._near = [_name(entry) for entry in self._listed(folder, must_exist=folder + "/" == self._fixed)]
            return []
        if entry["type"] == "directory":
            raise ProviderRefused(
                f"{self._request.dataset}: {self.shown} is a folder",
                hint=f"name a file in it, or a pattern such as {self.shown.rstrip('/')}/*.csv",
            )
        return [self._found(self._path, entry)]

    def _walked(self) -> list[Found]:
        """All matches. Only folders that can lead to one are listed."""
        start = self._fixed
        pattern = Pattern(self._path.removeprefix(start))
        found: list[Found] = []
        waiting = [(start.rstrip("/"), pattern.start)]
        while waiting:
            folder, positions = waiting.pop()
            check(self._request.provider)
            for listed in self._listed(folder, must_exist=folder + "/" == start):
                name = _name(listed)
                path, after = f"{folder}/{name}", pattern.after(positions, name)
                if not after:
                    continue
                entry = self._followed(path) if listed["type"] == "link" else listed
                if entry["type"] == "directory" and pattern.leads_on(after):
                    waiting.append((path, after))
                elif entry["type"] == "file" and pattern.is_end(after):
                    found.append(self._found(path, entry))
        return sorted(found, key=lambda file: file.path)

    def _listed(self, folder: str, *, must_exist: bool = False) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = self._connected().ls(self._at(folder), detail=True)
        except FileNotFoundError as error:
            # A prefix of a bucket is there as soon as an object is; only the bucket itself can be missing.
            missing = "bucket" in str(error).lower() if self._address.has_buckets else must_exist
            if missing:
                raise
            return []
        # A folder of a bucket may be an empty object of its own.
        own = folder.rpartition("/")[2]
        return [
            entry
            for entry in entries
            if _name(entry) and not (self._address.has_buckets and _name(entry) == own and entry["name"].endswith("/"))
        ]

    def _followed(self, path: str) -> dict[str, Any]:
        try:
            entry: dict[str, Any] = self._connected().info(self._at(path))
        except FileNotFoundError:
            return {"type": "broken link"}
        return entry

    def _found(self, path: str, entry: Mapping[str, Any]) -> Found:
        return Found(
            self._address.shown + path, int(entry.get("size") or 0), modified_of(entry), str(entry.get("ETag") or "")
        )

    # Reading

    def _reading(self, found: Found) -> Reading:
        path = self._at(found.path.removeprefix(self._address.shown))
        system = self._connected()
        before = self._figures(system, path, found)
        small = before[0] <= MEMORY and self._budget.take(before[0])
        spool = Spool(self._request.folder, memory=MEMORY if small else 0)
        whole = False
        try:
            for piece in self._pieces(system, path, before[0]):
                if not spool.size:
                    first_byte_arrived()
                check(self._request.provider)
                self._write(spool, piece)
            if not self._address.has_buckets and (
                spool.size != before[0] or self._figures(system, path, found) != before
            ):
                raise ProviderUnavailable(
                    f"{self._request.dataset}: {found.path} changed while it was read",
                    hint="let its writer write another name and rename the file when it is whole",
                )
            spool.finish()
            whole = True
        finally:
            if not whole:
                spool.close()
        payload = Payload(spool.open, spool.size, spool.sha256, name=found.name)
        return Reading(payload, FileSeen(found.path, before[0], before[1] or 0.0, spool.sha256), spool.close)

    def _figures(self, system: Any, path: str, found: Found) -> tuple[int, float | None]:
        """Size and time now. An object of a bucket comes as one version, so that of the listing will do."""
        if self._address.scheme != "sftp":
            return found.size, found.modified
        figures = system.ftp.stat(path)
        return int(figures.st_size), float(figures.st_mtime)

    def _pieces(self, system: Any, path: str, size: int) -> Iterator[bytes]:
        if self._address.scheme == "sftp":
            with system.ftp.open(path, "rb") as stream:
                # Many requests at once, but only for a window: paramiko keeps all that came out of order.
                for start in range(0, size, _WINDOW):
                    yield from stream.readv([(start, min(_WINDOW, size - start))])
        elif self._address.scheme == "ftp":
            with system.ftp.transfercmd("RETR " + path) as connection:
                while piece := connection.recv(2**18):
                    yield piece
            system.ftp.voidresp()
        elif size <= _PIECE:
            yield system.cat_file(path)
        else:
            with system.open(path, "rb", block_size=_PIECE, cache_type="none") as stream:
                while piece := stream.read(_PIECE):
                    yield piece

    def _write(self, spool: Spool, piece: bytes) -> None:
        try:
            spool.write(piece)
        except OSError as error:
            folder, why = self._request.folder, error.strerror or error
            raise CollectError(
                f"{self._request.dataset}: the file cannot be kept in {folder}: {why}",
                hint="free some disk space, or check the permissions of that folder",
            ) from error

    # Asking

    def _called(self, look: Callable[[], T], *, listing: bool) -> T:
        return self._request.call(self._request.provider, partial(self._translated, look, self.shown, listing=listing))

    def _translated(self, ask: Callable[[], T], shown: str, *, listing: bool) -> T:
        """What `ask` gives; its failures in our words, and a connection that broke is not used again."""
        try:
            return ask()
        except RejectedError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise told(
                error,
                f"{self._request.dataset}: {shown}",
                scheme=self._address.scheme,
                provider=self._request.provider,
                options=self._secrets(),
                listing=listing,
                host=stores.host_of(self._address, self._options),
            ) from error

    def _connected(self) -> Any:
        if self._system is None:
            request = self._request
            try:
                self._system = self._stores.open(
                    self._address,
                    self._options,
                    connect=min(request.connect_timeout, remaining()),
                    read=request.read_timeout,
                    note=self.notes.append,
                )
            except ProviderRefused as error:
                # Who opens a connection does not know for which dataset.
                told_again = ProviderRefused(f"{request.dataset}: {error}", hint=error.hint, provider=request.provider)
                raise told_again from error
        return self._system

    def _secrets(self) -> Mapping[str, Any]:
        return {**self._options, "": [self._address.user, self._address.password]}

    def _at(self, path: str) -> str:
        """A path behind the host as the file system wants it; `/~/x` is below the home folder."""
        if self._address.has_buckets:
            return self._address.host + path
        if path == "/~" or path.startswith("/~/"):
            return path[3:] or "."
        return path or "/"


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"]).rstrip("/").rpartition("/")[2]


def modified_of(entry: Mapping[str, Any]) -> float | None:
    """Epoch seconds; each file system has its own word for it."""
    for key in ("LastModified", "mtime", "last_modified", "updated", "modify"):
        value = entry.get(key)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str) and value:
            try:
                if key == "modify":
                    return datetime.strptime(value[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
                return datetime.fromisoformat(value).timestamp()
            except ValueError:
                continue
    return None
