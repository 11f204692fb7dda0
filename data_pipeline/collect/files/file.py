"""Collect files of this machine: one path, all that match a pattern, or members of zip archives."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from data_pipeline.collect import placeholders
from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.unread import Which
from data_pipeline.collect.files.wildcards import has_magic, split_members
from data_pipeline.dataset import Collected

__all__ = ["FileCollector", "Options"]

PROVIDER = "file"


class Options(Which):
    """`collect: {kind: file, …}`. What else it takes, see `Which`.

    Attributes:
        path: A file, or a pattern (`*`, `?`, `[…]`, `**`); behind `.zip!` a pattern of the archive's members.
            Placeholders are filled in. A relative path starts at the configuration file that names it.
    """

    kind: Literal["file"] = "file"
    path: str = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _location(cls, path: str) -> str:
        if path.lower().startswith("file://"):
            raise ValueError("write a path, not a file:// address")
        scheme, separator, _ = path.partition("://")
        if separator and scheme.isalnum():
            raise ValueError(
                f"`{scheme}://` is no path; kind object_store takes such addresses, kind http those of the web"
            )
        return checked(path)


def checked(path: str) -> str:
    """A path or address that may be looked for.

    Raises:
        ValueError: it holds a null character, an unknown placeholder, or nothing behind `!`.
    """
    if "\0" in path:
        raise ValueError("a path cannot hold a null character")
    if split_members(path)[1] == "":
        raise ValueError("name the members behind `!`, for example `a.zip!*.csv`")
    return placeholders.check(path)


class FileCollector:
    """Brings files as they lie there. What was hashed is what is parsed: a file that changes meanwhile is refused."""

    Options: ClassVar[type] = Options

    def provider_of(self, options: Any, dataset: str) -> str:
        return PROVIDER

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. Files of a pattern come sorted by name; each is a request of its own."""
        options: Options = request.options
        return gather_local(request, options.path, options)

    def close(self) -> None:
        """Nothing is kept open."""


def gather_local(request: CollectRequest, path: str, which: Which, *, key: str = "path") -> Collected:
    """What `gather` brings from a path of this machine."""
    from data_pipeline.collect.files.gather import gather
    from data_pipeline.collect.files.listing import Budget
    from data_pipeline.collect.files.local import LocalFiles

    budget = Budget()
    template, members = split_members(path)
    place = LocalFiles(request, template, budget, key=key)
    return gather(request, place, which, members=members, budget=budget, later="{" in template or has_magic(template))
