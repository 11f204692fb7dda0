"""Access tokens (OAuth 2.0, RFC 6749): fetched when needed, shared by processes, renewed before and after they end."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin

from data_pipeline.collect.addresses import provider_name, shown
from data_pipeline.collect.collector import CollectRequest, TokenStore
from data_pipeline.collect.http.connections import Connections, Route
from data_pipeline.collect.http.credentials import Credentials, plain_text
from data_pipeline.collect.http.token_endpoint import ClientAuth, Granted, TokenRefused, TokenRequest
from data_pipeline.errors import CollectError, ProviderRefused
from utils.logger import get_logger
from utils.tokens import MemoryTokens

__all__ = ["Authorizer"]

SHORTEST_REST = 60.0
"""Seconds before its end at which a token is renewed; a tenth of its life if that is less."""
REFUSED_FOR = 60.0
"""Seconds in which wrong credentials are not shown again: a hundred datasets must not lock the account."""
# Codes with which servers refuse the way a client proves itself, not the client; "" is a bare 400 or 401.
_OTHER_WAY = {"invalid_client", "invalid_request", "unauthorized_client", ""}

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Asking(Protocol[T_co]):
    """One request that shows `credentials` each time it is called."""

    provider: str
    credentials: Credentials

    def __call__(self) -> T_co: ...


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who we are at a token endpoint, and under which name its tokens are kept.

    The name is made of the settings, the configured refresh token among them: a new one that the user pastes in is a
    new identity, and wins over whatever was stored for the one before.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    refresh_token: str = field(repr=False)

    @property
    def name(self) -> str:
        parts = (self.token_url, self.client_id, self.scope, self.refresh_token)
        return "oauth2-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def fingerprint(self) -> str:
        """Of all that may be wrong about the credentials."""
        return hashlib.sha256(f"{self.name}\0{self.client_secret}".encode()).hexdigest()


class Authorizer:
    """Makes requests whose credentials are a token that must be fetched first. May be used from many threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._memory = MemoryTokens()
        self._unsaved: dict[str, dict[str, Any]] = {}
        self._refused: dict[str, tuple[float, TokenRefused]] = {}

    def call(self, request: CollectRequest, asking: Asking[T]) -> T:
        """What `asking` gives, through its provider's policy; with OAuth 2.0 under a token that is good now.

        A 401 has the token renewed once and the request made once more: a token may be revoked, or end early.

        Raises:
            CollectError, RejectedError: of the request itself, or of the token's.
        """
        bare = asking.credentials
        if bare.oauth2 is None:
            return request.call(asking.provider, asking)
        token = self._current(request, bare)
        asking.credentials = bare.with_token(token)
        try:
            return request.call(asking.provider, asking)
        except ProviderRefused as error:
            if error.status != 401:
                raise
        asking.credentials = bare.with_token(self._renewed(request, bare, token))
        try:
            return request.call(asking.provider, asking)
        except ProviderRefused as error:
            if error.status != 401:
                raise
            raise ProviderRefused(
                f"{error}; a new token did not help",
                hint=f"the provider does not accept these credentials: check `client_id` and `scope` in {bare.where}",
                provider=error.provider,
                status=401,
            ) from error

    def _current(self, request: CollectRequest, credentials: Credentials) -> str:
        """A token that is still good: the kept one, or a new one."""
        identity, store = _identity(request, credentials), request.tokens or self._memory
        kept = self._load(request, store, identity.name)
        if not _is_good(kept, request):
            with store.lock(identity.name):
                kept = self._load(request, store, identity.name)  # another may have been first
                if not _is_good(kept, request):
                    kept = self._fetched(request, credentials, store, identity, kept or {})
        return str((kept or {})["access_token"])

    def _renewed(self, request: CollectRequest, credentials: Credentials, refused: str) -> str:
        """Another token than the one that was refused."""
        identity, store = _identity(request, credentials), request.tokens or self._memory
        with store.lock(identity.name):
            kept = self._load(request, store, identity.name)
            if kept is None or kept.get("access_token") == refused or not _is_good(kept, request):
                kept = self._fetched(request, credentials, store, identity, kept or {})
            return str(kept["access_token"])

    def _fetched(
        self,
        request: CollectRequest,
        credentials: Credentials,
        store: TokenStore,
        identity: _Identity,
        kept: Mapping[str, Any],
    ) -> dict[str, Any]:
        """A new token, kept for all before it is used. The caller holds the lock."""
        now = request.clock.time()
        until, refusal = self._refused.get(identity.fingerprint, (0.0, None))
        if refusal is not None and request.clock.monotonic() < until:
            raise _again(refusal, request)
        try:
            client_auth, granted = self._granted(request, credentials, identity, kept)
        except TokenRefused as error:
            self._refused[identity.fingerprint] = (request.clock.monotonic() + REFUSED_FOR, error)
            raise
        self._refused.pop(identity.fingerprint, None)
        # The refresh token that was just used may be dead by now; the answer's own one takes its place at once.
        newest = granted.refresh_token or kept.get("refresh_token", "")
        token = {
            "access_token": granted.access_token,
            "good_until": None if granted.expires_in is None else now + _usable(granted.expires_in),
            "refresh_token": newest if identity.refresh_token else "",
            "client_auth": client_auth,
        }
        self._save(request, store, identity.name, token)
        return token

    def _granted(
        self, request: CollectRequest, credentials: Credentials, identity: _Identity, kept: Mapping[str, Any]
    ) -> tuple[ClientAuth, Granted]:
        form = {"grant_type": "client_credentials"}
        if identity.refresh_token:
            form = {"grant_type": "refresh_token", "refresh_token": kept.get("refresh_token") or identity.refresh_token}
        if identity.scope:
            form["scope"] = identity.scope
        route, host = _way(request, identity.token_url)
        ways: list[ClientAuth] = ["basic", "body"] if identity.client_secret else ["body"]
        if kept.get("client_auth") in ways:
            ways.sort(key=lambda way: way != kept["client_auth"])
        refusal: TokenRefused | None = None
        for way in ways:
            asking = TokenRequest(
                request,
                self._connections,
                route,
                url=identity.token_url,
                host=host,
                form=form,
                client_id=identity.client_id,
                client_secret=identity.client_secret,
                client_auth=way,
                where=credentials.where,
            )
            try:
                return way, request.call(host, asking)
            except TokenRefused as error:
                if error.status not in (400, 401) or error.error not in _OTHER_WAY:
                    raise
                # The first way's words say more when the second is refused only for not being the first.
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    def _load(self, request: CollectRequest, store: TokenStore, name: str) -> dict[str, Any] | None:
        unsaved = self._unsaved.get(name)
        if unsaved is not None:
            return unsaved
        from utils.database import StateError

        try:
            return store.load(name)
        except StateError as error:
            raise CollectError(
                f"{request.dataset}: the access token of provider {request.provider} cannot be read: {error}",
                hint=error.hint,
                provider=request.provider,
            ) from error

    def _save(self, request: CollectRequest, store: TokenStore, name: str, token: dict[str, Any]) -> None:
        from utils.database import StateError

        try:
            store.save(name, token)
            self._unsaved.pop(name, None)
        except StateError as error:
            # It works in this process until it ends; the next renewal tries to save again.
            self._unsaved[name] = token
            get_logger("collect").error(
                "credentials.not_saved", provider=request.provider, dataset=request.dataset, error=str(error)
            )


def _identity(request: CollectRequest, credentials: Credentials) -> _Identity:
    """Raises `ProviderRefused` when `token_url` cannot be asked."""
    auth: Any = credentials.oauth2
    url = plain_text(auth.token_url).strip()
    base = str(getattr(request.settings, "base_url", "") or "")
    if "://" not in url and base:
        url = urljoin(base.rstrip("/") + "/", url)
    try:
        provider_name(url)
        good = url.lower().startswith(("https://", "http://"))
    except ValueError:
        good = False
    if not good:
        raise ProviderRefused(
            f"{request.dataset}: `token_url` in {credentials.where} is `{shown(url)}`, which is no HTTP address",
            hint="write the full address, https://… included",
            provider=request.provider,
        )
    return _Identity(
        url,
        plain_text(auth.client_id),
        plain_text(auth.client_secret),
        plain_text(auth.scope),
        plain_text(auth.refresh_token).strip(),
    )


def _way(request: CollectRequest, token_url: str) -> tuple[Route, str]:
    """How the token endpoint is reached, and whose policy counts: the provider's on its own host, else the host's.

    The address stands in the provider's own block, so its proxy, certificates and `allow_private` hold there too.
    """
    host = provider_name(token_url)
    base = str(getattr(request.settings, "base_url", "") or "")
    at_home = host == request.provider or ("://" in base and host == provider_name(base))
    route = Route.of(request.settings, public_too=not at_home)
    return route, request.provider if at_home else host


def _is_good(kept: Mapping[str, Any] | None, request: CollectRequest) -> bool:
    if not kept or not kept.get("access_token"):
        return False
    until = kept.get("good_until")
    return until is None or request.clock.time() < until


def _usable(expires_in: float) -> float:
    """Seconds for which a token is shown.

    >>> _usable(3600.0), _usable(100.0)
    (3540.0, 90.0)
    """
    return expires_in - min(SHORTEST_REST, expires_in / 10)


def _again(refusal: TokenRefused, request: CollectRequest) -> TokenRefused:
    """The same refusal for another request, without asking."""
    return TokenRefused(
        f"{request.dataset}: {str(refusal).partition(': ')[2]}; not asked again for {REFUSED_FOR:g} s",
        error=refusal.error,
        hint=refusal.hint,
        provider=request.provider,
        status=refusal.status or 400,
    )
