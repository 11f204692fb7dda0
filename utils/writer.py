"""The one writer of a process: many callers share one commit."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from utils.database import Database, StateError, explain, result_code, roll_back
from utils.turn import TURN

_DATABASE_IN_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


class Writer:
    """The one thread of a process that writes; it takes what is waiting, and commits it as one.

    Many callers share one commit, and nobody sees "database is locked" from a neighbour in the same process. A caller
    is told "done" (its future resolves) only after the commit. What is cancelled before its turn is not written.

    Args:
        commit: Called with the writing connection, inside a transaction, and the waiting items; gives their results
            (an exception among them is told to that caller alone). What it raises undoes the whole commit; unless the
            database itself is in trouble, each item is then tried alone, so one bad item fails nobody else.
        committed: Called after each commit, before the callers are told.
    """

    MOST_AT_ONCE = 256

    def __init__(
        self,
        database: Database,
        commit: Callable[[sqlite3.Connection, list[Any]], list[Any]],
        *,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._commit = commit
        self._committed = committed
        self._queue: SimpleQueue[tuple[Any, Future[Any]] | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._closed = False

    def submit(self, item: Any) -> "Future[Any]":
        """Hand over an item; the future gives its result after the commit.

        Raises:
            StateError: the writer was closed.
        """
        future: Future[Any] = Future()
        with self._guard:
            if self._closed:
                raise StateError(f"{self._database.path}: nothing is written any more, the system is closing")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()
            self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._guard:
            self._closed = True
            self._queue.put(None)  # nothing follows it
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        stopping = False
        while not stopping:
            waiting = [self._queue.get()]
            while len(waiting) < self.MOST_AT_ONCE and not self._queue.empty():
                waiting.append(self._queue.get())
            stopping = waiting[-1] is None
            work = [entry for entry in waiting if entry is not None and entry[1].set_running_or_notify_cancel()]
            if work:
                self._write(work)

    def _write(self, work: list[tuple[Any, "Future[Any]"]]) -> None:
        try:
            results = self._write_as_one([item for item, _ in work])
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must hear of it
            if (
                len(work) > 1
                and result_code(error) not in _DATABASE_IN_TROUBLE
                and not isinstance(error, OSError | StateError)
            ):
                for entry in work:
                    self._write([entry])
                return
            results = [explain(error, self._database.path) if isinstance(error, sqlite3.Error | OSError) else error]
            results *= len(work)
        else:
            try:
                self._committed()
            except Exception:
                # It is committed, whatever the listener thinks of it, so the callers must hear "done".
                logging.getLogger(__name__).exception("a listener failed after a commit")
        for (_, future), result in zip(work, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _write_as_one(self, items: list[Any]) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.connect()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            with TURN:
                results = self._commit(connection, items)
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        return results
