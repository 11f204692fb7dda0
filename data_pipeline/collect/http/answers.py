"""Say in our words how a request failed: may it pass, was it refused, how long does the provider want to rest."""

import re
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data_pipeline.collect.http.tls import explained
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderRefused, ProviderUnavailable
from utils.resilience.retry_after import retry_after

if TYPE_CHECKING:
    import httpx

__all__ = ["media_type", "status_error", "transport_error"]

_TRANSIENT = {408, 425, 429}
_PHRASES = {
    206: "it sent only a part of what was asked for",
    401: "credentials are missing or wrong",
    403: "access is forbidden",
    404: "nothing is at this address",
    410: "the address is gone for good",
    405: "the method is not allowed there",
    406: "it cannot send what `headers: {Accept: …}` asks for",
    407: "the proxy wants credentials",
    451: "it is blocked for legal reasons",
}
_THROTTLED = "ask less often: lower `rate_limit` of the provider, or collect less at a time"
_NO_CONNECTION = "is the server up, are its name and port in `url` right, and may this machine reach it?"
_THEIRS = "the fault is on the provider's side; it is asked again at the next try, and its owner may know more"
_HINTS = {
    401: "check `auth` of the provider",
    403: "check `auth` of the provider, its rate limit, and whether your network is allowed there",
    404: "check `url` and `params`",
    410: "look for the provider's new address and set `url`",
    407: "put user and password into `proxy`",
}

_NO_PROXY = "is the proxy up? It is `proxy` of the provider, else the one that the environment names"


def status_error(
    what: str, provider: str, status: int, headers: Mapping[str, str], now: datetime, said: str = ""
) -> CollectError:
    """The error for a status that brought no data. `what`: dataset and address; `said`: the start of the answer."""
    said = f': "{said}"' if said else ""
    if status in _TRANSIENT or status >= 500:
        wait = retry_after(headers.get("retry-after", ""), now=now, date=headers.get("date", ""))
        resting = f", asks to wait {wait:g} s" if wait else ""
        hint = _THROTTLED if status == 429 else _THEIRS if status >= 500 else ""
        return ProviderUnavailable(
            f"{what} answered {status}{resting}{said}", hint=hint, provider=provider, status=status, retry_after=wait
        )
    if status == 304:
        return PayloadUnreadable(
            f"{what} answered 304 (not modified) to a request without conditions", provider=provider
        )
    hint = _HINTS.get(status, "read the provider's documentation of this address")
    if status == 403 and headers.get("x-ratelimit-remaining") == "0":
        hint = "the rate limit is used up: ask less often, or with credentials"
    phrase = _PHRASES.get(status, "the request was not accepted")
    return ProviderRefused(f"{what} answered {status}: {phrase}{said}", hint=hint, provider=provider, status=status)


def transport_error(
    what: str, provider: str, error: "httpx.TransportError | httpx.InvalidURL", *, url: str, by_proxy: bool = False
) -> CollectError:
    """The error for a request that got no (whole) answer.

    `by_proxy`: a proxy was on the way to `url`, so it is the proxy that could not be connected to.
    """
    import httpx

    cause = _tls_cause(error)
    if cause is not None:
        reason, hint = explained(cause)
        return ProviderRefused(f"{what}: no trusted TLS connection ({reason})", hint=hint, provider=provider)
    text = str(error) or type(error).__name__
    if isinstance(error, httpx.LocalProtocolError):
        text = re.split(r" b['\"]", text)[0]  # it repeats the whole header, a secret perhaps
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return ProviderRefused(
            f"{what}: the request cannot be made ({text})", hint="check `url`, `headers`", provider=provider
        )
    hint = ""
    if by_proxy and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        reason, hint = f"no connection to the proxy ({text})", _NO_PROXY
    elif isinstance(error, httpx.ConnectTimeout):
        reason, hint = f"no connection in time ({text})", _NO_CONNECTION
    elif isinstance(error, httpx.TimeoutException):
        reason, hint = f"no answer in time ({text})", "`timeout.read` of the dataset says how long we wait"
    elif isinstance(error, httpx.ProxyError):
        if text.startswith("407"):
            return ProviderRefused(
                f"{what}: the proxy wants other credentials ({text})", hint=_HINTS[407], provider=provider, status=407
            )
        return ProviderUnavailable(f"{what}: the proxy failed ({text})", hint="check `proxy`", provider=provider)
    elif isinstance(error, httpx.ConnectError):
        reason, hint = f"no connection ({text})", _NO_CONNECTION
    elif isinstance(error, httpx.RemoteProtocolError):
        reason, hint = f"the answer was cut off or is not HTTP ({text})", _THEIRS
    else:
        reason = f"the connection broke ({text})"
    return ProviderUnavailable(
        f"{what}: {reason}", hint=hint, provider=provider, unreached=urlsplit(url).hostname or ""
    )


def media_type(header: str) -> tuple[str, str]:
    """Media type and charset of a `Content-Type` header, lower case; empty where it says nothing.

    >>> media_type('text/csv; header=present; charset="ISO-8859-9"')
    ('text/csv', 'iso-8859-9')
    """
    kind, *parameters = header.split(";")
    charset = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower()
    return kind.strip().lower(), charset


def _tls_cause(error: BaseException) -> ssl.SSLError | None:
    """The TLS failure behind an error, unless it is only a connection that broke while TLS was spoken."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            broken = isinstance(seen, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
            return None if broken else seen
        seen = seen.__cause__ or seen.__context__
    return None
