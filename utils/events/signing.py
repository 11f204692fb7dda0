"""The secrets of the chain: which one signs, and how a log that began without one, or changed it, stays provable.

A log that gets a secret, or another one, says so itself: the first event that the new secret signs is
`log.secret_changed`. It names both by fingerprints, which tell nothing of a secret that cannot be guessed.
"""

import hmac
from collections.abc import Sequence
from typing import Any

from utils.database import Connection, StateError
from utils.events import rows
from utils.events.chain import chained
from utils.events.event import Event, NewEvent, event_of

__all__ = ["CHANGED", "NO_SECRETS", "Secrets", "fingerprint"]

CHANGED = "log.secret_changed"
SOURCE = "log"
_LAST_CHANGE = f"{rows.SELECT} WHERE type = ? ORDER BY seq DESC LIMIT 1"


def fingerprint(secret: bytes) -> str:
    """What a secret is called in the log: 16 hexadecimal digits; "" for none."""
    return hmac.digest(secret, b"the secret of the chain", "sha256").hex()[:16] if secret else ""


class Secrets:
    """Secrets of one log, newest first: the first signs, the others prove what they signed. None: nobody signs."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._all = tuple(text.encode() for text in texts)
        self._named = {fingerprint(secret): secret for secret in self._all}
        self.newest = self._all[0] if self._all else b""

    def from_row(self, row: Sequence[Any]) -> bytes | None:
        """The secret that signs from this event on, when it tells of another one.

        Raises:
            StateError: it is not among ours.
        """
        return self.from_event(event_of(row[:10])) if row[4] == CHANGED and row[3] == SOURCE else None

    def from_event(self, event: Event) -> bytes:
        """The secret that signs from this change of secrets on.

        Raises:
            StateError: it is not among ours.
        """
        name = str(event.data.get("to"))
        if (secret := self._named.get(name)) is None:
            raise StateError(f"from here on the log is signed with a secret that is not known here ({name})")
        return secret

    def change(self, connection: Connection, newest: Sequence[Any] | None) -> NewEvent | None:
        """What has to be appended before anything else, when somebody else wrote the log's `newest` event.

        Raises:
            StateError: the log is signed with a secret that is not ours: what we append would not be proven.
        """
        current = b"" if newest is None else self._signer_of(connection, newest)
        if current == self.newest:
            return None
        return NewEvent(CHANGED, "log", {"from": fingerprint(current), "to": fingerprint(self.newest)}, source=SOURCE)

    def _signer_of(self, connection: Connection, row: Sequence[Any]) -> bytes:
        before, head, data = row[8], (*row[:6], row[7]), str(row[6]).encode()
        for secret in (*self._all, b""):
            if chained(before, head, data, secret) == row[9]:
                return secret
        found = connection.execute(_LAST_CHANGE, (CHANGED,)).fetchall()
        if not found:
            return self.newest  # a damaged event: `verify` names it; what comes after it is proven again
        try:
            return self.from_row(found[0]) or b""
        except StateError as error:
            raise StateError(
                f"event {found[0][0]}: {error}",
                hint="set database.chain_secret; a new secret stands before the one it replaces, as a list of both",
            ) from error


NO_SECRETS = Secrets()
