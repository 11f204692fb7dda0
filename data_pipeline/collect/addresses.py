"""Which provider an address belongs to, how it is shown to people, and whether it is public."""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit

__all__ = ["DEFAULT_PORTS", "file_name", "is_metadata", "is_public", "led_to", "provider_name", "same_origin", "shown"]

DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_METADATA = tuple(
    ipaddress.ip_network(net)
    for net in (
        *("169.254.169.0/24", "169.254.170.0/24", "169.254.42.42", "169.254.0.23", "168.63.129.16", "100.100.100.200"),
        *("fd00:ec2::/32", "fd20:ce::254", "fe80::a9fe:a9fe"),
    )
)
"""169.254.169.254 is that of most clouds; the others are of AWS, Azure, Google, Scaleway, Tencent and Alibaba."""
_LONGEST_SHOWN = 300
_ORIGIN = re.compile(r"[a-z]{2,8}://[^/?#\s@\[\\]+(?=/)", re.ASCII)
"""Scheme, host and port of a plain address; one with a user part, or odd in any other way, is looked at as a whole."""


def provider_name(url: str) -> str:
    """Host, with the port when it is not the scheme's own.

    >>> provider_name("https://user:secret@API.example.org:8443/x")
    'api.example.org:8443'

    Raises:
        ValueError: the address has no host, or a port that is no number.
    """
    origin = _ORIGIN.match(url)
    name = _named(origin[0]) if origin else _named(url)
    if not name:
        raise ValueError(f"`{shown(url)}` names no host")
    return name


@lru_cache(4096)  # ten thousand addresses belong to a few providers
def _named(address: str) -> str:
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    if not host:
        return ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    return host if port is None or port == DEFAULT_PORTS.get(parts.scheme.lower()) else f"{host}:{port}"


def same_origin(one: str, other: str) -> bool:
    """Whether credentials meant for `one` may be shown to `other`: same scheme, host and port (RFC 6454).

    The step from http to https on the same host, both on their own ports, loses nothing and counts as the same.
    """
    a, b = urlsplit(one), urlsplit(other)
    if (a.hostname or "").lower() != (b.hostname or "").lower():
        return False
    upgraded = (a.scheme, b.scheme) == ("http", "https") and a.port in (None, 80) and b.port in (None, 443)
    return upgraded or (a.scheme == b.scheme and _port(a) == _port(b))


def shown(url: str) -> str:
    """The address for people and logs: without user, password, query and fragment, where secrets like to stand.

    What a stranger wrote is made fit for one line.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
    address = "".join(letter if letter.isprintable() else "\ufffd" for letter in address[: _LONGEST_SHOWN + 1])
    if len(address) > _LONGEST_SHOWN:
        address = address[:_LONGEST_SHOWN] + "…"
    return address + ("?…" if parts.query else "")


def led_to(here: str, target: str) -> str:
    """The address that a provider sends us to, from `here`; without fragment.

    Raises:
        ValueError: it is none that can be asked over HTTP; the words say why.
    """
    try:
        url = urljoin(here, target).partition("#")[0]
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{shown(url)} is not HTTP")
        provider_name(url)
        url.encode()
    except UnicodeError as error:
        raise ValueError("the address has half a letter in it") from error
    return url


def file_name(url: str) -> str:
    """The last piece of the address's path."""
    return urlsplit(url).path.rpartition("/")[2]


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet; the IPv4 address inside an IPv6 one is looked at as well."""
    ip = _innermost(address)
    return ip.is_global and not ip.is_multicast


def is_metadata(address: str) -> bool:
    """Whether a cloud may answer at this IP address with the credentials of the machine that asks.

    >>> is_metadata("169.254.169.254"), is_metadata("::ffff:169.254.169.254"), is_metadata("10.0.0.1")
    (True, True, False)
    """
    ip = _innermost(address)
    return any(ip in net for net in _METADATA)


def _innermost(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IP address; of an IPv6 one that holds an IPv4 one, that."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour
        if inside is None and (ip in _NAT64 or ip in _COMPATIBLE):
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            ip = inside
    return ip


def _port(parts: SplitResult) -> int | None:
    return parts.port or DEFAULT_PORTS.get(parts.scheme)
