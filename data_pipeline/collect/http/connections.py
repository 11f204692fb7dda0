"""Pooled connections, one pool for each way of reaching a provider."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from data_pipeline.collect.addresses import DEFAULT_PORTS, shown
from data_pipeline.collect.http.credentials import Credentials, plain_text
from data_pipeline.collect.http.tls import tls_context
from data_pipeline.errors import ProviderRefused

if TYPE_CHECKING:
    import httpx

    from data_pipeline.collect.http.oauth import Authorizer

__all__ = ["Connections", "Credentials", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """How a provider is reached: requests that agree in all of this share a pool of connections.

    Attributes:
        public_too: `ca` is trusted beside the public authorities, not instead of them.
    """

    proxy: str = ""
    verify: bool = True
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""
    allow_private: bool = True
    public_too: bool = False

    @classmethod
    def of(cls, settings: Any, *, public_too: bool = False) -> Self:
        """From a provider's settings (`proxy`, `tls`, `allow_private`); what is not there keeps its default."""
        tls = getattr(settings, "tls", None)
        return cls(
            proxy=plain_text(getattr(settings, "proxy", "")),
            verify=bool(getattr(tls, "verify", True)),
            ca=plain_text(getattr(tls, "ca", "")),
            client_cert=plain_text(getattr(tls, "client_cert", "")),
            client_key=plain_text(getattr(tls, "client_key", "")),
            allow_private=bool(getattr(settings, "allow_private", True)),
            public_too=public_too,
        )

    def to_a_stranger(self) -> Self:
        """The way to another host that this provider sent us to: its own trust and certificate stay at home."""
        return replace(self, verify=True, ca="", client_cert="", client_key="")

    def look_behind_the_proxy(self, url: str, timeout: float) -> None:
        """A proxy resolves names for us; when only public addresses are allowed, look at them before it does.

        Raises:
            ProviderRefused: the name is at a private address. `timeout`: seconds to resolve it.
        """
        if self.allow_private or not self.proxy:
            return
        import httpcore

        from data_pipeline.collect.http.network import refuse_private, resolve

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
        try:
            found = resolve(host, port, timeout)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            return  # behind a proxy our own resolver often knows nothing
        refuse_private(host, found)


class Connections:
    """The pools, made when they are first needed; may be used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[Route, httpx.HTTPTransport] = {}
        self._authorizer: Authorizer | None = None

    @contextmanager
    def answer(self, route: Route, request: "httpx.Request") -> "Iterator[httpx.Response]":
        """What comes to exactly this request: no redirect is followed, no cookie kept; the body is not read yet.

        There is no `httpx.Client` around the pool: what it adds we would switch off, at a third of a request's cost.

        Raises:
            httpx.TransportError: no answer came.
            ProviderRefused: a certificate, key or proxy of the configuration cannot be used.
        """
        response = self._pool(route, request).handle_request(request)
        try:
            yield response
        finally:
            response.close()

    def proxy_of(self, route: Route, url: "str | httpx.URL") -> str:
        """The proxy on the way to an address: that of the provider, else of the environment; "": none."""
        if route.proxy or not route.allow_private or not self._environment:
            # With `allow_private: false` the proxy would resolve the name where we cannot see it.
            return route.proxy
        return _proxy_for(str(url), self._environment)

    def _pool(self, route: Route, request: "httpx.Request") -> "httpx.HTTPTransport":
        """The pool for a request; proxies of the environment are found here."""
        proxy = self.proxy_of(route, request.url)
        if proxy != route.proxy:
            route = replace(route, proxy=proxy)
        pool = self._pools.get(route)
        if pool is None:
            with self._lock:
                pool = self._pools.get(route)
                if pool is None:
                    pool = self._pools[route] = _new_pool(route)
        return pool

    @cached_property
    def _environment(self) -> dict[str, str]:
        """The proxies of the environment, by scheme; looked up once, for it has many variables."""
        import urllib.request

        return urllib.request.getproxies_environment()

    @property
    def authorizer(self) -> "Authorizer":
        """Who fetches and renews tokens over these connections."""
        if self._authorizer is None:
            from data_pipeline.collect.http.oauth import Authorizer

            with self._lock:
                self._authorizer = self._authorizer or Authorizer(self)
        return self._authorizer

    def close(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()


def _new_pool(route: Route) -> "httpx.HTTPTransport":
    import httpx

    from data_pipeline.collect.http.network import DeadlineBackend

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=15.0)
    context = tls_context(route)
    try:
        transport = httpx.HTTPTransport(verify=context, proxy=route.proxy or None, limits=limits, trust_env=False)
    except ImportError as error:
        raise ProviderRefused(
            "`proxy` of the provider speaks SOCKS, for which a package is missing",
            hint="install it with `pip install httpx[socks]`, or name an HTTP proxy",
        ) from error
    except ValueError as error:
        # The error may repeat the address with its password.
        raise ProviderRefused(
            f"`proxy` of the provider cannot be used: {shown(route.proxy)} is not the address of a proxy",
            hint="write `proxy` as http://host:port or https://host:port",
        ) from error
    # A private name of httpx and httpcore, whose public constructors do not let us through; if a release renames it,
    # dripping providers are cut late again, and tests/data_pipeline/collect/test_http_faults.py says so.
    transport._pool._network_backend = DeadlineBackend(public_only=not route.allow_private and not route.proxy)
    return transport


def _proxy_for(url: str, proxies: dict[str, str]) -> str:
    import urllib.request

    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or urllib.request.proxy_bypass(host):
        return ""
    return proxies.get(parts.scheme, proxies.get("all", ""))
