"""The one writer of a process: a lone caller commits by itself, many callers share one commit."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from utils.database import StateError, StatementRefused

__all__ = ["Writer"]

PATIENCE = 0.5
"""Part of a commit's time for which the next one waits for those who shared the last: they often come back at once."""
SHORTEST = 0.0005
"""Seconds of a commit that is worth waiting for others: one that waits for the disk."""


class _Waiting:
    """An item in line. Its caller sleeps on `turn`; when that is let go, there is a result, or it is to lead."""

    __slots__ = ("future", "item", "leads", "result", "turn")

    def __init__(self, item: Any, future: "Future[Any] | None") -> None:
        self.item = item
        self.future = future
        self.leads = False
        self.result: Any = None
        self.turn = _new_turn()


def _new_turn() -> threading.Lock:
    """A lock that is taken: whoever acquires it sleeps until somebody lets it go."""
    turn = threading.Lock()
    turn.acquire()
    return turn


class Writer:
    """Gives items to `commit`, one commit at a time.

    Who comes alone commits in their own thread: handing over would double the time. Whoever comes while a commit is
    under way waits in line; then the first of them leads, and commits all that waits as one. So many callers share
    one flush of the disk, and nobody sees "database is locked" from a neighbour in the same process. Where a flush is
    slow, the leader waits a moment for those who were there before (as PostgreSQL's `commit_delay`): half of them
    would else always meet the other half's commit. A caller is told "done" only after the commit. Who does not wait
    (`submit`) is led by a thread of our own; what is cancelled before its turn is not written.

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
        self._guard = threading.Lock()
        self._at_rest = threading.Condition(self._guard)
        self._all_here = threading.Condition(self._guard)
        self._crowd = 0  # who waited or was written when the last shared commit ended
        self._lasted = 0.0  # that commit, in seconds
        self._line: deque[_Waiting] = deque()
        self._led = False  # somebody commits, or was told to
        self._closed = False
        self._to_lead: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, item: Any) -> Any:
        """Commit an item, or have it committed; gives its result.

        Raises:
            StateError: the writer was closed.
            Exception: what the commit raised, or gave as this item's result.
        """
        waiting = None
        with self._guard:
            if self._closed:
                raise self._is_closed()
            if self._led or self._crowd > 1 or self._line:
                self._line.append(waiting := _Waiting(item, None))
                waiting.leads = not self._led
                if len(self._line) == self._crowd:
                    self._all_here.notify()
            self._led = True
        if waiting is None:
            try:
                (result,) = self._written([item])
            finally:
                self._pass_on()
        else:
            result = self._waited(waiting)
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
            self._line.append(_Waiting(item, future))
            leads = not self._led
            if leads:
                self._led = True
                leads = not self._call(self._line[0])
        if leads:
            self._lead()
        return future

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._at_rest:
            self._closed = True
            self._at_rest.wait_for(lambda: not self._led)
        if (thread := self._thread) is not None:
            self._to_lead.put(None)
            thread.join()

    def _is_closed(self) -> StateError:
        return StateError(f"{self._name}: nothing is written any more, the system is closing")

    # --- whose turn it is ---------------------------------------------------------------------

    def _waited(self, waiting: _Waiting) -> Any:
        try:
            if not waiting.leads:
                waiting.turn.acquire()
            if waiting.leads:
                self._lead(waiting)
        except BaseException:
            self._leave(waiting)
            raise
        return waiting.result

    def _leave(self, waiting: _Waiting) -> None:
        """The caller was interrupted: what is not being written yet will not be, and nobody waits for its lead."""
        with self._guard:
            in_line = waiting in self._line
            if in_line:
                self._line.remove(waiting)
        if in_line and waiting.leads:
            self._pass_on()

    def _pass_on(self) -> None:
        """Have the next in line lead; without one, whoever comes next commits by themselves."""
        with self._guard:
            goes_on = bool(self._line) and not self._call(self._line[0])
            if not self._line:
                self._led = False
                if self._closed:
                    self._at_rest.notify_all()
        if goes_on:
            self._lead()

    def _call(self, first: _Waiting) -> bool:
        """Whether somebody leads now; else, with neither memory nor room for a thread, who asks has to go on."""
        first.leads = True
        if first.future is None:
            first.turn.release()
            return True
        if self._thread is None:
            thread = threading.Thread(target=self._lead_for_others, name="writer", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        self._to_lead.put(first)
        return True

    def _lead_for_others(self) -> None:
        while self._to_lead.get() is not None:
            self._lead()

    # --- a commit -----------------------------------------------------------------------------

    def _lead(self, mine: _Waiting | None = None) -> None:
        """Commit what waits (that of who leads is among it), tell everybody, pass the lead on."""
        with self._guard:
            if len(self._line) < self._crowd and self._lasted > SHORTEST:
                self._all_here.wait_for(lambda: len(self._line) >= self._crowd, self._lasted * PATIENCE)
            most = min(len(self._line), self.MOST_AT_ONCE)
            if mine is not None and most < len(self._line) and mine in self._line:
                most = max(most, self._line.index(mine) + 1)
            taken = [self._line.popleft() for _ in range(most)]
        work = [one for one in taken if one.future is None or _runs(one.future)]
        began = time.perf_counter()
        try:
            results = self._written([one.item for one in work]) if work else []
        except BaseException:  # this thread is interrupted; the others are not
            with self._guard:
                self._line.extendleft(reversed([one for one in work if not one.leads]))
            self._pass_on()
            raise
        self._lasted = time.perf_counter() - began
        self._crowd = min(len(work) + len(self._line), self.MOST_AT_ONCE)
        for one, result in zip(work, results, strict=True):
            if one.future is None:
                one.result = result
                if not one.leads:
                    one.turn.release()
            elif isinstance(result, Exception):
                one.future.set_exception(result)
            else:
                one.future.set_result(result)
        self._pass_on()

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


def _runs(future: "Future[Any]") -> bool:
    """Whether it was not cancelled; it cannot be any more. It runs already when a leader before us was interrupted."""
    return future.running() or future.set_running_or_notify_cancel()
