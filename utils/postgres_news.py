"""Waits for what PostgreSQL's sessions announce of their commits (LISTEN)."""

import os
import select
import threading
import weakref
from typing import TYPE_CHECKING, Any

from utils.database import StateError

if TYPE_CHECKING:
    import psycopg

    from utils.postgres import PostgresDatabase

__all__ = ["PostgresNews"]


class PostgresNews:
    """Listens for announced commits. After a lost connection there may have been some: it says so once."""

    def __init__(self, database: "PostgresDatabase") -> None:
        self._database = database
        self._raw: psycopg.Connection[Any] | None = None
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._woken, self._wakes = os.pipe()  # closing the second ends a wait on the first
        weakref.finalize(self, os.close, self._woken)  # not in `close`: somebody may be waiting on it
        try:
            with database.translated():
                self._listen()
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: float) -> bool:
        import psycopg

        raw = self._raw
        try:
            if raw is None:
                self._listen()
                return True
            ears = select.poll()
            for descriptor in (raw.fileno(), self._woken):
                ears.register(descriptor, select.POLLIN)
            return bool(ears.poll(seconds * 1000.0)) and self._heard(raw)
        except (psycopg.Error, StateError):
            with self._guard:
                if raw is not None and self._raw is raw:
                    self._database.let_go(raw)
                    self._raw = None
            self._closed.wait(min(seconds, 1.0))  # the server is away: no reason to ask it without a pause
            return False

    def close(self) -> None:
        with self._guard:
            if self._closed.is_set():
                return
            self._closed.set()
            os.close(self._wakes)  # whoever waits reads the end of the pipe
            if self._raw is not None:
                self._database.let_go(self._raw)

    def _heard(self, raw: "psycopg.Connection[Any]") -> bool:
        """Whether commits were announced on a connection that has something to say."""
        heard = False
        with self._guard:
            if not self._closed.is_set():
                raw.pgconn.consume_input()
                while raw.pgconn.notifies():
                    heard = True
        return heard

    def _listen(self) -> None:
        raw = self._database.connect()
        raw.execute(f'LISTEN "{self._database.channel}"')
        with self._guard:
            self._raw = raw
            if self._closed.is_set():
                self._database.let_go(raw)
