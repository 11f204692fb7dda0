"""Announces committed events inside this process: callbacks and wake-ups, never the way of delivery.

What must not be lost follows the log with a cursor of its own; the bus only says that there is news.
"""

import asyncio
import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Handler = Callable[[Any], Any]  # plain, or `async def`
Policy = Literal["block", "drop_oldest"]

_KNOWN_TYPES = 1024  # event types whose subscribers are remembered


class Announced(Protocol):
    """Whatever has a dotted type: `run.finished`."""

    @property
    def type(self) -> str: ...


@dataclass(slots=True)
class Figures:
    """What went through the bus since it was made.

    Attributes:
        published: Events that at least one subscriber wanted.
        delivered: Calls of handlers that returned.
        failed: Calls of handlers that raised.
        dropped: Events pushed out of a full queue or line, or left over when `close` ran out of time.
        waiting: Events not handled yet.
    """

    published: int = 0
    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


@dataclass(slots=True, eq=False)
class _Subscription:
    id: int
    pattern: str
    handler: Handler
    line: deque[Any] | None  # of an async handler: its events, one after the other, apart from all others
    draining: bool = False


def matches(pattern: str, kind: str) -> bool:
    """Whether the event type `kind` is meant by `pattern`: `*` is one segment, a final `**` one or more.

    >>> [matches(p, "run.step.done") for p in ("run.step.done", "run.*", "run.*.done", "run.**", "**")]
    [True, False, True, True, True]
    """
    wanted, have = pattern.split("."), kind.split(".")
    if wanted[-1] == "**":
        wanted.pop()
        if len(have) <= len(wanted):
            return False
        del have[len(wanted) :]
    return len(wanted) == len(have) and all(w in {"*", h} for w, h in zip(wanted, have, strict=True))


def _check(pattern: str) -> None:
    segments = pattern.split(".")
    allowed = [{"*"}] * (len(segments) - 1) + [{"*", "**"}]
    if any(not one or ("*" in one and one not in stars) for one, stars in zip(segments, allowed, strict=True)):
        raise ValueError(f"pattern {pattern!r}: expected a type such as run.finished, run.* (one segment) or run.**")


class Bus:
    """Hand each published event to the subscribers whose pattern matches, in order, away from the publisher.

    One thread calls plain handlers one after the other; `async def` handlers run on an event loop in a second
    thread. Both begin with the first event that somebody wants. Each subscriber sees its events in the order of
    publishing. A handler that raises is counted and reported, and the others go on.

    With `block`, a handler must not wait for the thread that publishes (a commit, say): when the queue is full that
    thread waits for the handlers. A handler that publishes never waits; on a full queue the oldest event goes.

    Args:
        queue_size: Events that may wait, and again in front of each async subscriber.
        policy: When full: `block` lets the publisher wait, `drop_oldest` forgets the oldest event.
        on_error: Called with (event, error) after a handler raised; what it raises itself is ignored.

    Raises:
        ValueError: `queue_size` is below 1, or the policy is unknown.
    """

    def __init__(
        self,
        queue_size: int = 10_000,
        policy: Policy = "block",
        on_error: Callable[[Any, BaseException], None] | None = None,
    ) -> None:
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1; got {queue_size}")
        if policy not in {"block", "drop_oldest"}:
            raise ValueError(f"policy must be block or drop_oldest; got {policy!r}")
        self._size, self._policy, self._on_error = queue_size, policy, on_error
        self._changed = threading.Condition()  # guards all below; told whenever room or work comes or goes
        self._subscriptions: dict[int, _Subscription] = {}
        self._by_type: dict[str, tuple[_Subscription, ...]] = {}
        self._last_id = 0
        self._queue: deque[tuple[Any, tuple[_Subscription, ...]]] = deque()
        self._pending = 0  # events taken from the queue: with a handler, or in an async subscriber's line
        self._figures = Figures()
        self._closed = False
        self._abandoned = False  # closing ran out of time
        self._dispatcher: threading.Thread | None = None
        self._looper: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, pattern: str, handler: Handler) -> int:
        """Call `handler(event)` for events published from now on; returns the id that `unsubscribe` takes.

        Raises:
            ValueError: `pattern` is not an event type with `*` for whole segments or `**` for the last.
        """
        _check(pattern)
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        with self._changed:
            self._last_id += 1
            line: deque[Any] | None = deque() if is_async else None
            self._subscriptions[self._last_id] = _Subscription(self._last_id, pattern, handler, line)
            self._by_type = {}
            return self._last_id

    def unsubscribe(self, subscription: int) -> bool:
        """No further call of this subscriber begins; False when the id is not known (any more)."""
        with self._changed:
            self._by_type = {}
            return self._subscriptions.pop(subscription, None) is not None

    def publish(self, event: Announced) -> None:
        """Announce `event` and return; nothing at all happens when nobody wants it, or the bus is closed."""
        if not self._subscriptions:
            return
        targets = self._by_type.get(event.type)
        if targets == ():
            return
        with self._changed:
            targets = self._wanting(event.type)  # again, under the lock: it may have changed just now
            if not targets or self._closed:
                return
            if self._policy == "block" and not self._is_own_thread():
                self._changed.wait_for(lambda: len(self._queue) < self._size or self._closed)
            while len(self._queue) >= self._size:
                self._queue.popleft()
                self._figures.dropped += 1
            self._queue.append((event, targets))
            self._figures.published += 1
            if self._dispatcher is None:
                self._dispatcher = threading.Thread(target=self._dispatch, name="bus", daemon=True)
                self._dispatcher.start()
            self._changed.notify_all()

    def figures(self) -> Figures:
        """A snapshot of the counts."""
        with self._changed:
            now = self._figures
            waiting = len(self._queue) + self._pending
            return Figures(now.published, now.delivered, now.failed, now.dropped, waiting)

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more events, let the handlers finish what waits, stop; False when that took over `timeout` seconds.

        From inside a handler it cannot wait for itself: then it returns False, and the rest is handled after it.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._is_own_thread():
                return False
            drained = self._changed.wait_for(lambda: not self._queue and not self._pending, timeout)
            self._abandoned = not drained
            self._figures.dropped += len(self._queue)
            self._queue.clear()
            self._changed.notify_all()
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # already closed, by an earlier close
                loop.call_soon_threadsafe(loop.stop)
        for thread in (self._dispatcher, self._looper):
            if thread is not None and drained:
                thread.join(timeout)
        return drained

    def _wanting(self, kind: str) -> tuple[_Subscription, ...]:
        found = self._by_type.get(kind)
        if found is None:
            found = tuple(one for one in self._subscriptions.values() if matches(one.pattern, kind))
            if len(self._by_type) >= _KNOWN_TYPES:
                self._by_type = {}
            self._by_type[kind] = found
        return found

    def _is_own_thread(self) -> bool:
        return threading.current_thread() in {self._dispatcher, self._looper}

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                event, targets = self._queue.popleft()
                self._pending += 1
                self._changed.notify_all()
            for one in targets:
                if one.id not in self._subscriptions:
                    continue
                if one.line is None:
                    self._call(one, event)
                else:
                    self._stand_in_line(one, one.line, event)
            self._handled()

    def _call(self, one: _Subscription, event: Any) -> None:
        try:
            answer = one.handler(event)
            if inspect.iscoroutine(answer):
                answer.close()
                raise TypeError(f"the handler of {one.pattern} returned a coroutine; subscribe an `async def` itself")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one subscriber's fault is not the others'
            self._failed(event, error)
        else:
            self._delivered()

    def _stand_in_line(self, one: _Subscription, line: deque[Any], event: Any) -> None:
        with self._changed:
            if self._policy == "block":
                self._changed.wait_for(lambda: len(line) < self._size or self._abandoned)
            if self._abandoned:
                self._figures.dropped += 1
                return
            if len(line) >= self._size:
                line.popleft()
                self._figures.dropped += 1
                self._pending -= 1
            line.append(event)
            self._pending += 1
            if one.draining:
                return
            one.draining = True
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._looper = threading.Thread(target=self._run, args=(self._loop,), name="bus-async", daemon=True)
                self._looper.start()
            loop = self._loop
        with contextlib.suppress(RuntimeError):  # closed in this very moment: nobody waits for the event any more
            loop.call_soon_threadsafe(self._begin, one, line)

    def _begin(self, one: _Subscription, line: deque[Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._drain(one, line))
        self._tasks.add(task)  # the loop itself holds its tasks only weakly
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, one: _Subscription, line: deque[Any]) -> None:
        while True:
            with self._changed:
                if not line:
                    one.draining = False
                    return
                event = line.popleft()
                self._changed.notify_all()
            if one.id in self._subscriptions:
                try:
                    await one.handler(event)
                except (Exception, SystemExit, asyncio.CancelledError) as error:
                    self._failed(event, error)
                    if isinstance(error, asyncio.CancelledError) and self._closed:
                        self._handled()
                        raise
                else:
                    self._delivered()
            self._handled()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        if left := tuple(self._tasks):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    def _delivered(self) -> None:
        with self._changed:
            self._figures.delivered += 1

    def _failed(self, event: Any, error: BaseException) -> None:
        with self._changed:
            self._figures.failed += 1
        if self._on_error is not None:
            with contextlib.suppress(Exception):
                self._on_error(event, error)

    def _handled(self) -> None:
        with self._changed:
            self._pending -= 1
            self._changed.notify_all()
