"""What a request shows to its own provider, and to nobody else."""

import base64
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from data_pipeline.errors import ProviderRefused

__all__ = ["Credentials", "hidden", "plain_text"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHORTEST_SECRET = 4
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers and query parameters of the provider.

    Attributes:
        oauth2: The settings of a token that must be fetched first; `Authorizer` adds it with `with_token`.
        where: Whose settings these are, for messages.
        secrets: Texts that must not be repeated to anybody, even when the provider sends them back.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    oauth2: Any = field(default=None, repr=False)
    where: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Any, url: str, auth: Any = None, *, provider: str = "", dataset: str = "") -> Self:
        """From `auth` (the dataset's own), or else the provider's, or else the user part of the address.

        The provider's `headers` come along in any case.

        Raises:
            ProviderRefused: a value cannot be sent.
        """
        where = f"`collect.auth` of dataset {dataset}" if auth is not None else f"`auth` of provider {provider}"
        headers = tuple(
            _header(f"`headers` of provider {provider}", str(name), plain_text(value))
            for name, value in (getattr(settings, "headers", None) or {}).items()
        )
        if auth is None:
            auth = getattr(settings, "auth", None)
        kind = getattr(auth, "kind", "none")
        if kind == "none":
            parts = urlsplit(url)
            if parts.username is None:
                return cls(headers, where=where)
            user, password = unquote(parts.username), unquote(parts.password or "")
            return cls(headers, where="the address")._showing(_basic(user, password), password)
        bare = cls(headers, where=where)
        if kind == "basic":
            user, password = plain_text(auth.user), plain_text(auth.password)
            if ":" in user:
                raise _unusable(where, "`user` has a colon, which HTTP Basic cannot carry (RFC 7617)")
            return bare._showing(_basic(user, password), password)
        if kind == "bearer":
            return bare.with_token(plain_text(auth.token))
        if kind == "oauth2":
            return replace(bare, oauth2=auth)
        name, value = plain_text(auth.name), plain_text(auth.value)
        if kind == "header":
            return replace(bare, headers=(*headers, _header(where, name, value)), secrets=(value.strip(),))
        if not name:
            raise _unusable(where, "`name` is empty")
        return replace(bare, query=((name, value),), secrets=(value, quote(value, safe="")))

    def with_token(self, token: str) -> Self:
        """With a bearer token (RFC 6750)."""
        token = token.strip()
        if not token:
            raise _unusable(self.where, "the token is empty")
        return self._showing(f"Bearer {token}", token)

    def on(self, url: str) -> str:
        """The address as it is called: without user and password (a header by now), with the query's credentials."""
        if not self.query and "@" not in url:
            return url
        parts = urlsplit(url)
        if "@" in parts.netloc:
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        # A provider may hand out page links that hold its key already.
        extra = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.query if name not in given]
        return parts._replace(query="&".join([parts.query, *extra] if parts.query else extra)).geturl()

    def hidden(self, text: str) -> str:
        """What a provider said, without our own secrets in it."""
        return hidden(text, self.secrets)

    def _showing(self, authorization: str, *secrets: str) -> Self:
        header = _header(self.where, "Authorization", authorization)
        secrets = (*self.secrets, *secrets, authorization.partition(" ")[2])
        return replace(self, headers=(*self.headers, header), secrets=secrets)


def hidden(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with secrets masked, also one that is cut off by the text's end.

    >>> hidden("token abcdefgh is unknown; token abcdef", ("abcdefgh",))
    'token *** is unknown; token ***'
    """
    written = {way for whole in filter(None, secrets) for way in _ways_to_write(whole)}
    for secret in sorted(written, key=len, reverse=True):
        if len(secret) < _SHORTEST_SECRET:
            continue
        text = text.replace(secret, _MASK)
        cut = "…" if text.endswith("…") else ""
        text = text.removesuffix(cut)
        for length in range(min(len(secret) - 1, len(text)), _SHORTEST_SECRET - 1, -1):
            if text.endswith(secret[:length]):
                text = text[:-length] + _MASK
                break
        text += cut
    return text


def _ways_to_write(secret: str) -> set[str]:
    """As it is, and as an address or a JSON document repeats it."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


def plain_text(value: Any) -> str:
    """Text, also of a masked secret (`get_secret_value`)."""
    reveal = getattr(value, "get_secret_value", None)
    return str(reveal() if reveal is not None else ("" if value is None else value))


def _header(where: str, name: str, value: str) -> tuple[str, str]:
    """A header that can be sent. Checked here, because the HTTP library repeats the whole value in its error."""
    if _TOKEN.fullmatch(name) is None:
        raise _unusable(where, f"`{name}` is not the name of a header")
    value = value.strip()
    if _CONTROL.search(value):
        raise _unusable(where, f"the value of {name} has a line break or another control character in it")
    return name, value


def _unusable(where: str, why: str) -> ProviderRefused:
    return ProviderRefused(f"{where} cannot be used: {why}", hint=f"correct {where}")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
