"""Who asks, and what they may do.

The door stands before everything: who is not known gets in only where anybody on this machine may look, and who may
only look changes nothing, on any path. A route says besides what it needs: `who: Operator`.
"""

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from api.keys import Keys
from api.problems import Refused, problem
from operations.actor import ROLES, Actor, Role
from operations.api import get_logger
from operations.tokens import PREFIX, attempts, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from integrated_system import IntegratedSystem

__all__ = ["KNOWN", "Admin", "Door", "Needs", "Operator", "Viewer", "actor", "is_open", "needs", "role_of"]

OPEN = frozenset({"/livez", "/readyz", "/health", "/metrics", "/docs", "/openapi.json"})
OPEN_BELOW = ("/api/monitoring/", "/docs/")
"""What anybody on this machine may read: how it is, and the documentation, which tells nothing of the installation."""

LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})

FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
"""Whoever has one of these came through a proxy, and is not taken for somebody on this machine."""

LOCAL = "local:api"
"""The actor who asks from this machine without a token."""

KNOWN = "orchestrator.actor"
"""An ASGI extension: who asks, told by a caller in this process. No server makes it, so nobody can send it."""

HINT = "send `Authorization: Bearer TOKEN`; `tokens create` on the machine of the API makes one"


class Needs(SecurityBase):
    """A dependency that lets through who has a role or one above it, and gives the actor."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.scheme_name = "token"
        self.model = HTTPBearer(bearerFormat=f"{PREFIX}…", description="`tokens create` makes one.")

    async def __call__(self, connection: HTTPConnection) -> Actor:
        who = await actor(connection)
        if not _reaches(who, self.role):
            raise _not_allowed(who, self.role)
        return who


def needs(role: Role) -> Any:
    """For a route: `who: Annotated[Actor, needs("operator")]`, or `dependencies=[needs("viewer")]`."""
    return Security(Needs(role), scopes=[role])


Viewer = Annotated[Actor, needs("viewer")]
Operator = Annotated[Actor, needs("operator")]
Admin = Annotated[Actor, needs("admin")]


async def actor(connection: HTTPConnection) -> Actor:
    """Who asks, as the door found out. The name stands in the log: `token:NAME`, or `local:api`."""
    found: Actor = connection.scope["state"]["actor"]
    return found


def is_open(path: str) -> bool:
    """Whether anybody on this machine may read a path, tokens or not."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def role_of(method: str) -> Role:
    """What a request needs at least, whatever its path."""
    return "viewer" if method in LOOKS else "operator"


class Door:
    """The layer that knows who asks. It refuses with 401 and 403, and with 429 who is wrong again and again."""

    def __init__(self, app: "ASGIApp", system: "IntegratedSystem", keys: Keys) -> None:
        self._app = app
        self._keys = keys
        self._attempts = attempts(system)
        self._origins = frozenset(system.settings.api.cors)
        self._log = get_logger("api")

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] in {"http", "websocket"}:
            in_query = _taken_from_query(scope)
            try:
                scope.setdefault("state", {})["actor"] = await self._who(scope, in_query)
                _refuse_nul(scope)
            except Refused as refused:
                await _refuse(scope, refused, receive, send)
                return
        await self._app(scope, receive, send)

    async def _who(self, scope: "Scope", in_query: str | None) -> Actor:
        """The actor, whose role reaches for the method.

        Raises:
            Refused: 401, 403 or 429.
            StateError: whether there are tokens cannot be found out.
        """
        method = scope.get("method", "GET")
        if (known := scope.get("extensions", {}).get(KNOWN)) is not None:
            if not _reaches(known, role := role_of(method)):
                raise _not_allowed(known, role)
            return known  # type: ignore[no-any-return]  # an extension has no type
        changes = method not in LOOKS
        headers = dict(scope["headers"])
        local = _is_local(scope, headers)
        if local and not changes and scope["type"] == "http" and is_open(scope["path"]):
            return Actor(LOCAL, "viewer")  # the database is not asked: /livez answers without it
        secret = self._sent(scope, in_query)
        if secret is not None:
            who = await self._of_token(scope, secret, changes)
        elif local and not (await self._keys.ring(at_once=changes)).exist:
            self._refuse_strangers(scope, headers, changes)
            who = Actor(LOCAL, "operator")
        else:
            words = "a token is needed"
            if in_query is not None:
                words = "a token is needed; `auth_token` in the address is understood on the WebSocket only"
            self._log.debug("api.unknown", client=_client(scope), path=scope["path"], reason=words)
            raise _unknown(words, 'realm="orchestrator"')
        if not _reaches(who, role := role_of(method)):
            raise _not_allowed(who, role)
        return who

    def _sent(self, scope: "Scope", in_query: str | None) -> str | None:
        """The secret that came with the request; None: it came with nothing to be known by."""
        given: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            return in_query if scope["type"] == "websocket" else None
        scheme, _, secret = given[0].decode("latin-1").strip().partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not secret.strip():
            self._count(scope)
            raise self._wrong(scope, "Authorization: one `Bearer TOKEN` is understood", 'error="invalid_request"')
        return secret.strip()

    async def _of_token(self, scope: "Scope", secret: str, changes: bool) -> Actor:
        token = (await self._keys.ring(at_once=False)).find(secret)
        if token is None:
            self._count(scope)  # before the database is asked for it: who guesses does not make it work
        if token is None or changes:
            token = (await self._keys.ring(at_once=True)).find(secret)
        if token is None:
            raise self._wrong(scope, "there is no such token", 'error="invalid_token"')
        state = token.state_at(self._keys.now())
        if state != "good":
            words = f"was revoked at {token.revoked_at}" if state == "revoked" else f"expired at {token.expires_at}"
            self._count(scope)
            raise self._wrong(scope, f"the token {token.name} {words}", 'error="invalid_token"')
        self._keys.note_use(token)
        return token.actor

    def _refuse_strangers(self, scope: "Scope", headers: Mapping[bytes, bytes], changes: bool) -> None:
        """Without a token a browser is believed only when our own page asks: any page may send requests here."""
        if not changes and scope["type"] == "http" and "*" not in self._origins:
            return  # it cannot read the answer: CORS is closed
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", b"none")
        if origin is None and site in {b"none", b"same-origin"}:
            return
        name = (origin or b"").decode("latin-1")
        if name in self._origins or (name and urlsplit(name).netloc.encode("latin-1") == headers.get(b"host")):
            return
        hint = "`api.cors` names the origins that browsers may come from; a program sends no `Origin`"
        raise Refused(403, "a page of another origin needs a token", hint=hint, error="NotAllowedError")

    def _wrong(self, scope: "Scope", detail: str, challenge: str) -> Refused:
        self._log.warning("api.unknown", client=_client(scope), path=scope["path"], reason=detail)
        return _unknown(detail, challenge)

    def _count(self, scope: "Scope") -> None:
        """One more that is wrong.

        Raises:
            Refused: 429, there were too many.
        """
        if grant := self._attempts.acquire(_client(scope)):
            return
        headers = {"Retry-After": str(max(1, ceil(grant.retry_after)))}
        hint = "wait as long as `Retry-After` says; a good token is let in at once"
        raise Refused(429, "too many wrong tokens", hint=hint, error="RateLimitedError", headers=headers)


def _is_local(scope: "Scope", headers: Mapping[bytes, bytes]) -> bool:
    """Whether somebody on this machine asks for this machine.

    The address alone does not tell: a proxy here asks for others, and a page whose name was made to lead here (DNS
    rebinding) asks for its own.
    """
    if not is_loopback(_client(scope)) or not FORWARDED.isdisjoint(headers):
        return False
    host = headers.get(b"host", b"localhost").decode("latin-1")
    return is_loopback(_without_port(host))


def _client(scope: "Scope") -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]


def _taken_from_query(scope: "Scope") -> str | None:
    """The `auth_token` of the address, which is taken out of it: nobody behind the door, no log, no error can tell it.

    Nor any other token of ours that somebody put there.
    """
    asked: bytes = scope["query_string"]
    if not asked or not (b"auth" in asked or PREFIX.encode() in asked or b"%" in asked):
        return None
    pairs = parse_qsl(asked.decode("latin-1"), keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] != "auth_token" and not pair[1].startswith(PREFIX)]
    if len(kept) < len(pairs):
        scope["query_string"] = urlencode(kept).encode()
    return next((value for name, value in pairs if name == "auth_token"), None)


def _refuse_nul(scope: "Scope") -> None:
    """PostgreSQL keeps no text with a NUL, so there is nothing that one could ask for."""
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Refused(422, "a NUL stands in the address", hint="no name has one", error="UsageError")


def _reaches(who: Actor, role: Role) -> bool:
    return ROLES.index(who.role) >= ROLES.index(role)


def _unknown(detail: str, challenge: str) -> Refused:
    return Refused(
        401, detail, hint=HINT, error="NotAuthenticated", headers={"WWW-Authenticate": f"Bearer {challenge}"}
    )


def _not_allowed(who: Actor, role: Role) -> Refused:
    hint = f"`tokens create --role {role}` on the machine of the API makes a token that may"
    challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{role}"'}
    words = f"{who.name} is {who.role}; this needs {role}"
    return Refused(403, words, hint=hint, error="NotAllowedError", headers=challenge)


async def _refuse(scope: "Scope", refused: Refused, receive: "Receive", send: "Send") -> None:
    status = refused.status_code
    told = problem(
        scope,
        status,
        str(refused.detail),
        hint=refused.hint,
        transient=status == 429,
        error=refused.error,
        headers=refused.headers,
    )
    if scope["type"] == "http":
        await told(scope, receive, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        headers = told.raw_headers
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": bytes(told.body)})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": str(refused.detail)[:120]})
