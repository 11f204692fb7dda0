"""What the servers answered while Apprise sent: the status and `Retry-After`, which it keeps to itself.

Apprise's services call `requests` and say no more than yes or no. So each exchange of `requests` in a thread that
listens is noted; all others pass as before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

__all__ = ["Exchange", "listening"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it.

    Attributes:
        status: Of the answer; 0: there was none.
        retry_after, date: Headers of the answer, as sent.
        unsure: The request went out and nobody knows whether it was taken: the answer did not come.
    """

    status: int = 0
    retry_after: str = ""
    date: str = ""
    unsure: bool = False


_heard: ContextVar[list[Exchange] | None] = ContextVar("heard", default=None)
_installing = threading.Lock()


@contextmanager
def listening() -> Iterator[list[Exchange]]:
    """The exchanges of this thread, while the block lasts."""
    _install()
    heard: list[Exchange] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def _install() -> None:
    """Once a process: `requests` makes a new session for each call, so there is no object to give a hook to."""
    from requests import Session

    with _installing:
        if not getattr(Session.send, "notes_answers", False):  # others may wrap it, too
            Session.send = _noting(Session.send)  # type: ignore[method-assign]  # as said above


def _noting(send: Callable[..., Any]) -> Callable[..., Any]:
    from requests import ConnectionError as NoConnection
    from requests import ConnectTimeout, RequestException

    @wraps(send)
    def noting(session: Any, request: Any, **options: Any) -> Any:
        heard = _heard.get()
        if heard is None:
            return send(session, request, **options)
        try:
            answer = send(session, request, **options)
        except RequestException as error:
            # A connection that broke had been there; one that never came about has told nobody anything.
            never = isinstance(error, ConnectTimeout) or (
                isinstance(error, NoConnection) and "NewConnectionError" in repr(error)
            )
            heard.append(Exchange(unsure=not never))
            raise
        headers = answer.headers
        heard.append(Exchange(answer.status_code, headers.get("Retry-After", ""), headers.get("Date", "")))
        return answer

    noting.notes_answers = True  # type: ignore[attr-defined]  # a mark, not a part of it
    return noting
