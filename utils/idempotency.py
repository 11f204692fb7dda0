"""Answers kept under a key of the asker's: what is asked for twice is done once, by any process.

After the IETF draft "The Idempotency-Key HTTP Header Field": a key is claimed before the work begins, and holds its
answer afterwards. A claim without an answer means that somebody is at it, or was when it was killed: whether that took
effect nobody knows, so it is never begun a second time.
"""

from dataclasses import dataclass

import orjson

from utils.clock import Clock
from utils.database import Database

__all__ = ["SCHEMA", "Answers", "Claim", "Kept"]

SCHEMA = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    claimed_at REAL NOT NULL,
    status INTEGER,
    headers TEXT,
    body TEXT
);
CREATE INDEX answers_by_claim ON answers (claimed_at)
"""

KEPT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given. The body is text."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What stands under a key.

    Attributes:
        ours: It was free, and is now the caller's, who gives `keep` or `free` in the end.
        same: The request is the one that claimed it.
        answer: None: not there (yet).
        age_s: Seconds since it was claimed.
    """

    ours: bool
    same: bool = True
    answer: Kept | None = None
    age_s: float = 0.0


class Answers:
    """The answers in a database. All methods raise `StateError`."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, key: str, request: str) -> Claim:
        """Take the key if it is free, else say what stands there. `request`: a fingerprint of what is asked for."""
        now = self._clock.time()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM answers WHERE claimed_at <= ?", (now - KEPT_S,))
            taken = connection.execute(
                "INSERT INTO answers (key, request, claimed_at) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, request, now),
            )
            if taken.rowcount == 1:
                return Claim(ours=True)
        return self.look(key, request)

    def look(self, key: str, request: str) -> Claim:
        """What stands under the key; one that was freed meanwhile is claimed."""
        rows = self._database.query(
            "SELECT request, claimed_at, status, headers, body FROM answers WHERE key = ?", (key,)
        )
        if not rows:
            return self.claim(key, request)
        of, claimed_at, status, headers, body = rows[0]
        kept = None if status is None else Kept(status, tuple(map(tuple, orjson.loads(headers))), body)
        return Claim(False, of == request, kept, self._clock.time() - claimed_at)

    def keep(self, key: str, answer: Kept) -> None:
        """The work is done, and this is its answer."""
        headers = orjson.dumps(answer.headers).decode()
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE answers SET status = ?, headers = ?, body = ? WHERE key = ?",
                (answer.status, headers, answer.body, key),
            )

    def free(self, key: str) -> None:
        """Nothing was done: another try with this key is a first one."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM answers WHERE key = ? AND status IS NULL", (key,))
