"""Sockets that know the task's deadline, give up name resolution in time, and can refuse private addresses."""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from data_pipeline.collect.addresses import is_metadata, is_public
from data_pipeline.errors import ProviderRefused
from utils import network
from utils.resilience.cancellation import check_cancelled
from utils.resilience.deadline import remaining

__all__ = ["DeadlineBackend", "resolve"]

_SLICE = 1.0
"""Seconds to block at a time, so that a cancelled run does not wait for a silent provider."""


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects and reads no longer than the deadline around the request allows.

    httpx bounds each single read; a provider that drips one byte a second, in the body or already in the headers,
    would never be late. Here every read asks how much time the whole task has left.

    Args:
        public_only: Refuse addresses that are not public. The address that was judged is the one that is connected
            to, so a name cannot resolve to something else in between (DNS rebinding).
    """

    def __init__(self, *, public_only: bool = False) -> None:
        self._backend = httpcore.SyncBackend()
        self._public_only = public_only

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        until = time.monotonic() + timeout
        addresses = resolve(host, port, timeout)
        if host not in addresses:
            refuse_metadata(host, addresses)  # behind a name; as an address only the configuration may mean it
        if self._public_only:
            refuse_private(host, addresses)
        for position, address in enumerate(addresses, start=1):
            left = until - time.monotonic()
            if left <= 0:
                raise httpcore.ConnectTimeout(f"no connection to {host} within {timeout:g} s")
            try:
                stream = self._backend.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
            else:
                return _DeadlineStream(stream)
        raise httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._backend.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _bounded(timeout, httpcore.ReadTimeout)
        while True:
            check_cancelled()
            try:
                return self._stream.read(max_bytes, min(left, _SLICE))
            except httpcore.ReadTimeout:
                left -= _SLICE
                if left <= 0:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def resolve(host: str, port: int, timeout: float) -> list[str]:
    """The host's addresses, in the order in which the system would try them.

    Raises:
        httpcore.ConnectError, httpcore.ConnectTimeout: the name is unknown, or nobody answered in `timeout` seconds.
    """
    try:
        return network.resolve(host, port, timeout)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(f"the name {host} could not be resolved ({error.strerror or error})") from error


def refuse_private(host: str, addresses: Iterable[str]) -> None:
    """Raises `ProviderRefused` when one of the addresses is not public."""
    for address in addresses:
        if not is_public(address):
            raise ProviderRefused(
                f"{host} is at {address}, which is not a public address",
                hint="set `allow_private: true` at this provider if that is meant",
                provider=host,
            )


def refuse_metadata(host: str, addresses: Iterable[str]) -> None:
    """Raises `ProviderRefused` when one of the addresses may be where a cloud gives this machine its credentials.

    Whoever owns a name, or answers with a redirect, decides where it leads: what is there would come back as data.
    """
    for address in addresses:
        if is_metadata(address):
            raise ProviderRefused(
                f"{host} leads to {address}, where a cloud gives this machine its credentials",
                hint="a provider has nothing there; if you mean it, write that address itself as `url`",
                provider=host,
            )


def _bounded(timeout: float | None, late: type[Exception]) -> float:
    check_cancelled()
    left = remaining()
    if left <= 0:
        raise late("the time given to the whole collection is over")
    return min(left, 3600.0 if timeout is None else timeout)
