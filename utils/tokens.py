"""Access and refresh tokens in the coordination database: they outlive a process and are shared by all of them."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from utils.clock import SYSTEM_CLOCK
from utils.database import Database, upsert
from utils.leases import Leases
from utils.resilience.cancellation import sleep
from utils.resilience.deadline import check, remaining

__all__ = ["SCHEMA", "MemoryTokens", "StoredTokens"]

SCHEMA = "CREATE TABLE tokens (name TEXT PRIMARY KEY, token TEXT NOT NULL, saved_at TEXT NOT NULL) WITHOUT ROWID"

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_LOOK_EVERY = 0.02
_PUT = upsert("tokens", "name, token, saved_at", key="name")


class StoredTokens:
    """Tokens by name, as JSON, for whoever may read the database.

    Args:
        leases: Who has one named after a token may renew it.
        granted: Told of every token that is loaded or saved: its name, and what of it is secret.
    """

    def __init__(self, database: Database, leases: Leases, *, granted: Callable[..., None] = lambda *_: None) -> None:
        self._database = database
        self._leases = leases
        self._granted = granted

    def load(self, name: str) -> dict[str, Any] | None:
        """What was saved last; None: nothing (or nothing that can be read: it was damaged).

        Raises:
            StateError: the database cannot be read.
        """
        rows = self._database.query("SELECT token FROM tokens WHERE name = ?", (name,))
        try:
            found = orjson.loads(rows[0][0]) if rows else None
        except orjson.JSONDecodeError:
            return None
        if not isinstance(found, dict):
            return None
        self._granted(name, *_secrets(found))
        return found

    def save(self, name: str, token: Mapping[str, Any]) -> None:
        """Replace it; it is on the disk when this returns.

        Raises:
            StateError: the database cannot be written.
        """
        self._granted(name, *_secrets(token))
        text = orjson.dumps(dict(token)).decode()
        # A refresh token that rotated exists nowhere else: unlike a permit, it must survive a power cut.
        with self._database.transaction(durability="power") as connection:
            connection.execute(_PUT, (name, text, f"{SYSTEM_CLOCK.now():%Y-%m-%dT%H:%M:%SZ}"))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Held by one thread of one process at a time; free again when its holder is dead (see `Leases`).

        Waits no longer than the deadline.

        Raises:
            DeadlineExceededError, Cancelled: the time was over, or the run was called off, before it was our turn.
            StateError: the database cannot be used.
        """
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"the name of a token is 1 to 64 of a-z 0-9 _ -; got {name!r}")
        lease = f"token:{name}"
        while not self._leases.acquire([lease]):
            check("tokens")
            sleep(min(_LOOK_EVERY, remaining()))
        try:
            yield
        finally:
            self._leases.release([lease])


def _secrets(token: Mapping[str, Any]) -> list[str]:
    return [str(token.get(name) or "") for name in ("access_token", "refresh_token")]


class MemoryTokens:
    """The same for one process, where there is no state directory."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, threading.RLock] = {}

    def load(self, name: str) -> dict[str, Any] | None:
        return self._tokens.get(name)

    def save(self, name: str, token: Mapping[str, Any]) -> None:
        self._tokens[name] = dict(token)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        lock = self._locks.setdefault(name, threading.RLock())
        while not lock.acquire(timeout=min(_LOOK_EVERY, remaining())):
            check("tokens")
        try:
            yield
        finally:
            lock.release()
