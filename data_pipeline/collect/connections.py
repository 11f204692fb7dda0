"""Pooled HTTP clients, one for each way of reaching a provider, and the credentials that a request carries."""

import base64
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from data_pipeline.errors import ProviderRefused

if TYPE_CHECKING:
    import httpx

__all__ = ["Connections", "Credentials", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """How a provider is reached: requests that agree in all of this share a pool of connections."""

    proxy: str = ""
    verify: bool = True
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""
    allow_private: bool = True

    @classmethod
    def of(cls, settings: Any) -> Self:
        """From a provider's settings (`proxy`, `tls`, `allow_private`); what is not there keeps its default."""
        tls = getattr(settings, "tls", None)
        return cls(
            proxy=_text(getattr(settings, "proxy", "")),
            verify=bool(getattr(tls, "verify", True)),
            ca=_text(getattr(tls, "ca", "")),
            client_cert=_text(getattr(tls, "client_cert", "")),
            client_key=_text(getattr(tls, "client_key", "")),
            allow_private=bool(getattr(settings, "allow_private", True)),
        )

    def to_a_stranger(self) -> Self:
        """The way to another host that this provider sent us to: its own trust and certificate stay at home."""
        return replace(self, verify=True, ca="", client_cert="", client_key="")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows to its own provider, and to nobody else."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, settings: Any, url: str) -> Self:
        """From the provider's `headers` and `auth`, or from the user part of the address."""
        headers = tuple((str(name), _text(value)) for name, value in (getattr(settings, "headers", None) or {}).items())
        auth: Any = getattr(settings, "auth", None)
        kind = getattr(auth, "kind", "none")
        if kind == "basic":
            return cls((*headers, ("Authorization", _basic(_text(auth.user), _text(auth.password)))))
        if kind == "bearer":
            return cls((*headers, ("Authorization", f"Bearer {_text(auth.token)}")))
        if kind == "header":
            return cls((*headers, (_text(auth.name), _text(auth.value))))
        if kind == "query":
            return cls(headers, ((_text(auth.name), _text(auth.value)),))
        if kind != "none":
            raise ProviderRefused(f"auth kind `{kind}` is not supported yet", hint="use basic, bearer, header or query")
        parts = urlsplit(url)
        if parts.username is not None:
            headers = (*headers, ("Authorization", _basic(unquote(parts.username), unquote(parts.password or ""))))
        return cls(headers)

    def on(self, url: str) -> str:
        """The address as it is called: without user and password (a header by now), with the query's credentials."""
        parts = urlsplit(url)
        if "@" in parts.netloc:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        # A provider may hand out page links that hold its key already.
        extra = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.query if name not in given]
        return parts._replace(query="&".join([parts.query, *extra] if parts.query else extra)).geturl()


class Connections:
    """The clients, made when they are first needed; may be used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[Route, httpx.Client] = {}

    def client(self, route: Route, url: str) -> "httpx.Client":
        """The client for `url`; proxies of the environment are found here.

        Raises:
            ProviderRefused: a certificate, key or proxy of the configuration cannot be used.
        """
        if not route.proxy and route.allow_private:
            # With `allow_private: false` the proxy would resolve the name where we cannot see it.
            route = replace(route, proxy=_environment_proxy(url))
        client = self._clients.get(route)
        if client is None:
            with self._lock:
                client = self._clients.get(route)
                if client is None:
                    client = self._clients[route] = _new_client(route)
        return client

    def close(self) -> None:
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()


def _new_client(route: Route) -> "httpx.Client":
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    from data_pipeline.collect.network import DeadlineBackend

    # httpx logs every full address at INFO, tokens in the query included.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=15.0)
    try:
        transport = httpx.HTTPTransport(verify=_tls(route), proxy=route.proxy or None, limits=limits, trust_env=False)
    except (OSError, ValueError, ImportError) as error:
        raise ProviderRefused(
            f"the `tls` or `proxy` settings of the provider cannot be used: {error}",
            hint="check `tls.ca`, `tls.client_cert`, `tls.client_key` and `proxy`",
        ) from error
    # A private name of httpx and httpcore, whose public constructors do not let us through; if a release renames it,
    # dripping providers are cut late again, and tests/data_pipeline/collect/test_http_faults.py says so.
    transport._pool._network_backend = DeadlineBackend(public_only=not route.allow_private and not route.proxy)
    # A jar would carry one dataset's session into another's requests.
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(transport=transport, follow_redirects=False, trust_env=False, cookies=no_cookies)


def _tls(route: Route) -> Any:
    import ssl

    import httpx

    if not route.verify:
        context = httpx.create_ssl_context(verify=False)
    elif route.ca:
        context = ssl.create_default_context(cafile=route.ca)
    else:
        context = httpx.create_ssl_context()  # certifi's, or SSL_CERT_FILE and SSL_CERT_DIR where they are set
    if route.client_cert:
        context.load_cert_chain(route.client_cert, route.client_key or None)
    return context


def _environment_proxy(url: str) -> str:
    import urllib.request

    proxies = urllib.request.getproxies_environment()
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not proxies or host in ("localhost", "::1") or host.startswith("127."):
        return ""
    if urllib.request.proxy_bypass(host):
        return ""
    return proxies.get(parts.scheme, proxies.get("all", ""))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _text(value: Any) -> str:
    """Text, also of a masked secret (`get_secret_value`)."""
    reveal = getattr(value, "get_secret_value", None)
    return str(reveal() if reveal is not None else ("" if value is None else value))
