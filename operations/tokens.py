"""Tokens: who may use the API from elsewhere, as what, and until when.

Made and revoked on the machine only, by whoever may write the state directory: a stolen token makes no others.
"""

import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, cast

from integrated_system import IntegratedSystem
from operations.actor import ROLES, Actor, Role, UsageError, operation
from utils import api_tokens
from utils.api_tokens import TokenRow, Tokens
from utils.database import Connection
from utils.events import NewEvent, rfc3339
from utils.resilience.limiter import RateLimiter

__all__ = [
    "PREFIX",
    "Keyring",
    "Listing",
    "NewToken",
    "State",
    "Token",
    "attempts",
    "create",
    "find",
    "is_loopback",
    "keyring",
    "listed",
    "refuse_open_bind",
    "revoke",
    "used",
]

SOURCE = "operations"

PREFIX = api_tokens.PREFIX

State = Literal["good", "expired", "revoked"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret, which nobody keeps. Moments RFC 3339.

    Attributes:
        state: `good`, `expired` or `revoked`, when it was looked at.
        used_at: To the minute; None: never.
    """

    id: str
    name: str
    role: Role
    state: State
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    revoked_by: str | None
    used_at: str | None
    sha256: str = field(repr=False)

    def state_at(self, now: datetime) -> State:
        """What it is at another moment."""
        return _state(self.revoked_at, self.expires_at, rfc3339(now))

    @property
    def actor(self) -> Actor:
        """Who acts with it, as it stands in the log."""
        return Actor(f"token:{self.name}", self.role)

    def to_json(self) -> dict[str, Any]:
        names = ("id", "name", "role", "state", "created_at", "created_by", "expires_at", "revoked_at", "revoked_by")
        return {name: getattr(self, name) for name in (*names, "used_at")}


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only moment at which its secret is known."""

    id: str
    name: str
    role: Role
    expires_at: str | None
    secret: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "token": self.secret, "role": self.role, "expires_at": self.expires_at}


@dataclass(frozen=True, slots=True)
class Listing:
    """Tokens, oldest first."""

    tokens: tuple[Token, ...]

    def to_json(self) -> dict[str, Any]:
        return {"tokens": [one.to_json() for one in self.tokens]}


@operation("admin")
def create(
    system: IntegratedSystem, actor: Actor, role: str, name: str = "", expires: datetime | None = None
) -> NewToken:
    """Make a token. `name`: stands in the log beside what is done with it; "": made of the role and the id.

    Raises:
        UsageError: an unknown role, a name that another good token has or that is none, an end that is not ahead.
    """
    if role not in ROLES:
        raise UsageError(f"--role: {role!r} is no role", hint=f"there are {', '.join(ROLES)}")
    if name and _NAME.fullmatch(name) is None:
        hint = "letters, digits and . _ @ -, 64 at most, beginning with a letter or a digit"
        raise UsageError(f"--name: {name!r} is no name for a token", hint=hint)
    now = system.clock.now()
    if expires is not None and expires <= now:
        raise UsageError(f"--expires: {rfc3339(expires)} is not ahead", hint="give a time that comes, or 90d")
    identity = secrets.token_hex(4)
    name = name or f"{role}-{identity}"
    secret = api_tokens.new_secret()
    until = None if expires is None else rfc3339(expires)
    data = {"name": name, "role": role, "sha256": api_tokens.digest(secret), "expires_at": until, "actor": actor.name}
    event = NewEvent("token.created", identity, data, source=SOURCE)
    system.events.append([event], guard=lambda connection: _free(connection, name, rfc3339(now)))
    return NewToken(identity, name, role, until, secret)


def listed(system: IntegratedSystem, *, everything: bool = False) -> Listing:
    """The tokens that are good; `everything`: also those that expired or were revoked."""
    now = rfc3339(system.clock.now())
    found = (_token(row, now) for row in Tokens(system.database).all())
    return Listing(tuple(one for one in found if everything or one.state == "good"))


@operation("admin")
def revoke(system: IntegratedSystem, actor: Actor, token: str) -> Token:
    """Have a token open nothing from now on. `token`: its id, or how that begins, or its name.

    One that was revoked before stays as it is.

    Raises:
        UsageError: there is none, or several begin so.
    """
    found = _named(system, token)
    if found.revoked_at is None:
        data = {"name": found.name, "actor": actor.name}
        system.events.append([NewEvent("token.revoked", found.id, data, source=SOURCE)])
    return _named(system, found.id)


class Keyring:
    """All tokens as they were at one moment, to find by their secret."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {one.sha256: one for one in tokens}

    @property
    def exist(self) -> bool:
        """Whether a token was ever created: from then on the API asks for one. To revoke the last opens nothing."""
        return bool(self._by_digest)

    def find(self, secret: str) -> Token | None:
        """The token with this secret, in whatever state it is; None: there is none.

        It is found by the hash of what was sent: how long that takes tells nothing of any secret.
        """
        digest = api_tokens.digest(secret)
        found = self._by_digest.get(digest)
        return found if found is not None and hmac.compare_digest(found.sha256, digest) else None


def keyring(system: IntegratedSystem) -> Keyring:
    """The tokens as they are now."""
    return Keyring(listed(system, everything=True).tokens)


def find(system: IntegratedSystem, secret: str) -> Token | None:
    """The token with this secret, in whatever state it is now; None: there is none."""
    return keyring(system).find(secret)


def used(system: IntegratedSystem, token: Token) -> None:
    """Note that it is used now."""
    Tokens(system.database).used(token.id, rfc3339(system.clock.now()))


def attempts(system: IntegratedSystem) -> RateLimiter:
    """How often one client may be wrong: a hundred times at once, then once a second.

    Nobody guesses 256 bits; this is for whoever would have the database asked, and the log written, without an end.
    """
    return RateLimiter("api.logins", rate=1.0, burst=100, clock=system.clock)


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether this is `localhost`, or an address as `127.0.0.1` and `[::1]` are. No name is looked up."""
    bare = host.removeprefix("[").removesuffix("]").lower()
    if bare == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def refuse_open_bind(system: IntegratedSystem, host: str, *, what: str = "API", key: str = "api.host") -> None:
    """Before something listens: others can reach it only once there is a token that it can ask them for.

    Raises:
        UsageError: other machines reach `host`, and no token is good.
    """
    if is_loopback(host) or listed(system).tokens:
        return
    hint = f"create one first, `tokens create --role operator`, or listen on 127.0.0.1 (`{key}`, or --host)"
    raise UsageError(f"the {what} would listen on {host}, which other machines reach, and there is no token", hint=hint)


def _free(connection: Connection, name: str, now: str) -> None:
    if api_tokens.name_is_taken(connection, name, now):
        hint = "the log tells tokens apart by their names: take another, or revoke that one first"
        raise UsageError(f"--name: there is a token {name!r}", hint=hint)


def _named(system: IntegratedSystem, token: str) -> Token:
    everything = listed(system, everything=True).tokens
    found = [one for one in everything if one.id == token]
    if not found:
        named = [one for one in everything if one.name == token]
        # A name may be given again once its token is revoked: the newest is meant, the good one if there is one.
        found = sorted(named, key=lambda one: one.state == "good")[-1:]
    if not found and token:
        found = [one for one in everything if one.id.startswith(token)]
    if len(found) > 1:
        raise UsageError(f"several tokens begin with {token!r}", hint="write more of the id: `tokens list --all`")
    if not found:
        raise UsageError(f"there is no token {token!r}", hint="`tokens list --all` shows them", missing=True)
    return found[0]


def _token(row: TokenRow, now: str) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        role=cast("Role", row.role),
        state=_state(row.revoked_at, row.expires_at, now),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
        used_at=row.used_at,
        sha256=row.sha256,
    )


def _state(revoked_at: str | None, expires_at: str | None, now: str) -> State:
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= now else "good"
