"""Collect files of this machine: one path, or all that match a pattern."""

import glob
import hashlib
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_pipeline.collect import placeholders
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.keys import NotYet, only
from data_pipeline.collect.spool import MEMORY
from data_pipeline.dataset import Collected, Payload, Provenance
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable

__all__ = ["FileCollector", "Options"]

PROVIDER = "file"
_PIECE = 2**20


class Options(BaseModel):
    """`collect: {kind: file, …}`.

    Attributes:
        path: A file, or a pattern (`*`, `?`, `[…]`, `**`); `{now}`, `{run_date}` are filled in.
            A relative path starts at the configuration file that names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"] = "file"
    path: str = Field(min_length=1)
    reread: Annotated[Literal["changed"], only("changed")] = "changed"
    ready: NotYet = None
    stable_for: Annotated[str | int, only("0s", 0)] = "0s"

    @field_validator("path")
    @classmethod
    def _location(cls, path: str) -> str:
        if "!" in path and ".zip!" in path.lower():
            raise ValueError("members of an archive (`a.zip!*.csv`) are not supported yet; unpack it first")
        if path.lower().startswith("file://"):
            raise ValueError("write a path, not a file:// address")
        if "\0" in path:
            raise ValueError("a path cannot hold a null character")
        return placeholders.check(path)


class FileCollector:
    """Brings files as they lie there. What was hashed is what is parsed: a file that changes meanwhile is refused."""

    Options: ClassVar[type] = Options

    def provider_of(self, options: Any, dataset: str) -> str:
        return PROVIDER

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. Files of a pattern come sorted by name; each is a request of its own."""
        started = request.clock.monotonic()
        path = _location(request)
        reads = [_Read(request, found) for found in _matching(path, request)]
        payloads = []
        try:
            payloads = [request.call(request.provider, read) for read in reads]
        except CollectError as error:
            error.attempts = max(error.attempts, *(read.calls for read in reads))
            raise
        provenance = Provenance(
            provider=request.provider,
            collected_at=request.clock.now(),
            content_sha256=_sha256([payload.sha256 for payload in payloads]),
            last_modified=max(read.modified for read in reads),
            attempts=max(read.calls for read in reads),
            latency_s=max(0.0, request.clock.monotonic() - started),
            size=sum(payload.size for payload in payloads),
            source=str(path),
        )
        return Collected(provenance, tuple(payloads))

    def close(self) -> None:
        """Nothing is kept open."""


class _Read:
    """Reads one file; may be called again when it changed under our hands."""

    def __init__(self, request: CollectRequest, path: Path) -> None:
        self.calls = 0
        self.modified = datetime.fromtimestamp(0, UTC)
        self._dataset = request.dataset
        self._path = path

    def __call__(self) -> Payload:
        self.calls += 1
        try:
            return self._payload()
        except PermissionError as error:
            raise ProviderRefused(
                f"{self._dataset}: {self._path} cannot be read (permission denied)",
                hint=f"give the user `{_user()}` the right to read it",
                provider=PROVIDER,
            ) from error
        except FileNotFoundError as error:
            raise ProviderUnavailable(
                f"{self._dataset}: {self._path} went away while it was read", provider=PROVIDER
            ) from error
        except OSError as error:
            raise ProviderUnavailable(
                f"{self._dataset}: {self._path} cannot be read ({error.strerror or error})", provider=PROVIDER
            ) from error

    def _payload(self) -> Payload:
        # Looked at before it is opened: opening a pipe that nobody writes to would wait for ever.
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise ProviderRefused(
                f"{self._dataset}: {self._path} is no regular file",
                hint="`path` takes files; pipes and devices have no end that could be waited for",
                provider=PROVIDER,
            )
        with self._path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            digest = hashlib.sha256()
            held: list[bytes] | None = [] if before.st_size <= MEMORY else None
            size = 0
            while piece := stream.read(_PIECE):
                size += len(piece)
                digest.update(piece)
                if held is not None:
                    held.append(piece)
        self._must_be_unchanged(before, size)
        self.modified = datetime.fromtimestamp(before.st_mtime, UTC)
        return Payload(self._opener(before, held), size, digest.hexdigest(), name=self._path.name)

    def _opener(self, before: os.stat_result, held: list[bytes] | None) -> Callable[[], IO[bytes]]:
        if held is not None:
            content = b"".join(held)
            return lambda: BytesIO(content)

        def reopen() -> IO[bytes]:
            stream = self._path.open("rb")
            try:
                self._must_be_unchanged(before, before.st_size)
            except ProviderUnavailable:
                stream.close()
                raise
            return stream

        return reopen

    def _must_be_unchanged(self, before: os.stat_result, size: int) -> None:
        after = self._path.stat()
        same = (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
        if not same or size != before.st_size:
            raise ProviderUnavailable(
                f"{self._dataset}: {self._path} changed while it was read",
                hint="let its writer write a temporary file and rename it when it is whole",
                provider=PROVIDER,
            )


def _location(request: CollectRequest) -> Path:
    options: Options = request.options
    path = Path(placeholders.render(options.path, request.values)).expanduser()
    return request.base.absolute() / path


def _matching(path: Path, request: CollectRequest) -> list[Path]:
    """The files that `path` means.

    Raises:
        ProviderRefused: none, with the nearest name that is there and what to do.
    """
    if path.is_dir():
        raise ProviderRefused(
            f"{request.dataset}: {path} is a folder",
            hint=f"name a file in it, or a pattern such as {path / '*.csv'}",
            provider=PROVIDER,
        )
    # A file whose own name holds brackets is taken as it is.
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = [file for file in found if file.is_file()]
        if files:
            return files
        raise ProviderRefused(
            f"{request.dataset}: no file matches {path}" + (" (folders do)" if found else ""),
            hint="check `path`" + _advice(path, request.options),
            provider=PROVIDER,
        )
    raise ProviderRefused(
        f"{request.dataset}: there is no file {path}",
        hint="check `path`" + _advice(path, request.options),
        provider=PROVIDER,
    )


def _advice(path: Path, options: Options) -> str:
    advice = "" if Path(options.path).is_absolute() else "; a relative path starts at the file that names it"
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


def _sha256(digests: list[str]) -> str:
    """Of one file its own hash; of several the hash over their hashes, in the order of their names."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
