"""Operations and queries are called in threads, so many at a time, each within its time: the loop never waits."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
WAITING = 64
"""Questions that may wait for a thread; more are sent away for a moment."""


class Asking:
    """The threads of one application."""

    def __init__(self, system: IntegratedSystem, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self.system = system
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._most = threads + waiting
        self._under_way = 0

    async def call(self, function: Callable[[], R], *, within: float = WITHIN_S) -> R:
        """What `function` gives; called with the context of the caller (whose request it is).

        Raises:
            Refused: 503, too many wait already; 504, it took too long. It goes on, and nobody hears of it.
        """
        if self._under_way >= self._most:
            raise Refused(503, "too much is asked at once", hint="try again in a moment", headers={"Retry-After": "1"})
        context = contextvars.copy_context()
        self._under_way += 1
        work: Future[R] = self._pool.submit(context.run, function)
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: _tell(loop, self._ended))
        waiting = asyncio.wrap_future(work)
        done, _ = await asyncio.wait([waiting], timeout=within)
        if not done:
            work.cancel()  # what has not begun never does
            detail = f"no answer within {within:g} s"
            hint = "ask for less; something that changes the state may be done all the same: look first"
            raise Refused(504, detail, hint=hint)
        return waiting.result()

    def close(self) -> None:
        """Take nothing more; what is under way comes to its end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ended(self) -> None:
        self._under_way -= 1


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


def _tell(loop: asyncio.AbstractEventLoop, ended: Callable[[], Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
        loop.call_soon_threadsafe(ended)
