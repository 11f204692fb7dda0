"""Where the pages' facts come from: the API, in this process or of another machine, asked once for all who look."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from api.client import ApiError, Client
from api.in_process import ApiHere
from dashboard.caller import Caller
from integrated_system import IntegratedSystem
from operations.trouble import Trouble, told

__all__ = ["Answer", "Source"]

COLLECT_EVERY = 60.0
"""Seconds between two garbage collections; a dear answer for which nobody asked so long goes, too."""

KEPT = 512
"""Answers that are kept for the next who asks."""

DEAR = {"backtest": 10.0, "expected": 10.0, "history": 4.0}
"""Seconds that answers serve which take long to compute, and which a moment more or less makes no other.

What a click changes is asked anew all the same (`forget`)."""

PAST_S = 60.0
"""Seconds to wait for what was at a moment of the past: the log is read up to it, a million events in ten seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gave. With both, `trouble` is why it could not be answered now and `document` is older.

    `document`: the JSON that the API gives: a map or a list of maps. `at`: when it was true.
    """

    document: Any
    trouble: Trouble | None
    at: datetime | None


@dataclass(slots=True)
class _Kept:
    guard: threading.Lock = field(default_factory=threading.Lock)
    answer: Answer = Answer(None, None, None)
    asked_at: float = float("-inf")
    dear: bool = False


class Source:
    """Asks the API for everybody who looks, and follows the system when it is replaced.

    In this process, the system is built anew when its database or a configuration file becomes another one; when that
    fails, the last good answers stay, with what is wrong now. With `dashboard.api`, the questions go there.

    Args:
        build: Makes the system; called again after a change.
        share_for: Seconds for which one answer serves every session; 0: none does, not even of what is dear.
        patience: Seconds to wait for an answer before the last one is shown as stale.
    """

    def __init__(self, build: Callable[[], IntegratedSystem], *, share_for: float = 0.5, patience: float = 5.0) -> None:
        self.build = build
        self._share_for, self._patience = share_for, patience
        self._guard = threading.RLock()
        self._system = build()
        self._here: ApiHere | None = None
        self._remote: dict[tuple[str, float], Client] = {}
        self._identity: tuple[object, ...] | None = None
        self._looked_at = float("-inf")
        self._wrong: Exception | None = None
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._collected_at = self.monotonic()

    def now(self) -> datetime:
        """The moment, by the system's clock."""
        return self._system.clock.now()

    def monotonic(self) -> float:
        """Seconds, for measuring how long something takes."""
        return self._system.clock.monotonic()

    @property
    def system(self) -> IntegratedSystem:
        """The system of this process as it is on disk now; for who comes in, not for what pages show.

        Raises:
            ConfigError, StateError: it cannot be opened.
        """
        with self._guard:
            self._open()
            return self._system

    def ask(self, caller: Caller, question: str, /, *args: Any, **kwargs: Any) -> Answer:
        """What `Client.queries.QUESTION(*args, **kwargs)` gives; never raises for what a user or a disk can do.

        Equal questions within `share_for` seconds get one answer, whoever asks: all who are in may look at all.
        """
        kept = self._kept_for(asked_as(caller if self._remote else None, question, args, kwargs))
        share_for = max(self._share_for, DEAR.get(question, 0.0)) if self._share_for else 0.0
        with kept.guard:
            kept.dear = question in DEAR
            if self.monotonic() - kept.asked_at < share_for:
                return kept.answer
            patience = PAST_S if kwargs.get("as_of") else self._patience
            try:
                found = getattr(self.client(caller, patience=patience).queries, question)(*args, **kwargs)
                document = list(found) if isinstance(found, Iterator) else found
                kept.answer = Answer(document, None, self.now())
            except Exception as error:  # noqa: BLE001 - told on the page, and logged when it is not one of ours
                trouble = self._late(patience) if self._was_late(error) else trouble_of(error)
                kept.answer = Answer(kept.answer.document, trouble, kept.answer.at)
            kept.asked_at = self.monotonic()
        self._collect_garbage()
        return kept.answer

    def client(self, caller: Caller, *, patience: float | None = None) -> Client:
        """The API as this caller; what they may not do it refuses.

        Args:
            patience: Seconds to wait for an answer; None: as for a question.

        Raises:
            ConfigError, StateError: the system cannot be opened.
        """
        patience = self._patience if patience is None else patience
        with self._guard:
            self._open()
            if self._here is not None:
                return self._here.client(caller.actor, patience=patience)
            url = self._system.settings.dashboard.api
            if (client := self._remote.get((caller.secret, patience))) is None:
                client = Client(url, token=caller.secret, timeout=patience, tries=1)
                self._remote[caller.secret, patience] = client
            return client

    def forget(self) -> None:
        """Something was changed: the next question is asked anew, of the system as it is on disk then."""
        with self._guard:
            self._looked_at = float("-inf")
            for kept in self._kept.values():
                kept.asked_at = float("-inf")

    def close(self) -> None:
        """Close the system, and what asks it."""
        with self._guard:
            self._close()

    def _was_late(self, error: Exception) -> bool:
        return self._here is not None and isinstance(error, ApiError) and error.status == 0

    @staticmethod
    def _late(patience: float) -> Trouble:
        return Trouble(f"no answer within {patience:g} s", "this machine or its database is busy; it is asked again")

    def _kept_for(self, key: object) -> _Kept:
        with self._guard:
            if (kept := self._kept.get(key)) is None:
                kept = self._kept[key] = _Kept()
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
            return kept

    def _open(self) -> None:
        """Make sure the system is the one on disk; what is wrong with it is looked at anew each `share_for` s."""
        now = self.monotonic()
        if now - self._looked_at < self._share_for and (self._identity is not None or self._wrong is not None):
            if self._wrong is not None:
                raise self._wrong
            return
        self._looked_at, self._wrong = now, None
        try:
            if self._identity is None or self._identity != self._found():
                self._reopen()
        except Exception as error:
            self._wrong = error
            raise

    def _reopen(self) -> None:
        self._close()
        self._system, self._identity = self.build(), None
        system = self._system
        if not system.settings.dashboard.api:
            assert system.database is not None  # built here and now, so that what is wrong with it is told
            assert system.events is not None
            self._here = ApiHere(system)
        self._identity = self._found()

    def _close(self) -> None:
        here, self._here = self._here, None
        if here is not None:
            here.close()
        while self._remote:
            self._remote.popitem()[1].close()
        self._system.close()

    def _found(self) -> tuple[object, ...]:
        files = tuple(_file(Path(file)) for file in self._system.loaded.files)
        return files if self._here is None else (self._system.database.identity(), *files)

    def _collect_garbage(self) -> None:
        """In place of Streamlit's own full collection after every refresh, which cost four times all the rest."""
        now = self.monotonic()
        if now - self._collected_at > COLLECT_EVERY:
            self._collected_at = now
            with self._guard:  # of a curve there is a new question every few seconds, and each answer is large
                for key in [key for key, one in self._kept.items() if one.dear and now - one.asked_at > COLLECT_EVERY]:
                    del self._kept[key]
            gc.collect()


def asked_as(caller: Caller | None, question: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What tells one question from another; lists may be among its arguments."""
    return repr((question, args, sorted(kwargs.items()), caller.secret if caller else ""))


def trouble_of(error: Exception) -> Trouble:
    """An error in words; those of the API have theirs already."""
    return Trouble(error.message, error.hint) if isinstance(error, ApiError) else told(error)


def _file(path: Path) -> tuple[int, ...]:
    """What tells a file from another of the same name: its inode, size and time of change."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
