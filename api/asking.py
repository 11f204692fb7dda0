"""Operations and queries are called in threads, so many at a time, each within its time: the loop never waits."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Concatenate, ParamSpec, TypeVar

from starlette.requests import Request

from api.problems import Refused
from integrated_system import IntegratedSystem

__all__ = ["Asking", "ask"]

P = ParamSpec("P")
R = TypeVar("R")

WITHIN_S = 30.0
"""How long one question may take. What takes longer is a run: asked for with 202, and followed."""

THREADS = 8
CLOSE_S = 1.0
"""How long the end of the server waits for what still works; the process may end under it, as under a kill."""

WAITING = 64
"""Questions that may wait for a thread; more are sent away for a moment."""


class Asking:
    """The threads of one application."""

    def __init__(self, system: IntegratedSystem, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self.system = system
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._most = threads + waiting
        self._work: set[Future[Any]] = set()

    async def call(self, function: Callable[[], R], *, within: float = WITHIN_S) -> R:
        """What `function` gives; called with the context of the caller (whose request it is).

        Raises:
            Refused: 503, too many wait already; 504, it took too long. It goes on, and nobody hears of it.
        """
        if len(self._work) >= self._most:
            raise Refused(503, "too much is asked at once", hint="try again in a moment", headers={"Retry-After": "1"})
        context = contextvars.copy_context()
        work: Future[R] = self._pool.submit(context.run, function)
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        waiting = asyncio.wrap_future(work)
        done, _ = await asyncio.wait([waiting], timeout=within)
        if not done:
            work.cancel()  # what has not begun never does
            detail = f"no answer within {within:g} s"
            hint = "ask for less; something that changes the state may be done all the same: look first"
            raise Refused(504, detail, hint=hint)
        return waiting.result()

    def close(self) -> None:
        """Take nothing more; what is under way has a moment to come to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(self._work, CLOSE_S)


async def ask(
    request: Request,
    operation: Callable[Concatenate[IntegratedSystem, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call an operation or a query of the system that the request came to: `await ask(request, status)`."""
    asking: Asking = request.app.state.asking
    return await asking.call(lambda: operation(asking.system, *args, **kwargs))
