"""Sends files to buckets (S3, GCS, Azure) with memory that does not grow with their size."""

import contextlib
import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["SHA256", "upload"]

PIECE = 16 * 2**20
"""Bytes of one part of an upload."""

AT_ONCE = 2**18
"""Bytes of a part that are read at once."""

MOST_PARTS = 10_000
"""Of one upload, as S3 has it; a larger file has larger parts."""

SHA256 = "sha256"
"""What an object's own hash is called among what the store keeps beside it."""


def upload(system: Any, scheme: str, source: str | bytes, key: str, metadata: Mapping[str, str]) -> None:
    """Make an object of a file (its path) or of bytes. Readers see all of it or nothing, in each of these stores.

    Args:
        system: An fsspec file system; `key` begins with the bucket.
        metadata: What the store is to keep beside the object.

    Raises:
        Exception: whatever the library raises; see `store_errors`.
    """
    kept = dict(metadata)
    if scheme == "s3":
        _to_s3(system, source, key, kept)
    elif scheme == "gs":
        if isinstance(source, bytes):
            system.pipe_file(key, source, metadata=kept)
        else:
            system.put_file(source, key, metadata=kept, chunksize=PIECE)
    else:
        from importlib import import_module

        import_module("fsspec.asyn").sync(system.loop, _to_azure, system, source, key, kept)


def _to_s3(system: Any, source: str | bytes, key: str, metadata: dict[str, str]) -> None:
    """The library's own way reads whole parts into memory, several at once, and their transport copies each again."""
    bucket, _, name = key.partition("/")
    place = {"Bucket": bucket, "Key": name}
    if isinstance(source, bytes):
        system.call_s3("put_object", **place, Body=source, Metadata=metadata)
        return
    size = os.stat(source).st_size
    if size <= PIECE:
        with _Window(source, 0, size) as body:
            system.call_s3("put_object", **place, Body=body, Metadata=metadata)
        return
    piece = max(PIECE, -(-size // MOST_PARTS))
    begun = system.call_s3("create_multipart_upload", **place, Metadata=metadata)
    place["UploadId"] = begun["UploadId"]
    try:
        parts = []
        for number, start in enumerate(range(0, size, piece), start=1):
            with _Window(source, start, min(piece, size - start)) as body:
                done = system.call_s3("upload_part", **place, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        system.call_s3("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
    except BaseException:
        with contextlib.suppress(Exception):  # the store may be away; what failed first is told
            system.call_s3("abort_multipart_upload", **place)
        raise


async def _to_azure(system: Any, source: str | bytes, key: str, metadata: dict[str, str]) -> None:
    """The library has no way to give an object metadata: it has its own already, which is kept here."""
    container, _, name = key.partition("/")
    metadata |= {"is_directory": "false"}
    async with system.service_client.get_blob_client(container, name) as blob:
        with contextlib.nullcontext(source) if isinstance(source, bytes) else open(source, "rb") as body:
            await blob.upload_blob(body, overwrite=True, metadata=metadata, max_concurrency=2)


class _Window(io.RawIOBase):
    """A part of a file, read from the disk as it is sent."""

    def __init__(self, path: str, start: int, size: int) -> None:
        super().__init__()
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes | None:
        return super().read(size if size < 0 else min(size, AT_ONCE))  # the transport asks for all that is left

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        count = os.preadv(self._file, [view], self._start + self._at) if view else 0
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if not self.closed:
            os.close(self._file)
        super().close()
