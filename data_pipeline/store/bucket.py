"""A place in a bucket (S3, GCS, Azure) that keeps the blobs: see `utils.storage.object_storage.ObjectStore`."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from data_pipeline.collect.files.remote import modified_of
from data_pipeline.collect.files.store_errors import told
from data_pipeline.collect.files.stores import Stores, host_of, parse_address
from data_pipeline.collect.files.uploads import SHA256, upload
from data_pipeline.errors import CollectError
from utils.clock import Clock
from utils.storage import Blob, BlobNotFound, StorageError

__all__ = ["Bucket"]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
"""How long the store may be silent: while it takes a part, or puts one together."""

TRIES = 2
"""How often a request to S3 is made again."""

REST_S = 5.0
"""A store that did not answer in time is left alone so long: else each dataset of a run would wait for it anew."""

_OWNER = ".installation"
"""The object that says whose place it is."""


class Bucket:
    """Objects below an address.

    Args:
        url: `s3://bucket/prefix`, `gs://`, `az://`, `abfs://`.
        options: For the file system; their values stay out of all messages.
        secret: What only this installation knows. The first one that comes to a place is the one that it belongs to.

    Raises (all methods):
        StorageError: the store is away, or does not let us.
    """

    def __init__(self, url: str, options: Mapping[str, Any], clock: Clock, secret: Callable[[], str]) -> None:
        self._address = parse_address(url.rstrip("/") + "/name")  # of any blob
        self._root = f"{self._address.host}{self._address.path}".removesuffix("name")
        self._options = dict(options)
        self._clock = clock
        self._secret = secret
        self._is_ours = False
        self._stores = Stores()
        self._lock = threading.Lock()
        self._silent: tuple[float, StorageError] | None = None

    def put(self, path: str, source: str | bytes) -> None:
        """Make an object of a file or of bytes, and see that it arrived."""
        if isinstance(source, bytes):
            size, sha256 = len(source), hashlib.sha256(source).hexdigest()
        else:
            with open(source, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        with self._told(path, of_the_bucket=True):
            system = self._system()
            upload(system, self._address.scheme, source, self._root + path, {SHA256: sha256})
            found = int(system.info(self._root + path)["size"])
        if found != size:
            raise self._doubtful(path, f"{found:,} of {size:,} bytes are there")

    def get(self, path: str, target: str) -> None:
        """Write an object's content over a file that is there, and compare it with the hash that was kept beside it.

        Raises:
            BlobNotFound: there is no such object.
        """
        with self._told(path):
            system, key = self._system(), self._root + path
            about = system.info(key)
            if about["type"] != "file":
                raise FileNotFoundError(path)
            kept = system.metadata(key) if self._address.scheme == "s3" else about.get("metadata")
            # One stream: the library's several would each hold 50 MB.
            system.get_file(key, target, **({"max_concurrency": 1} if self._address.scheme == "s3" else {}))
        if os.stat(target).st_size != int(about["size"]):
            raise self._doubtful(path, "it broke off")
        if sha256 := (kept or {}).get(SHA256):
            with open(target, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise self._doubtful(path, "what came is not what was sent")

    def find(self, path: str) -> Blob | None:
        """What is there."""
        try:
            with self._told(path):
                about = self._system().info(self._root + path)
        except BlobNotFound:
            return None
        return self._blob(path, about) if about["type"] == "file" else None

    def remove(self, path: str) -> None:
        """Remove an object; one that is not there is as good."""
        with contextlib.suppress(BlobNotFound), self._told(path):
            self._system().rm_file(self._root + path)

    def list(self, prefix: str) -> Iterator[Blob]:
        """The objects whose names start with `prefix`, by name."""
        folder, _, name = (self._root + prefix).rpartition("/")
        with self._told(prefix, of_the_bucket=True):
            system = self._system()
            found = system.find(folder, prefix=name, detail=True)
            if not found and self._address.scheme in ("az", "abfs") and not system.exists(self._address.host):
                raise FileNotFoundError("no such container")  # the library takes it for an empty one
        for key, about in sorted(found.items()):
            if (
                about["type"] == "file"
                and key.startswith(self._root + prefix)
                and key not in (self._root, self._root + _OWNER)
            ):
                yield self._blob(key.removeprefix(self._root), about)

    def close(self) -> None:
        """Give back the connections."""
        self._stores.close()

    def _blob(self, path: str, about: Mapping[str, Any]) -> Blob:
        return Blob(path, int(about["size"] or 0), datetime.fromtimestamp(modified_of(about) or 0.0, UTC))

    def _system(self) -> Any:
        given = dict(self._options)
        if self._address.scheme == "s3":
            given["config_kwargs"] = {"retries": {"max_attempts": TRIES}, **given.get("config_kwargs", {})}
        system = self._stores.open(
            self._address, given, connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S, note=lambda _: None
        )
        if not self._is_ours:
            self._claim(system)
        return system

    def _claim(self, system: Any) -> None:
        """Nobody else may keep anything here: what our log does not name is removed."""
        key, mine = self._root + _OWNER, hashlib.sha256(f"storage {self._secret()}".encode()).hexdigest()
        try:
            there = system.cat_file(key)
        except FileNotFoundError:
            upload(system, self._address.scheme, mine.encode(), key, {})
            there = system.cat_file(key)  # of two that come at once, the later one has it
        if there != mine.encode():
            raise StorageError(
                f"storage: {self._shown('')} belongs to another installation",
                path=_OWNER,
                hint="Name another bucket or prefix; or delete its object `.installation`, if that one is no more",
                transient=False,
            )
        self._is_ours = True

    def _doubtful(self, path: str, what: str) -> StorageError:
        return StorageError(
            f"storage: {self._shown(path)}: {what}",
            path=path,
            hint="Does somebody else write there? A place belongs to one installation",
            transient=True,
        )

    def _shown(self, path: str) -> str:
        return f"{self._address.scheme}://{self._root}{path}"

    @contextlib.contextmanager
    def _told(self, path: str, *, of_the_bucket: bool = False) -> Iterator[None]:
        """What the library raises, in our words.

        Args:
            of_the_bucket: Only that can be missing; else it may be the object.
        """
        with self._lock:
            if self._silent is not None and self._clock.monotonic() < self._silent[0]:
                raise self._silent[1]
        try:
            yield
        except StorageError:
            raise
        except FileNotFoundError as error:
            if of_the_bucket:
                raise self._explained(error, path) from error
            next(self.list(path), None)  # an answer about one object does not say whether the bucket is there
            raise BlobNotFound(
                f"storage: there is no {path!r}", path=path, hint="It was deleted, or never written", transient=False
            ) from error
        except Exception as error:
            raise self._explained(error, path) from error

    def _explained(self, error: Exception, path: str) -> StorageError:
        found: CollectError = told(
            error,
            self._shown(path),
            scheme=self._address.scheme,
            provider=self._address.provider,
            options={**self._options, "": [self._address.user, self._address.password]},
            listing=True,
            host=host_of(self._address, self._options) or self._address.shown,
        )
        hint = (found.hint or "try again").replace("`url`", "`storage.url`").replace("`options`", "`storage.options`")
        if "timeout.connect" in hint:
            hint = "is the store up, and may this machine reach it?"
        explained = StorageError(f"storage: {found}", path=path, hint=hint, transient=found.transient)
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            with self._lock:
                self._silent = self._clock.monotonic() + REST_S, explained
        return explained
