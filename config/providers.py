"""Who serves data, and how to talk to them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.errors import Fault, KeyPath, shown
from config.model import Section
from config.resilience import ProviderResilience
from config.variables import is_secret_key


class NoAuth(Section):
    """No proof of who asks."""

    kind: Literal["none"] = "none"


class BasicAuth(Section):
    """User and password in the `Authorization` header."""

    kind: Literal["basic"]
    user: str
    password: str


class BearerAuth(Section):
    """A token in the `Authorization` header."""

    kind: Literal["bearer"]
    token: str


class HeaderAuth(Section):
    """A header of any name."""

    kind: Literal["header"]
    name: str
    value: str


class QueryAuth(Section):
    """A parameter of the query string."""

    kind: Literal["query"]
    name: str
    value: str


def _token_url(value: str) -> str:
    scheme, separator, host = value.partition("://")
    if not value or (separator and (scheme.lower() not in ("http", "https") or not host)):
        raise Fault(
            f"expected an http(s) address, got {shown(value)}",
            hint="Write the address of the token endpoint, or its path under the provider's `base_url`.",
        )
    return value


class OAuth2Auth(Section):
    """A token that is fetched and renewed (RFC 6749): with the client's own credentials, or with a refresh token."""

    kind: Literal["oauth2"]
    token_url: Annotated[str, AfterValidator(_token_url)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: str = ""
    scope: str = ""
    refresh_token: str = ""


Auth = Annotated[NoAuth | BasicAuth | BearerAuth | HeaderAuth | QueryAuth | OAuth2Auth, Field(discriminator="kind")]

AUTH_SECRETS = ("password", "token", "value", "client_secret", "refresh_token")
"""Keys of `auth` that are secret even when they stand in the file as they are."""

PLAIN_OPTIONS = frozenset({"anon", "endpoint_url", "account_name", "username", "project", "tls"})
"""Of an object store: what is no secret by itself; all else may be one."""


def is_secret_place(path: KeyPath) -> bool:
    """Whether what is written there is never shown, whatever it is."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")  # of a list, the list's own
    if path[:2] == ("alerts", "channels") or path == ("alerts", "heartbeat", "url"):
        return True
    in_sink, in_collect = path[2:3] == ("publish",), path[2:3] == ("collect",)
    block = path[4:5] if in_sink else path[3:4] if in_collect else path[1:2] if path[0] == "storage" else ()
    if block == ("options",):
        return key not in PLAIN_OPTIONS
    if block == ("headers",) and in_sink:
        return True
    return is_secret_key(key) or ("auth" in path[:-1] and key in AUTH_SECRETS)


class TlsSettings(Section):
    """Certificates. Paths are absolute once loaded; "": the system's authorities, no client certificate."""

    verify: bool = True
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""


class ProviderSettings(Section):
    """One provider. `Settings.provider(name)` gives it with the defaults' resilience laid under its own."""

    base_url: str = ""
    auth: Auth = NoAuth()
    headers: dict[str, str] = Field(default_factory=dict)
    proxy: str = ""
    tls: TlsSettings = TlsSettings()
    allow_private: bool = True
    owner: str = ""
    runbook: str = ""
    resilience: ProviderResilience = ProviderResilience()
