"""Files as a listing shows them, and what a place with files can do: list, tell names, read one."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.wildcards import escaped, has_magic
from data_pipeline.collect.placeholders import render
from data_pipeline.dataset import FileSeen, Payload
from data_pipeline.errors import CollectError, ProviderRefused

__all__ = ["Budget", "Found", "Place", "Reading", "filled", "fixed_part"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a listing.

    Attributes:
        path: As it is shown to people and kept in the ledger: complete, without user and password.
        modified: Epoch seconds; None: the server does not tell.
        etag: What else tells one content from another, if the server gives it.
    """

    path: str
    size: int
    modified: float | None
    etag: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read to its end. `close` gives back what is kept of it."""

    payload: Payload
    seen: FileSeen
    close: Callable[[], None] = lambda: None


class Place(Protocol):
    """Where files lie: folders of this machine, a bucket, an SFTP server."""

    shown: str
    """The path or pattern that is looked for, without secrets."""

    root: str
    """The folder, with its slash, below which all of them lie."""

    trusts_listing: bool
    """Whether equal path, size and time in two listings mean that nothing has to be read."""

    notes: list[str]
    """What a reader of the report should know about the place."""

    def find(self) -> list[Found]:
        """The files that the pattern means, by name. Raises `CollectError` when the place itself is not there."""
        ...

    def nothing(self) -> CollectError:
        """The error that says that no file is there."""
        ...

    def names(self, folder: str) -> Collection[str]:
        """The names in a folder; none when it is not there."""
        ...

    def read(self, found: Found) -> Reading:
        """Read one file to its end. One try; it may be called again."""
        ...


class Budget:
    """Bytes of small files that may be kept in memory at once, over all files of a collection."""

    def __init__(self, size: int = 64 * 2**20) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Whether there is room; if so, it is taken."""
        if size > self._left:
            return False
        self._left -= size
        return True


def filled(template: str, request: CollectRequest) -> str:
    """The path with its placeholders filled in. In a pattern what was filled in means only itself.

    Raises:
        ProviderRefused: a placeholder has no value, or its value would lead out of the folder.
    """
    magic = has_magic(template)

    def safe(value: str) -> str:
        if "\0" in value or ".." in value.replace("\\", "/").split("/"):
            raise ProviderRefused(
                f"{request.dataset}: a value for a placeholder in `{template}` leads out of its folder",
                hint="look at where the value (a cursor or a partition) comes from",
                provider=request.provider,
            )
        return escaped(value) if magic else value

    try:
        return render(template, request.values, encode=safe)
    except ValueError as error:
        raise ProviderRefused(f"{request.dataset}: {error}", provider=request.provider) from error


def fixed_part(template: str) -> str:
    """The folder before the first placeholder or wildcard, with its slash.

    >>> fixed_part("in/dt={run_date}/*.csv")
    'in/'
    """
    end = min((spot for sign in "{}*?[" if (spot := template.find(sign)) >= 0), default=len(template))
    return template[: template.rfind("/", 0, end) + 1]
