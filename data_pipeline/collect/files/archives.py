"""Members of a zip archive as payloads, read where they lie: nothing is ever unpacked into a folder."""

import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO, Any

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.listing import Budget
from data_pipeline.collect.files.wildcards import Pattern
from data_pipeline.collect.spool import MEMORY
from data_pipeline.dataset import Payload
from data_pipeline.errors import CollectError, PayloadUnreadable
from utils.resilience.deadline import check

__all__ = ["is_archive", "members"]

MAX_SIZE = 10**10
"""Bytes that all members read of one archive may hold once decompressed."""

MAX_RATIO = 200
"""How much larger than the archive they may become; the same bound holds for a gzip payload."""

MAX_MEMBERS = 10_000
_RATIO_FREE = 16 * 2**20
_PIECE = 2**20
_OFFICE = {"[Content_Types].xml", "mimetype"}
"""Members that tell a workbook, which is a zip archive too, from an archive of files."""


def is_archive(payload: Payload) -> bool:
    """Whether a payload is named as a zip archive, and is one that is not a workbook."""
    if not payload.name.lower().endswith(".zip"):
        return False
    with payload.open() as stream:
        if stream.read(2) != b"PK":
            return False
        stream.seek(0)
        try:
            with zipfile.ZipFile(stream) as archive:
                return not _OFFICE.intersection(archive.namelist())
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
            return True  # its damage is told when its members are read


def members(archive: Payload, pattern: str | None, request: CollectRequest, budget: Budget) -> list[Payload]:
    """The members that match, by name; without a pattern all that are files and not hidden.

    Each is decompressed once here: its hash and checksum are taken, and it is bounded in size.

    Raises:
        PayloadUnreadable: no zip archive, damaged, encrypted, a bomb, nothing that matches, or names that lead out of
            the archive.
    """
    where = f"{request.dataset} ({archive.name})"
    with _told(where, request), archive.open() as stream, zipfile.ZipFile(stream) as opened:
        chosen = _chosen(opened.infolist(), pattern, where, request)
        found, total = [], 0
        for info in chosen:
            payload, size = _read(archive, opened, info, where, request, budget, total)
            total += size
            found.append(payload)
    return found


def _chosen(
    infos: list[zipfile.ZipInfo], pattern: str | None, where: str, request: CollectRequest
) -> list[zipfile.ZipInfo]:
    if len(infos) > MAX_MEMBERS:
        raise _unreadable(request, f"{where}: {len(infos):,} members, more than {MAX_MEMBERS:,}")
    for info in infos:
        name = _name(info)
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
            raise _unreadable(
                request,
                f"{where}: the member `{info.filename}` leads out of the archive; refused",
                hint="an honest archive has no `../` and no absolute names; ask the provider",
            )
    files = sorted((info for info in infos if not info.is_dir()), key=_name)
    if pattern is None:
        chosen = [info for info in files if not _is_hidden(_name(info))]
    else:
        wanted = Pattern(pattern)
        chosen = [info for info in files if wanted.matches(_name(info))]
    if not chosen:
        what = f"no member matches `{pattern}`" if pattern is not None else "no member holds data"
        there = ", ".join(_name(info) for info in files[:5]) + (", …" if len(files) > 5 else "")
        hint = f"the archive holds {there}" if files else "the archive is empty"
        nested = pattern is not None and any(Pattern(f"**/{pattern}").matches(_name(info)) for info in files)
        raise _unreadable(request, f"{where}: {what}", hint=hint + (f"; write `**/{pattern}`" if nested else ""))
    for info in chosen:
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _unreadable(request, f"{where}: the member `{_name(info)}` is a symbolic link; refused")
        if info.flag_bits & 0x1:
            raise _unreadable(
                request,
                f"{where}: the member `{_name(info)}` is encrypted",
                hint="archives with a password are not read; ask the provider for one without",
            )
    return chosen


def _read(
    archive: Payload,
    opened: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    where: str,
    request: CollectRequest,
    budget: Budget,
    before: int,
) -> tuple[Payload, int]:
    digest, size = hashlib.sha256(), 0
    held: list[bytes] | None = [] if info.file_size <= MEMORY and budget.take(info.file_size) else None
    with opened.open(info) as stream:
        while piece := stream.read(_PIECE):
            check(request.provider)
            size += len(piece)
            _must_be_bounded(before + size, archive.size, where, request)
            digest.update(piece)
            if held is not None:
                held.append(piece)
    opener: Callable[[], Any]
    opener = partial(_Member.opened, archive, info) if held is None else partial(io.BytesIO, b"".join(held))
    return Payload(opener, size, digest.hexdigest(), name=_name(info).rpartition("/")[2]), size


def _must_be_bounded(size: int, sent: int, where: str, request: CollectRequest) -> None:
    if size > MAX_SIZE:
        raise _unreadable(
            request,
            f"{where}: larger than {MAX_SIZE:,} bytes once decompressed",
            hint="ask the provider for less at once, or name fewer members behind `!`",
        )
    if size > _RATIO_FREE and size > MAX_RATIO * sent:
        raise _unreadable(
            request,
            f"{where}: grows to more than {MAX_RATIO} times its {sent:,} bytes; refused as a bomb",
            hint="look at what the provider sends",
        )


class _Member(io.RawIOBase):
    """A member as a stream that closes its archive with itself."""

    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, member: IO[bytes]) -> None:
        self._stream, self._archive, self._member = stream, archive, member

    @classmethod
    def opened(cls, archive: Payload, info: zipfile.ZipInfo) -> IO[bytes]:
        with ExitStack() as stack:
            stream = stack.enter_context(archive.open())
            opened = stack.enter_context(zipfile.ZipFile(stream))
            member = cls(stream, opened, opened.open(info))
            stack.pop_all()
        return io.BufferedReader(member, _PIECE)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._member.seek(offset, whence)

    def tell(self) -> int:
        return self._member.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._member.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._member.close()
        self._archive.close()
        self._stream.close()
        super().close()


@contextmanager
def _told(where: str, request: CollectRequest) -> Iterator[None]:
    """Damage in our words."""
    try:
        yield
    except CollectError:
        raise
    except NotImplementedError as error:
        raise _unreadable(
            request, f"{where}: {error}", hint="ask the provider for a zip archive with the usual compression (deflate)"
        ) from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise _unreadable(
            request,
            f"{where}: the zip archive is damaged or cut off ({error})",
            hint="perhaps it is still being written: `ready` waits for a marker, `stable_for` until it rests",
        ) from error


def _name(info: zipfile.ZipInfo) -> str:
    """Archives made on Windows may hold backslashes."""
    return info.filename.replace("\\", "/")


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(part.startswith(".") for part in name.split("/"))


def _unreadable(request: CollectRequest, what: str, hint: str = "") -> PayloadUnreadable:
    return PayloadUnreadable(what, hint=hint, provider=request.provider)
