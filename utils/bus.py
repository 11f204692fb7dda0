"""Announces committed events inside this process: callbacks and wake-ups, never the way of delivery.

What must not be lost follows the log with a cursor of its own; the bus only says that there is news.
"""

import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from utils.event_patterns import check, matches

if TYPE_CHECKING:
    import asyncio  # 3 MB: for those who have an `async def`

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
        delivered: Calls of handlers that returned; counted when the event has been with all its plain handlers.
        failed: Calls of handlers that raised; counted likewise.
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
    """`call` takes an event in the dispatcher's thread; None once unsubscribed."""

    pattern: str
    call: Handler | None = None


@dataclass(slots=True, eq=False)
class _Line:
    """In front of an async handler: its events, one after the other, apart from all others."""

    of: _Subscription
    handler: Handler
    events: deque[Any]
    draining: bool = False


_Targets = tuple[_Subscription, ...]
_LATER = object()  # given by the call that only puts an event in a line


class Bus:
    """Hand each published event to the subscribers whose pattern matches, in order, away from the publisher.

    One thread calls plain handlers one after the other; `async def` handlers run on an event loop in a second
    thread. Both begin with the first event that somebody wants. Each subscriber sees its events in the order of
    publishing. A handler that raises is counted and reported, and the others go on.

    With `block`, a handler must not wait for the thread that publishes (a commit, say): when the queue is full that
    thread waits for the handlers, until half of the queue is empty. A handler that publishes never waits; on a full
    queue the oldest event goes.

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
        # Guards what publishers, async handlers and `close` share. The dispatcher takes it only to sleep and to wake
        # others: it takes events from the queue without, which a deque allows, and its counts are written by it alone.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # told when room or the end of work may be waited for
        self._subscriptions: dict[int, _Subscription] = {}
        self._by_type: dict[str, _Targets] = {}
        self._last_id = 0
        self._queue: deque[tuple[Any, _Targets]] = deque()
        self._published = self._pushed_out = self._dropped_in_lines = 0
        self._handled = self._delivered = self._failed = 0  # the dispatcher's
        self._in_lines = self._delivered_later = self._failed_later = 0
        self._blocked = 0  # publishers that wait for room
        self._idle = True  # the dispatcher sleeps, has ended, or was not begun
        self._news = threading.Lock()  # released to wake the dispatcher
        self._news.acquire()
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
        check(pattern)
        one = _Subscription(pattern, handler)
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
            one.call = partial(self._stand_in_line, _Line(one, handler, deque()))
        with self._lock:
            self._last_id += 1
            self._subscriptions[self._last_id] = one
            self._by_type = {}
            return self._last_id

    def unsubscribe(self, subscription: int) -> bool:
        """No further call of this subscriber begins; False when the id is not known (any more).

        Called from another thread than the handlers': the call that begins in this very moment goes on.
        """
        with self._lock:
            self._by_type = {}
            one = self._subscriptions.pop(subscription, None)
            if one is None:
                return False
            one.call = None
            return True

    def publish(self, event: Announced) -> None:
        """Announce `event` and return; nothing at all happens when nobody wants it, or the bus is closed."""
        targets = self._by_type.get(event.type)
        if targets is None:
            targets = self._wanting(event.type)
        if not targets:
            return
        with self._lock:
            if len(self._queue) >= self._size:
                self._make_room()
            if self._closed:
                return
            self._queue.append((event, targets))
            self._published += 1
            if self._idle:
                self._wake()

    def figures(self) -> Figures:
        """A snapshot of the counts."""
        with self._lock:
            return Figures(
                published=self._published,
                delivered=self._delivered + self._delivered_later,
                failed=self._failed + self._failed_later,
                dropped=self._pushed_out + self._dropped_in_lines,
                waiting=self._published - self._pushed_out - self._handled + self._in_lines,
            )

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more events, let the handlers finish what waits, stop; False when that took over `timeout` seconds.

        From inside a handler it cannot wait for itself: then it returns False, and the rest is handled after it.
        """
        with self._lock:
            if not self._closed and self._idle and self._dispatcher is not None:
                self._wake()  # to end
            self._closed = True
            self._changed.notify_all()
            if self._is_own_thread():
                return False
            drained = self._changed.wait_for(lambda: self._idle and not self._in_lines, timeout)
            self._abandoned = not drained
            self._push_out(down_to=0)
            self._changed.notify_all()
            loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # already closed, by an earlier close
                loop.call_soon_threadsafe(loop.stop)
        for thread in (self._dispatcher, self._looper):
            if thread is not None and drained:
                thread.join(timeout)
        return drained

    def _wanting(self, kind: str) -> _Targets:
        with self._lock:
            found = tuple(one for one in self._subscriptions.values() if matches(one.pattern, kind))
            if len(self._by_type) >= _KNOWN_TYPES:
                self._by_type = {}
            self._by_type[kind] = found
            return found

    def _make_room(self) -> None:
        """The lock is held; it is not while this waits."""
        if self._policy == "block" and not self._is_own_thread():
            self._blocked += 1
            self._changed.wait_for(lambda: len(self._queue) < self._size or self._closed)
            self._blocked -= 1
        elif not self._closed:
            self._push_out(down_to=self._size - 1)

    def _push_out(self, *, down_to: int) -> None:
        """The lock is held, but the dispatcher takes events without it."""
        with contextlib.suppress(IndexError):
            while len(self._queue) > down_to:
                self._queue.popleft()
                self._pushed_out += 1

    def _wake(self) -> None:
        """The lock is held, and the dispatcher is idle."""
        self._idle = False
        if self._dispatcher is None:
            self._dispatcher = threading.Thread(target=self._dispatch, name="bus", daemon=True)
            self._dispatcher.start()
        else:
            self._news.release()

    def _is_own_thread(self) -> bool:
        return threading.current_thread() in {self._dispatcher, self._looper}

    def _dispatch(self) -> None:
        queue, half = self._queue, self._size // 2
        while True:
            try:
                event, targets = queue.popleft()
            except IndexError:
                if self._rest():
                    return
                continue
            if self._blocked and len(queue) <= half:  # not for each event: waking them costs more than a delivery
                with self._lock:
                    self._changed.notify_all()
            delivered = len(targets)
            for one in targets:
                call = one.call
                if call is None:
                    delivered -= 1
                    continue
                try:
                    answer = call(event)
                    if answer is not None and _is_later(answer, one):
                        delivered -= 1
                except (Exception, SystemExit) as error:  # noqa: BLE001 - one subscriber's fault is not the others'
                    delivered -= 1
                    self._failed += 1
                    self._report(event, error)
            self._delivered += delivered
            self._handled += 1

    def _rest(self) -> bool:
        """Sleep until there is something to do; True when there never will be."""
        with self._lock:
            if self._queue:
                return False
            self._idle = True
            self._changed.notify_all()
            if self._closed:
                return True
        self._news.acquire()
        return False

    def _stand_in_line(self, line: _Line, event: Any) -> object:
        with self._lock:
            if self._policy == "block":
                self._changed.wait_for(lambda: len(line.events) < self._size or self._abandoned)
            if self._abandoned:
                self._dropped_in_lines += 1
                return _LATER
            if len(line.events) >= self._size:
                line.events.popleft()
                self._dropped_in_lines += 1
                self._in_lines -= 1
            line.events.append(event)
            self._in_lines += 1
            if line.draining:
                return _LATER
            line.draining = True
            if self._loop is None:
                import asyncio

                self._loop = asyncio.new_event_loop()
                self._looper = threading.Thread(target=self._run, args=(self._loop,), name="bus-async", daemon=True)
                self._looper.start()
            loop = self._loop
        with contextlib.suppress(RuntimeError):  # closed in this very moment: nobody waits for the event any more
            loop.call_soon_threadsafe(self._begin, line)
        return _LATER

    def _begin(self, line: _Line) -> None:
        import asyncio

        task = asyncio.get_running_loop().create_task(self._drain(line))
        self._tasks.add(task)  # the loop itself holds its tasks only weakly
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, line: _Line) -> None:
        import asyncio

        while True:
            with self._lock:
                if not line.events:
                    line.draining = False
                    return
                event = line.events.popleft()
                self._changed.notify_all()
            delivered = failed = 0
            try:
                if line.of.call is not None:
                    await line.handler(event)
                    delivered = 1
            except (Exception, SystemExit, asyncio.CancelledError) as error:
                failed = 1
                self._report(event, error)
                if isinstance(error, asyncio.CancelledError) and self._closed:
                    raise
            finally:
                with self._lock:
                    self._in_lines -= 1
                    self._delivered_later += delivered
                    self._failed_later += failed
                    self._changed.notify_all()

    def _run(self, loop: "asyncio.AbstractEventLoop") -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        loop.run_forever()
        if left := tuple(self._tasks):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    def _report(self, event: Any, error: BaseException) -> None:
        if self._on_error is not None:
            with contextlib.suppress(Exception):
                self._on_error(event, error)


def _is_later(answer: object, one: _Subscription) -> bool:
    """Whether this was an async handler's turn only to stand in line. Raises `TypeError` for a lost coroutine."""
    if type(answer) is CoroutineType:
        answer.close()
        raise TypeError(f"the handler of {one.pattern} returned a coroutine; subscribe an `async def` itself")
    return answer is _LATER
