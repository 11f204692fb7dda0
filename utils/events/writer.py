"""The one writer of a process: a lone caller commits by itself, many callers share one commit."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from utils.database import StateError, StatementRefused

__all__ = ["Writer"]


class Writer:
    """Gives items to `commit`, one commit at a time.

    A caller who comes alone commits in its own thread: handing over would double the time. Whoever comes while a
    commit is under way waits in line, and a thread commits all that waits as one. So many callers share one flush of
    the disk, and nobody sees "database is locked" from a neighbour in the same process. A caller is told "done" only
    after the commit. What is cancelled before its turn is not written.

    Args:
        commit: Called with the waiting items; writes them in one transaction and gives their results (an exception
            among them is told to that caller alone). What it raises undoes the whole commit; unless the database
            itself is in trouble, each item is then tried alone, so one bad item fails nobody else.
        committed: Called after each commit, before the callers are told.
        name: Of the database, for messages.
    """

    MOST_AT_ONCE = 256

    def __init__(
        self,
        commit: Callable[[Sequence[Any]], list[Any]],
        *,
        committed: Callable[[], None] = lambda: None,
        name: str = "database",
    ) -> None:
        self._commit = commit
        self._committed = committed
        self._name = name
        self._queue: SimpleQueue[tuple[Any, Future[Any]] | None] = SimpleQueue()
        self._committing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._closed = False

    def write(self, item: Any) -> Any:
        """Commit an item, or have it committed; gives its result.

        Raises:
            StateError: the writer was closed.
            Exception: what the commit raised, or gave as this item's result.
        """
        if not (self._queue.empty() and self._committing.acquire(blocking=False)):
            return self.submit(item).result()
        try:
            if self._closed:
                raise self._is_closed()
            (result,) = self._written([item])
        finally:
            self._committing.release()
        if isinstance(result, Exception):
            raise result
        return result

    def submit(self, item: Any) -> "Future[Any]":
        """Hand over an item; the future gives its result after the commit.

        Raises:
            StateError: the writer was closed.
        """
        future: Future[Any] = Future()
        with self._guard:
            if self._closed:
                raise self._is_closed()
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
        with self._committing:
            pass  # whoever commits by itself has come back

    def _is_closed(self) -> StateError:
        return StateError(f"{self._name}: nothing is written any more, the system is closing")

    def _work(self) -> None:
        stopping = False
        while not stopping:
            waiting = [self._queue.get()]
            with self._committing:
                while len(waiting) < self.MOST_AT_ONCE and not self._queue.empty():
                    waiting.append(self._queue.get())
                stopping = waiting[-1] is None
                work = [entry for entry in waiting if entry is not None and entry[1].set_running_or_notify_cancel()]
                if work:
                    self._write(work)

    def _write(self, work: Sequence[tuple[Any, "Future[Any]"]]) -> None:
        for (_, future), result in zip(work, self._written([item for item, _ in work]), strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _written(self, items: Sequence[Any]) -> list[Any]:
        """Commit; gives a result or an exception for each."""
        try:
            results = self._commit(items)
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must hear of it
            in_trouble = isinstance(error, StateError | OSError) and not isinstance(error, StatementRefused)
            if len(items) == 1 or in_trouble:
                return [error] * len(items)
            return [result for item in items for result in self._written([item])]
        try:
            self._committed()
        except Exception:
            # It is committed, whatever the listener thinks of it, so the callers must hear "done".
            logging.getLogger(__name__).exception("a listener failed after a commit")
        return results
