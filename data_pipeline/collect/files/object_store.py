"""Collect files from a bucket (S3, GCS, Azure) or a server (SFTP, FTP)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.file import checked, gather_local
from data_pipeline.collect.files.stores import Stores, parse_address
from data_pipeline.collect.files.unread import Which
from data_pipeline.collect.files.wildcards import has_magic, split_members
from data_pipeline.dataset import Collected

__all__ = ["ObjectStoreCollector", "Options"]


class Options(Which):
    """`collect: {kind: object_store, …}`. What else it takes, see `Which`.

    Attributes:
        url: `s3://bucket/key`, `gs://`, `az://container/blob`, `abfs://container@account…/blob`, `sftp://host/path`
            (`/~/` is the home folder), `ftp://`, `file:///path`. Patterns, placeholders and `.zip!` members as in
            kind file. A user part is secret.
        options: For the file system: `key secret token endpoint_url anon client_kwargs` of S3; `username password
            key_filename passphrase host_key known_hosts` of SFTP; `username password tls` of FTP; those of gcsfs and
            adlfs. All secret.
    """

    kind: Literal["object_store"] = "object_store"
    url: str = Field(min_length=1, repr=False)
    options: dict[str, Any] = Field(default={}, repr=False)

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parse_address(url)
        return checked(url)


class ObjectStoreCollector:
    """Brings files by fsspec. Listings and files are each a request of the provider; files are spooled, not held."""

    Options: ClassVar[type] = Options

    def __init__(self) -> None:
        self._stores = Stores()

    def provider_of(self, options: Any, dataset: str) -> str:
        return parse_address(options.url).provider or "file"

    def collect(self, request: CollectRequest) -> Collected:
        """See `Collector.collect`. Files of a pattern come sorted by name."""
        from data_pipeline.collect.files.gather import gather
        from data_pipeline.collect.files.listing import Budget
        from data_pipeline.collect.files.remote import RemoteFiles

        options: Options = request.options
        address = parse_address(options.url)
        if address.scheme == "file":
            return gather_local(request, address.path, options, key="url")
        template, members = split_members(address.path)
        budget = Budget()
        place = RemoteFiles(
            request, replace(address, path=template), _with_login(options.options, request), budget, self._stores
        )
        later = "{" in template or has_magic(template)
        try:
            return gather(request, place, options, members=members, budget=budget, later=later)
        finally:
            place.close()

    def close(self) -> None:
        self._stores.close()


def _with_login(options: Mapping[str, Any], request: CollectRequest) -> Mapping[str, Any]:
    """The options, and under them the user and password that the provider's `auth` names."""
    auth = getattr(request.settings, "auth", None)
    if auth is None or getattr(auth, "kind", "") != "basic":
        return options
    return {"username": auth.user, "password": auth.password, **options}
