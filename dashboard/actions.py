"""What the buttons do, through the API as whoever clicks; and how that is getting on."""

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.caller import Caller
from dashboard.source import Source, trouble_of
from operations.trouble import Trouble

__all__ = ["Actions", "Deed"]

QUIET_S = 2.0
"""Seconds in which a second equal click belongs to the first."""

KEPT = 64

PATIENCE_S = 60.0
"""What the API does while whoever clicked waits, maintenance above all, may take so long."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a click led to.

    `state`: what became of it so far. `document`: what the API answered; `trouble`: why it was refused.
    """

    operation: str
    state: Literal["going on", "done", "refused"]
    document: Any = None
    trouble: Trouble | None = None


class Actions:
    """One for all sessions of a process, so that two quick clicks, in one window or two, have one effect."""

    def __init__(self, source: Source, *, quiet: float = QUIET_S) -> None:
        self._source = source
        self._quiet = quiet
        self._guard = threading.Lock()
        self._workers = ThreadPoolExecutor(4, thread_name_prefix="dashboard-actions")
        self._done: OrderedDict[str, tuple[float, Future[Any]]] = OrderedDict()

    def begin(self, caller: Caller, operation: str, /, *args: Any, **kwargs: Any) -> str:
        """Do `Client.operations.OPERATION(*args, **kwargs)` in a thread; gives the number to look after it by.

        An equal one that is going on, or was begun a moment ago, is joined.
        """
        key = repr((operation, args, sorted(kwargs.items()), caller.actor))
        with self._guard:
            now = self._source.monotonic()
            if (before := self._done.get(key)) is not None:
                begun, work = before
                if not work.done() or now - begun < self._quiet:
                    return key
            self._done[key] = (now, self._workers.submit(self._do, caller, operation, args, kwargs))
            self._done.move_to_end(key)
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
            return key

    def deed(self, key: str, *, wait_s: float = 0.0) -> Deed | None:
        """How it stands; None: this process knows nothing of it. `wait_s`: so long its end is waited for."""
        with self._guard:
            found = self._done.get(key)
        if found is None:
            return None
        operation, work = key.partition("'")[2].partition("'")[0], found[1]
        try:
            return Deed(operation, "done", work.result(wait_s))
        except TimeoutError:
            if not work.done():
                return Deed(operation, "going on")
            return Deed(operation, "refused", trouble=Trouble("it took too long", "look whether it was done"))
        except Exception as error:  # noqa: BLE001 - told on the page, and logged when it is not one of ours
            return Deed(operation, "refused", trouble=trouble_of(error))

    def close(self) -> None:
        """Let what is going on end, then take nothing more."""
        self._workers.shutdown()

    def _do(self, caller: Caller, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return getattr(self._source.client(caller, patience=PATIENCE_S).operations, operation)(*args, **kwargs)
        finally:
            self._source.forget()
