"""Who listens live, and how what happens gets to them: one follower of the log, a bounded queue for each.

A client that does not keep up loses the oldest of what waits for it, is told how much, and may ask for it again by its
position; one that does not read at all is cut off. Nobody waits for another.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from api.asking import Asking
from operations.live import Heard, LogTail, Topics, replayed

__all__ = ["HEARTBEAT_S", "QUEUE", "SEND_S", "Client", "Ended", "Live"]

QUEUE = 256
"""Events that wait for one client."""

SEND_S = 5.0
"""A client that has not taken anything for so long does not read."""

HEARTBEAT_S = 25.0
"""After so long without anything to say we say that we are there; proxies close what is silent for a minute."""

CLIENTS = 1000

Send = Callable[[str], Awaitable[None]]


class Ended(Exception):
    """The connection is over, because of us. `code`: of WebSocket (RFC 6455, 7.4)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Client:
    """One who listens.

    Args:
        topics: What of.
        since: The position after which it has heard nothing; None: from now on.
        texts: What of an event goes out, in its form.
        beat, lost: How it is told that we are there, and that so many events were dropped after a position.
    """

    def __init__(
        self,
        topics: Topics,
        since: int | None,
        *,
        texts: Callable[[Topics, Heard], list[str]],
        beat: Callable[[int], str],
        lost: Callable[[int, int], str],
    ) -> None:
        self.topics = topics
        self.since = since
        self.at = 0
        self.dropped = 0
        self._texts, self._beat, self._lost = texts, beat, lost
        self._queue: deque[Heard | str] = deque()
        self._called = asyncio.Event()
        self._ended: Ended | None = None

    def listen(self, topics: Topics, since: int | None = None) -> None:
        """Hear of something else from now on, or from a position on."""
        self.topics = topics
        self.since = self.since if since is None else since
        self._called.set()

    def take(self, one: Heard) -> int:
        """Something happened; gives how many events were dropped for it."""
        if self.since is not None:
            return 0  # it is reading what was before, and comes to this
        lost = 0
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self.dropped += 1
            lost = 1
        self._queue.append(one)
        self._called.set()
        return lost

    def say(self, text: str) -> None:
        """Answer it."""
        if len(self._queue) >= 2 * QUEUE:
            self.end(1008, "you ask and do not read")
        self._queue.append(text)
        self._called.set()

    def beat(self, position: int) -> None:
        """Nothing has happened for a while."""
        if not self._queue and self.since is None:
            self.say(self._beat(position))

    def end(self, code: int, reason: str) -> None:
        """Have `serve` come back."""
        self._ended = self._ended or Ended(code, reason)
        self._called.set()

    async def serve(self, live: "Live", send: Send) -> None:
        """Send what there is, until somebody ends it; `send` may raise what it likes.

        Raises:
            Ended: because of us.
        """
        while True:
            self._raise_if_ended()
            if self.since is not None:
                await self._catch_up(live, send)
            await self._drain(send)
            self._called.clear()
            if not self._queue and self.since is None and self._ended is None:
                await self._called.wait()

    async def _drain(self, send: Send) -> None:
        while self._queue and self.since is None:
            self._raise_if_ended()
            if self.dropped:
                lost, self.dropped = self.dropped, 0
                await self._out(send, self._lost(lost, self.at))
                continue
            one = self._queue.popleft()
            await self._out(send, *([one] if isinstance(one, str) else self._new(one)))

    def _new(self, one: Heard) -> list[str]:
        if one.seq <= self.at:
            return []
        self.at = one.seq
        return self._texts(self.topics, one)

    async def _catch_up(self, live: "Live", send: Send) -> None:
        """Send what the log has after the position, until that is where all others are."""
        since, asked = self.since, self.topics
        answers = [one for one in self._queue if isinstance(one, str)]
        self._queue.clear()  # what happened meanwhile comes from the log, too
        await self._out(send, *answers)
        self.at = min(since or 0, live.position)
        while self.at < live.position:
            self._raise_if_ended()
            told, self.at = await live.before(asked, self.at)
            for one in told:
                await self._out(send, *self._texts(asked, one))
        if (since, asked) == (self.since, self.topics):  # else it asked for something else meanwhile
            self._queue = deque(one for one in self._queue if isinstance(one, str))
            self.since, self.dropped = None, 0

    async def _out(self, send: Send, *texts: str) -> None:
        for text in texts:
            try:
                async with asyncio.timeout(SEND_S):
                    await send(text)
            except TimeoutError:
                raise Ended(1008, f"nothing was read for {SEND_S:g} s") from None

    def _raise_if_ended(self) -> None:
        if self._ended is not None:
            raise self._ended


class _Beginning:
    """A tail that is made in a thread. Whoever waits for it may go: then nobody has it, and it ends."""

    def __init__(self, make: Callable[[], LogTail]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._tail: LogTail | None = None
        self._over = False

    def make(self) -> None:
        """Raises StateError: the log cannot be read."""
        tail = self._make()
        with self._lock:
            if not self._over:
                self._tail = tail
                return
        tail.close()

    def over(self) -> LogTail | None:
        """Nobody waits any more: the tail, when it is there."""
        with self._lock:
            self._over = True
            return self._tail


class Live:
    """All who listen, in one loop. The log is followed while there is somebody.

    Attributes:
        position: Of the newest event that was handed on.
        delivered, dropped: Events that were put into queues, and those that did not fit, of all clients.
    """

    def __init__(self, asking: Asking, stopping: asyncio.Event, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._asking = asking
        self._stopping = stopping
        self._heartbeat_s = heartbeat_s
        self._clients: set[Client] = set()
        self._tail: LogTail | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None
        self.position = 0
        self.delivered = self.dropped = 0

    @property
    def clients(self) -> int:
        return len(self._clients)

    async def join(self, client: Client) -> None:
        """Have it hear of everything from now on.

        Raises:
            Ended: there are too many, or the server stops.
            StateError: the log cannot be read.
        """
        if self._stopping.is_set():
            raise Ended(1012, "the server stops")
        if len(self._clients) >= CLIENTS:
            raise Ended(1013, "too many listen already")
        async with self._turn:
            self._clients.add(client)
            try:
                if self._tail is None:
                    await self._follow()
            except BaseException:
                self.leave(client)
                raise
            client.at = self.position
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    def leave(self, client: Client) -> None:
        """It hears of nothing any more."""
        self._clients.discard(client)
        if not self._clients:
            task = asyncio.create_task(self._rest())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def before(self, topics: Topics, after: int) -> tuple[list[Heard], int]:
        """What was after a position."""
        return await self._asking.call(lambda: replayed(self._asking.system, topics, after=after))

    async def close(self) -> None:
        """Nobody hears of anything any more."""
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        for client in [*self._clients]:
            client.end(1012, "the server stops")
        self._clients.clear()
        await self._rest()
        while self._tasks:
            await asyncio.wait([*self._tasks])

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()

        def tell(tail: LogTail, told: Sequence[Heard]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(self._hand_on, tail, told)

        beginning = _Beginning(lambda: LogTail(self._asking.system, tell))
        try:
            await self._asking.call(beginning.make)
        finally:
            self._tail = beginning.over()
        if self._tail is not None:
            self.position = max(self.position, self._tail.began)

    def _hand_on(self, tail: LogTail, told: Sequence[Heard]) -> None:
        if tail is not self._tail:
            return  # it ended meanwhile
        clients = [*self._clients]
        for one in told:
            self.position = one.seq
            for client in clients:
                if (one.severity in client.topics.severities) or client.topics.takes_event(one.event.type):
                    self.delivered += 1
                    self.dropped += client.take(one)

    async def _rest(self) -> None:
        """Follow the log no more, when nobody listens."""
        async with self._turn:
            if not self._clients and self._tail is not None:
                tail, self._tail = self._tail, None
                await asyncio.to_thread(tail.close)

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._stopping.wait()
            if self._stopping.is_set():
                for client in [*self._clients]:
                    client.end(1012, "the server stops")
                return
            for client in [*self._clients]:
                client.beat(self.position)
