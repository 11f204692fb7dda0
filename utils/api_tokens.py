"""The read model of tokens: who may use the API, known by the SHA-256 of their secrets alone.

A secret is 32 random bytes, so one round of a fast hash keeps it (OWASP: slow hashes are for what people choose). It
begins with `cdo_`: whoever searches code and logs for secrets finds it by that.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from utils.database import Connection, Database, Statement
from utils.events import Event

__all__ = ["PREFIX", "SCHEMA", "TokenRow", "TokenViews", "Tokens", "digest", "name_is_taken", "new_secret"]

SCHEMA = """
CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, created_by TEXT NOT NULL, expires_at TEXT, revoked_at TEXT, revoked_by TEXT);
CREATE TABLE api_token_uses (id TEXT PRIMARY KEY, used_at TEXT NOT NULL)
"""
# The moment of use is no event: it is nobody's decision, and one a request would fill the log.

PREFIX = "cdo_"

_COLUMNS = "id, name, role, sha256, created_at, created_by, expires_at, revoked_at, revoked_by"
_CREATED = """
INSERT INTO api_tokens (seq, id, name, role, sha256, created_at, created_by, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_REVOKED = "UPDATE api_tokens SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL"
_ALL = f"SELECT {_COLUMNS}, (SELECT used_at FROM api_token_uses u WHERE u.id = t.id) FROM api_tokens t"  # noqa: S608 - ours
_USED = """
INSERT INTO api_token_uses (id, used_at) VALUES (?, ?)
ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at WHERE api_token_uses.used_at < excluded.used_at
"""


class TokenRow(NamedTuple):
    """A token as it is kept; moments RFC 3339. `used_at`: to the minute."""

    id: str
    name: str
    role: str
    sha256: str
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    revoked_by: str | None
    used_at: str | None


class TokenViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "api_tokens"
    tables: Sequence[str] = ("api_tokens",)
    types: Collection[str] = frozenset(("token.created", "token.revoked"))

    def apply(self, event: Event) -> Iterable[Statement]:
        data = event.data
        if event.type == "token.created":
            row = (event.seq, event.subject, data["name"], data["role"], data["sha256"], event.time, data["actor"])
            return [(_CREATED, (*row, data.get("expires_at")))]
        if event.type == "token.revoked":
            return [(_REVOKED, (event.time, data["actor"], event.subject))]
        return ()


class Tokens:
    """Queries over the read model. All methods raise `StateError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[TokenRow]:
        """Every token that was ever created, oldest first."""
        return [TokenRow(*row) for row in self._database.query(f"{_ALL} ORDER BY seq")]

    def used(self, identity: str, moment: str) -> None:
        """Note when a token was used last."""
        with self._database.transaction() as connection:
            connection.execute(_USED, (identity, moment))


def name_is_taken(connection: Connection, name: str, now: str) -> bool:
    """Whether a token of this name is good at this moment, seen in a transaction."""
    sql = "SELECT 1 FROM api_tokens WHERE name = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"
    return connection.execute(sql, (name, now)).fetchone() is not None


def new_secret() -> str:
    """What a client sends: `cdo_` and 43 letters, 256 bits of chance."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """By what a secret is known; hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
