"""Publish the table as an object of a bucket (S3, GCS, Azure): a reader sees the old one or the new one."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.errors import Fault
from data_pipeline.collect.files.store_errors import told
from data_pipeline.collect.files.stores import Address, Stores, host_of, parse_address
from data_pipeline.collect.files.uploads import SHA256, upload
from data_pipeline.errors import CollectError, PublishError
from data_pipeline.publish.file_format import checked_name, filled, names_each, write_table
from data_pipeline.publish.sink import Published, PublishRequest

__all__ = ["ObjectStoreSink", "Options"]

READ_TIMEOUT_S = 60.0
"""How long we wait for the store to take a part, or to copy an object."""

TRIES = 2
"""How often a single request to S3 is made again: a part that is refused does not cost the whole upload."""


def _checked(url: str) -> str:
    try:
        address = parse_address(url)
    except ValueError as error:
        raise Fault(str(error), hint="Write the whole address, such as `s3://bucket/out/{dataset}.parquet`.") from error
    if not address.has_buckets:
        hint = "Write `kind: file` and `path`." if address.scheme == "file" else "Publish to s3://, gs:// or az://."
        raise Fault(f"`{address.scheme}://` is no store of buckets", hint=hint)
    if address.path.endswith("/"):
        raise Fault("names a folder", hint="Write the whole key, such as `s3://bucket/out/{dataset}.parquet`.")
    checked_name(address.path)
    return url


class Options(BaseModel):
    """`{kind: object_store, url: "s3://bucket/out/{dataset}.parquet"}`.

    Attributes:
        url: Its suffix says the format, its placeholders are those of kind file. A user part is secret.
        options: For the file system, as of `collect` (object_store). All secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["object_store"] = "object_store"
    url: Annotated[str, AfterValidator(_checked)] = Field(repr=False)
    options: dict[str, Any] = Field(default={}, repr=False)


class ObjectStoreSink:
    """Writes whole tables.

    A put of one object, an upload in parts and a copy are each seen by readers wholly or not at all in these stores.
    Rows are written to a temporary file first, so that a fault among them costs nothing in the store; it is sent from
    there, so that memory does not grow with it.
    """

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._stores = Stores()

    def name_of(self, options: Any) -> str:
        """The address as written, without who asks; and the server, when it is one of somebody's own."""
        address = parse_address(options.url)
        server, usual = host_of(address, options.options), host_of(address, {"endpoint_url": ""})
        at = f" at {server}" if server and server != usual else ""
        return f"{address.shown}{address.path}{at}"

    def server_of(self, options: Any) -> str:
        address = parse_address(options.url)
        return host_of(address, options.options) or address.shown

    def wants_every(self, options: Any) -> bool:
        """A key that names version or day is another object each time."""
        return names_each(parse_address(options.url).path)

    revocable: ClassVar[bool] = True

    def publish(self, request: PublishRequest) -> Published:
        """See `Sink.publish`."""
        place = self._place(request)
        return Published(place.upload(request, place.key))

    def prepare(self, request: PublishRequest) -> Published:
        """Upload it beside its key, and lay aside a copy of what stands there now."""
        place = self._place(request)
        self.clear(request)
        rows = place.upload(request, place.staged)
        if not place.copy(place.key, place.before):
            place.mark(place.nothing)
        return Published(rows)

    def put(self, request: PublishRequest) -> None:
        """Have the store copy what was prepared; no longer there: it was copied already."""
        place = self._place(request)
        if place.copy(place.staged, place.key):
            place.remove(place.staged)

    def take_back(self, request: PublishRequest) -> None:
        """What stood there before, or nothing. What was laid aside stays until `clear`: so this may be done twice."""
        place = self._place(request)
        if not place.copy(place.before, place.key) and place.exists(place.nothing):
            place.remove(place.key)

    def clear(self, request: PublishRequest) -> None:
        place = self._place(request)
        for key in (place.staged, place.before, place.nothing):
            place.remove(key)

    def close(self) -> None:
        """Give back the connections."""
        self._stores.close()

    def _place(self, request: PublishRequest) -> "_Place":
        options: Any = request.options
        address = parse_address(options.url)
        given = dict(options.options)
        if address.scheme == "s3":
            given["config_kwargs"] = {"retries": {"max_attempts": TRIES}, **given.get("config_kwargs", {})}

        def opened() -> Any:
            return self._stores.open(
                address, given, connect=request.connect_timeout, read=READ_TIMEOUT_S, note=lambda _: None
            )

        path = filled(f"{address.host}{address.path}", request)
        return _Place(opened, address, path, options.options, request.version)


@dataclass(frozen=True, slots=True)
class _Place:
    """A key of a bucket, and what lies beside it while its version goes to several sinks together.

    Every method raises PublishError when the store does not do it.
    """

    opened: Callable[[], Any]
    address: Address
    key: str
    options: dict[str, Any]
    version: str

    @property
    def staged(self) -> str:
        """The version, before it comes to its key."""
        return self._beside("staged")

    @property
    def before(self) -> str:
        """A copy of what stood there."""
        return self._beside("before")

    @property
    def nothing(self) -> str:
        """Says that nothing stood there."""
        return self._beside("nothing")

    def upload(self, request: PublishRequest, key: str) -> int:
        """Write the table, send it, and see that it arrived; gives the number of rows."""
        with _scratch() as file:
            with _on_disk():
                rows = write_table(self.key, file, request)
                size = file.tell()
                file.seek(0)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it can be read
            with self._told():
                system = self.opened()
                metadata = {"dataset": request.dataset, "version": request.version, SHA256: sha256}
                upload(system, self.address.scheme, file.name, key, metadata)
                self._verify(system, key, size, sha256)
        return rows

    def copy(self, source: str, target: str) -> bool:
        """Have the store copy an object; whether there was one."""
        with self._told():
            system = self.opened()
            if not system.exists(source):
                return False
            system.cp_file(source, target)
            return True

    def exists(self, key: str) -> bool:
        with self._told():
            return bool(self.opened().exists(key))

    def mark(self, key: str) -> None:
        """Leave an empty object."""
        with self._told():
            self.opened().pipe_file(key, b"")

    def remove(self, key: str) -> None:
        """No longer there is as good."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            self.opened().rm_file(key)

    def _beside(self, role: str) -> str:
        folder, _, name = self.key.rpartition("/")
        return f"{folder}/.{name[:200]}.{self.version}.{role}"

    def _verify(self, system: Any, key: str, size: int, sha256: str) -> None:
        """The store checks each part by a checksum of the library; here: is it ours, and whole?"""
        found = system.info(key)
        if found["size"] != size:
            raise PublishError(
                f"{self._where}: {found['size']:,} of {size:,} bytes are there",
                hint="does somebody else write this key?",
                transient=True,
            )
        if self.address.scheme == "s3" and system.metadata(key).get(SHA256) != sha256:
            raise PublishError(
                f"{self._where}: another object is there", hint="does somebody else write this key?", transient=True
            )

    @property
    def _where(self) -> str:
        return f"{self.address.scheme}://{self.key}"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except PublishError:
            raise
        except CollectError as error:  # a library is missing
            raise PublishError(str(error), hint=error.hint) from error
        except Exception as error:
            host = host_of(self.address, self.options)
            found = told(
                error,
                self._where,
                scheme=self.address.scheme,
                provider=self.address.provider,
                options=self.options,
                listing=True,
                host=host or self.address.shown,
            )
            away = bool(getattr(found, "unreached", ""))
            raise PublishError(str(found), hint=found.hint, transient=found.transient, away=away) from error


@contextlib.contextmanager
def _scratch() -> "Iterator[IO[bytes]]":
    """A temporary file for the table."""
    with _on_disk():
        file = tempfile.NamedTemporaryFile(prefix="publish-")  # noqa: SIM115 - closed below; its place may be full
    with file:
        yield file


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{tempfile.gettempdir()}: no temporary file for the table ({error.strerror or error})",
            hint="make room there, or set TMPDIR to a folder with room that this user may write to",
            transient=True,
        ) from error
