"""Publish the table as a file: written beside its name and renamed when it is whole."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict

from config.errors import Fault
from data_pipeline.errors import PublishError
from data_pipeline.publish.file_format import checked_name, filled, names_each, write_table
from data_pipeline.publish.sink import Published, PublishRequest

__all__ = ["FileSink", "Options"]


def _checked(path: str) -> str:
    if "://" in path:
        raise Fault("expected a path, got an address", hint="For a bucket write `kind: object_store` and `url`.")
    return checked_name(path)


class Options(BaseModel):
    """`{kind: file, path: "out/{dataset}.parquet"}`.

    Attributes:
        path: Its suffix says the format; `.gz` behind a text format packs it. A relative path starts at the
            configuration file that names it. `{dataset}`, `{version}`, `{run_date}`, `{now}` are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"] = "file"
    path: Annotated[str, AfterValidator(_checked)]


class FileSink:
    """Writes whole tables. A reader sees the file of before or the new one, never half of one."""

    Options: ClassVar[type] = Options

    def name_of(self, options: Any) -> str:
        """The path as written."""
        return str(options.path)

    def server_of(self, options: Any) -> str:
        return ""

    def wants_every(self, options: Any) -> bool:
        """A path that names version or day is another file each time."""
        return names_each(options.path)

    revocable: ClassVar[bool] = True

    def publish(self, request: PublishRequest) -> Published:
        """See `Sink.publish`. Folders are made; the file has the mode that the umask gives."""
        path = _location(request)
        with _told(path):
            return Published(_write(path, path, request))

    def prepare(self, request: PublishRequest) -> Published:
        """Write it beside its name, and lay aside what stands there now."""
        path = _location(request)
        aside = _Aside.of(path, request.version)
        with _told(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self.clear(request)
            rows = _write(path, aside.staged, request)
            try:
                os.link(path, aside.before)
            except FileNotFoundError:
                aside.nothing.touch()
            return Published(rows)

    def put(self, request: PublishRequest) -> None:
        """Rename what was prepared; no longer there: it was renamed already."""
        path = _location(request)
        with _told(path), contextlib.suppress(FileNotFoundError):
            _Aside.of(path, request.version).staged.replace(path)
            _flush(path.parent)

    def take_back(self, request: PublishRequest) -> None:
        """The very file that stood there before, or none."""
        path = _location(request)
        aside = _Aside.of(path, request.version)
        with _told(path):
            if aside.staged.exists():
                return  # it never came to its name
            if aside.before.exists():
                # What was laid aside stays until `clear`: so this may be done twice.
                again = aside.before.with_suffix(".again")
                again.unlink(missing_ok=True)
                os.link(aside.before, again)
                again.replace(path)
                again.unlink(missing_ok=True)  # a rename over another name of the same file does nothing
                _flush(path.parent)
            elif aside.nothing.exists():
                path.unlink(missing_ok=True)

    def clear(self, request: PublishRequest) -> None:
        path = _location(request)
        with _told(path):
            for one in _Aside.of(path, request.version):
                one.unlink(missing_ok=True)


class _Aside(NamedTuple):
    """What lies beside a file while its version goes to several sinks together.

    Attributes:
        staged: The version, before it comes to its name.
        before: Another name of what stood there.
        nothing: Says that nothing stood there.
    """

    staged: Path
    before: Path
    nothing: Path

    @classmethod
    def of(cls, path: Path, version: str) -> "_Aside":
        names = (f".{path.name[:100]}.{version}.{role}" for role in cls._fields)
        return cls(*(path.with_name(name) for name in names))


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        refused = isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError | FileExistsError)
        raise PublishError(
            f"{path} cannot be written ({error.strerror or error})",
            hint="choose a place with room that this user may write to",
            transient=not refused,
        ) from error


def _write(path: Path, place: Path, request: PublishRequest) -> int:
    """Write the table at a place, in the format that the name of `path` means; gives the number of rows."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(place) as file:
        return write_table(path.name, file, request)


def _location(request: PublishRequest) -> Path:
    return request.base.absolute() / Path(filled(request.options.path, request)).expanduser()


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well; else nothing is left of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o666 & ~_umask())
            yield file
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _flush(path.parent)


def _flush(folder: Path) -> None:
    """New names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask without changing it, which other threads would notice."""
    for line in Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else ():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022
