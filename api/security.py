"""Who asks, and what they may do (DESIGN: security).

The door stands before everything: whoever is not known gets in nowhere but where anybody on this machine may look, and
whoever may only look changes nothing, on any path. A route says besides what it needs: `who: Operator`.
"""

import asyncio
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from api.asking import Asking
from api.problems import Refused, problem
from operations.actor import ROLES, Actor, Role
from operations.api import get_logger
from operations.tokens import PREFIX, Token, attempts, is_loopback, known, used

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from integrated_system import IntegratedSystem

__all__ = ["Admin", "Door", "Operator", "Viewer", "actor", "is_open", "needs", "role_of"]

FRESH_S = 1.0
"""What only looks is let in by tokens as they were this long ago; what changes something asks the database."""

USED_S = 60.0
"""How exactly it is kept when a token was used last."""

OPEN = frozenset({"/livez", "/readyz", "/health", "/metrics", "/docs", "/openapi.json"})
OPEN_BELOW = ("/api/monitoring/", "/docs/")
"""What anybody on this machine may read: how it is, and the documentation, which tells nothing of the installation."""

LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
LOCAL = "local:api"
"""The actor of who asks from this machine without a token."""

HINT = "send `Authorization: Bearer TOKEN`; `tokens create --role viewer` on the machine makes one"


class Needs(SecurityBase):
    """A dependency that lets through who has a role or one above it, and gives the actor."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.scheme_name = "token"
        self.model = HTTPBearer(bearerFormat=f"{PREFIX}…", description="Made by `tokens create`. viewer < operator < admin")

    async def __call__(self, connection: HTTPConnection) -> Actor:
        who = await actor(connection)
        if ROLES.index(who.role) < ROLES.index(self.role):
            raise _not_allowed(who, self.role)
        return who


def needs(role: Role) -> Any:
    """For a route: `who: Annotated[Actor, needs("operator")]`, or `dependencies=[needs("viewer")]`."""
    return Security(Needs(role), scopes=[role])


Viewer = Annotated[Actor, needs("viewer")]
Operator = Annotated[Actor, needs("operator")]
Admin = Annotated[Actor, needs("admin")]


async def actor(connection: HTTPConnection) -> Actor:
    """Who asks, as the door found out; its name stands in the log: `token:NAME`, or `local:api`."""
    found: Actor = connection.scope["state"]["actor"]
    return found


def is_open(path: str) -> bool:
    """Whether anybody on this machine may read a path, tokens or not."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def role_of(method: str) -> Role:
    """What any path needs at least, by the method alone."""
    return "viewer" if method in LOOKS else "operator"


class Door:
    """The layer that knows who asks. Refuses with 401 and 403, and with 429 who is wrong again and again."""

    def __init__(self, app: "ASGIApp", system: "IntegratedSystem", asking: Asking) -> None:
        self._app = app
        self._keys = _Keys(system, asking)
        self._attempts = attempts(system)
        self._origins = frozenset(system.settings.api.cors)
        self._log = get_logger("api")

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        in_query = _taken_from_query(scope)
        try:
            who = await self._who(scope, in_query)
        except Refused as refused:
            await _tell(scope, refused, receive, send)
            return
        scope.setdefault("state", {})["actor"] = who
        await self._app(scope, receive, send)

    async def _who(self, scope: "Scope", in_query: str | None) -> Actor:
        """The actor, who has the role that the method asks for.

        Raises:
            Refused: 401, 403 or 429.
        """
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method = scope.get("method", "GET")
        local = _is_local(scope, headers)
        if local and method in LOOKS and scope["type"] == "http" and is_open(scope["path"]):
            return Actor(LOCAL, "viewer")  # nothing is asked of the database: /livez answers without it
        secret = self._sent(scope, in_query)
        if secret is not None:
            who = await self._with_token(scope, secret, method)
        elif local and not await self._keys.exist(now=method not in LOOKS):
            self._refuse_strangers(scope, headers)
            who = Actor(LOCAL, "operator")
        else:
            detail = "a token is needed"
            if in_query is not None:
                detail = "a token is needed, and it is taken from the query on a WebSocket only"
            raise self._unknown(scope, detail, 'Bearer realm="orchestrator"')
        role = role_of(method)
        if ROLES.index(who.role) < ROLES.index(role):
            raise _not_allowed(who, role)
        return who

    def _sent(self, scope: "Scope", in_query: str | None) -> str | None:
        """The token that came with the request; None: nobody sent anything to be known by."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            return in_query if scope["type"] == "websocket" else None
        scheme, _, secret = given[0].decode("latin-1").strip().partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not secret.strip():
            raise self._unknown(scope, "Authorization: one `Bearer TOKEN` is understood", 'Bearer error="invalid_request"')
        return secret.strip()

    async def _with_token(self, scope: "Scope", secret: str, method: str) -> Actor:
        token = None if method not in LOOKS else await self._keys.kept(secret)
        if token is None:  # made just now, or wrong: that is looked up so often only
            grant_needed = method in LOOKS
            token = await self._looked_up(scope, secret, counted=grant_needed)
        state = token.state_at(self._keys.now())
        if state != "good":
            when = token.revoked_at if state == "revoked" else token.expires_at
            words = f"the token {token.name} {'was revoked' if state == 'revoked' else 'expired'} at {when}"
            raise self._unknown(scope, words, 'Bearer error="invalid_token"')
        self._keys.note_use(token)
        return token.actor

    def _refuse_strangers(self, scope: "Scope", headers: Mapping[bytes, bytes]) -> None: ...
