"""Opens the file systems behind `s3:// gs:// az:// sftp:// ftp://`, with our bounds on time."""

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from data_pipeline.collect.addresses import provider_name
from data_pipeline.errors import ProviderRefused

__all__ = ["SCHEMES", "Address", "Stores", "host_of", "parse_address"]

SCHEMES = ("s3", "gs", "az", "abfs", "sftp", "ftp", "file")
_BUCKETS = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""Stores of buckets, and the library that each needs."""

_PORTS = {"sftp": 22, "ftp": 21}
_HOSTS = {"s3": "s3.amazonaws.com", "gs": "storage.googleapis.com", "az": "blob.core.windows.net"}
_ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",), "az": ()}


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts; user and password only ever leave it for the server itself.

    Attributes:
        host: The server, or the bucket (container).
        path: Behind the host, with its leading slash; as written: placeholders and patterns still in it.
        account: Of `abfs://container@account…`.
    """

    scheme: str
    host: str
    path: str
    port: int | None = None
    user: str = ""
    password: str = ""
    account: str = ""

    @property
    def has_buckets(self) -> bool:
        return self.scheme in _BUCKETS

    @property
    def shown(self) -> str:
        """Without user and password, up to the host."""
        return f"{self.scheme}://{self.provider}"

    @property
    def provider(self) -> str:
        """The bucket, or host and port."""
        own = self.port is None or self.port == _PORTS.get(self.scheme)
        return self.host if own else f"{self.host}:{self.port}"


def parse_address(url: str) -> Address:
    """The parts of an address.

    Raises:
        ValueError: no address of a store that we can read; the text says what to write instead.
    """
    scheme, separator, rest = url.partition("://")
    scheme = {"s3a": "s3", "gcs": "gs", "abfss": "abfs", "ssh": "sftp"}.get(scheme.lower(), scheme.lower())
    if not separator:
        raise ValueError("`url` is a full address such as `s3://bucket/folder/*.csv`; for a path use kind file")
    if scheme in ("http", "https"):
        raise ValueError(f"`{scheme}://` addresses are read by kind http")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(f"`{scheme[:20]}://` is no store that can be read; known: {known}")
    if scheme == "file":
        return Address(scheme, "", "/" + rest.lstrip("/"))
    place, slash, path = rest.partition("/")
    login, _, host = place.rpartition("@")
    if re.search(r"[{}*?\[]", host.partition("]")[0].removeprefix("[")):
        raise ValueError(
            "a placeholder or wildcard in the host or bucket is not possible: it decides who the provider is"
        )
    if not host:
        raise ValueError(f"`{scheme}://` names no {'bucket' if scheme in _BUCKETS else 'host'}")
    if not path:
        raise ValueError(f"`{scheme}://{host}` names no file; write for example `{scheme}://{host}/folder/*.csv`")
    if scheme == "abfs" and login:
        return Address(scheme, login, slash + path, account=host.partition(".")[0])
    user, _, password = login.partition(":")
    if scheme in _BUCKETS:
        return Address(scheme, host, slash + path, user=unquote(user), password=unquote(password))
    name, port = _host_and_port(scheme, host)
    return Address(scheme, name, slash + path, port, unquote(user), unquote(password))


def host_of(address: Address, options: Mapping[str, Any]) -> str:
    """The name of the server that is spoken with; "" when the options hide it."""
    if not address.has_buckets:
        return address.host
    kind = "az" if address.scheme == "abfs" else address.scheme
    if "connection_string" in options:
        return ""
    client = options.get("client_kwargs")
    named = [options.get("endpoint_url"), client.get("endpoint_url") if isinstance(client, Mapping) else None]
    named += [os.environ.get(name) for name in _ENDPOINTS[kind]]
    endpoint = next((str(url) for url in named if url), "")
    return (urlsplit(endpoint).hostname or "") if endpoint else _HOSTS[kind]


def _host_and_port(scheme: str, host: str) -> tuple[str, int | None]:
    try:
        provider_name(f"{scheme}://{host}")
    except ValueError as error:
        raise ValueError(f"`{scheme}://{host}` has a port that is no number") from error
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    return name.strip("[]").lower(), int(port) if port else None


class Stores:
    """File systems by address and options. Those of buckets stay open; a server's connection serves one collection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Any] = {}

    def open(
        self, address: Address, options: Mapping[str, Any], *, connect: float, read: float, note: Callable[[str], None]
    ) -> Any:
        """An fsspec file system. `connect` and `read`: seconds.

        Raises:
            ProviderRefused: a library is missing.
            Exception: whatever the library raises when it cannot connect; see `store_errors`.
        """
        if address.scheme == "sftp":
            from data_pipeline.collect.files.sftp import SafeSftp

            return SafeSftp.connected(address, options, connect=connect, read=read, note=note)
        if address.scheme == "ftp":
            from data_pipeline.collect.files.ftp import SafeFtp

            return SafeFtp.connected(address, options, connect=connect, read=read)
        key = repr((address.scheme, address.account, address.user, address.password, sorted(options.items(), key=repr)))
        key += repr((connect, read))
        with self._lock:
            if key not in self._open:
                self._open[key] = _bucket_store(address, dict(options), connect, read)
            return self._open[key]

    def close(self) -> None:
        with self._lock:
            while self._open:
                close(self._open.popitem()[1])


def close(system: Any) -> None:
    """Give back the connections of one file system."""
    client = getattr(system, "client", None)
    ftp = getattr(system, "ftp", None)
    creator = getattr(system, "_s3creator", None)
    if creator is not None:
        system.close_session(system.loop, creator)
    elif client is not None and hasattr(client, "get_transport"):
        client.close()
    elif ftp is not None:
        ftp.close()


def _bucket_store(address: Address, options: dict[str, Any], connect: float, read: float) -> Any:
    library = _BUCKETS[address.scheme]
    try:
        import importlib

        # gcsfs itself gives a class that first asks by gRPC what kind of bucket it is, for up to a minute.
        module = importlib.import_module("gcsfs.core" if library == "gcsfs" else library)
    except ImportError as error:
        raise ProviderRefused(
            f"`{address.scheme}://` needs the library {library}, which is not installed",
            hint=f"install it: pip install {library}",
            provider=address.provider,
        ) from error
    # Our own retries, breaker and limits stand around each request; listings must be those of now.
    usual: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if library == "s3fs":
        bounds = {"connect_timeout": connect, "read_timeout": read, "retries": {"max_attempts": 0}}
        config = {**bounds, **options.pop("config_kwargs", {})}
        if address.user:
            options = {"key": address.user, "secret": address.password, **options}
        system = module.S3FileSystem(**usual, config_kwargs=config, **options)
        system.retries = 1
        system.session = _session(system.kwargs)
        return system
    if library == "gcsfs":
        return module.GCSFileSystem(**{**usual, "timeout": read, **options})
    if address.account:
        options = {"account_name": address.account, **options}
    return module.AzureBlobFileSystem(**{**usual, "connection_timeout": connect, "read_timeout": read, **options})


def _session(about: Mapping[str, Any]) -> Any:
    """The library's own, which does not ask before it sends: the wait for that answer has no bound in its transport."""
    from importlib import import_module

    session = import_module("aiobotocore.session").AioSession(**about)
    session.unregister("before-call.s3", import_module("botocore.handlers").add_expect_header)
    return session
