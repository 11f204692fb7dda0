"""Consumers that follow the log, each with a durable cursor and a thread of its own; one listener wakes them all."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import News, StateError
from utils.events.cursors import Cursors
from utils.events.following import Consumer, Following, FollowingFigures
from utils.events.store import EventStore
from utils.leases import HEARTBEAT_EVERY

if TYPE_CHECKING:
    from utils.bus import Bus

__all__ = ["Consumer", "Follower"]

_TROUBLE_S = 1.0  # until a database that is away is asked again


class Follower:
    """Runs consumers until it is stopped. One process at a time works for a consumer; others stand by.

    Nothing is polled: consumers wait until somebody, in any process, has committed. What this process commits itself
    wakes them at once when a bus is given.

    Args:
        redacted: Masks known secrets in what handlers say.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        bus: "Bus | None" = None,
        clock: Clock = SYSTEM_CLOCK,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self.cursors = Cursors(store, clock=clock)
        self._store = store
        self._bus = bus
        self._clock = clock
        self._redacted = redacted
        self._changed = threading.Condition()  # guards all below; told when there may be news, and when to stop
        self._news = 0  # how often there may have been some
        self._at_work: dict[str, tuple[Following, threading.Thread]] = {}
        self._subscriptions: dict[str, int] = {}
        self._ear: threading.Thread | None = None
        self._listening: News | None = None
        self._stopped = False

    def add(self, consumer: Consumer) -> None:
        """Begin to work for a consumer, as soon as no other process does.

        Raises:
            ValueError: this follower has one of that name.
            StateError: it was stopped.
        """
        following = Following(consumer, self._store, self.cursors, clock=self._clock, redacted=self._redacted)
        thread = threading.Thread(target=self._work, args=(following,), name=f"follow:{consumer.name}", daemon=True)
        with self._changed:
            if self._stopped:
                raise StateError("the follower was stopped")
            if consumer.name in self._at_work:
                raise ValueError(f"consumer {consumer.name}: this name is taken")
            self._at_work[consumer.name] = following, thread
            if self._bus is not None:
                self._subscriptions[consumer.name] = self._bus.subscribe(consumer.pattern, lambda _: self.wake())
            if self._ear is None:
                self._ear = threading.Thread(target=self._listen, name="follow", daemon=True)
                self._ear.start()
        thread.start()

    def remove(self, name: str, timeout: float = 5.0) -> bool:
        """Stop one consumer; another process may have it then. False when its handler took longer than `timeout`."""
        with self._changed:
            following, thread = self._at_work[name]
            following.stopping = True
            self._changed.notify_all()
        thread.join(timeout)
        with self._changed:
            self._at_work.pop(name, None)
            if self._bus is not None:
                self._bus.unsubscribe(self._subscriptions.pop(name))
        return not thread.is_alive()

    def wake(self) -> None:
        """There may be news."""
        with self._changed:
            self._news += 1
            self._changed.notify_all()

    def figures(self) -> dict[str, FollowingFigures]:
        """What each consumer did in this process."""
        with self._changed:
            return {name: following.figures for name, (following, _) in self._at_work.items()}

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop all consumers, each after the call it is in. False when one took longer than `timeout` seconds."""
        with self._changed:
            self._stopped = True
            names = list(self._at_work)
            for following, _ in self._at_work.values():
                following.stopping = True
            if self._listening is not None:
                self._listening.close()
            self._changed.notify_all()
        over = self._clock.monotonic() + timeout
        ended = [self.remove(name, max(0.0, over - self._clock.monotonic())) for name in names]
        if self._ear is not None and self._ear is not threading.current_thread():
            self._ear.join(timeout)
        return all(ended)

    def _work(self, following: Following) -> None:
        while True:
            with self._changed:
                seen = self._news
            if following.stopping:
                break
            try:
                wait = following.step()
            except StateError as error:
                logging.getLogger(__name__).warning("consumer %s waits: %s", following.consumer.name, error)
                following.deaf, wait = True, _TROUBLE_S
            if wait > 0.0:
                self._wait(following, seen, wait)
        try:
            following.close()
        except StateError as error:
            # Nobody waits for it: once this process is gone, or has been silent for 15 s, the consumer is free.
            logging.getLogger(__name__).warning("consumer %s: %s", following.consumer.name, error)

    def _wait(self, following: Following, seen: int, seconds: float) -> None:
        def is_called() -> bool:
            return following.stopping or (self._news != seen and not following.deaf)

        with self._changed:
            self._changed.wait_for(is_called, seconds)

    def _listen(self) -> None:
        """Wake the consumers when there may be news, and say every 5 s that their owner lives."""
        beaten = self._clock.monotonic()
        while not self._stopped:
            try:
                news = self._heard()
                if news is None:
                    return
                if news.wait(HEARTBEAT_EVERY):
                    self.wake()
                if self._clock.monotonic() - beaten >= HEARTBEAT_EVERY and not self._stopped:
                    beaten = self._clock.monotonic()
                    with self._changed:
                        held = [one.cursor for one, _ in self._at_work.values() if one.cursor is not None]
                    if held:
                        self.cursors.renew(held)
            except StateError as error:
                logging.getLogger(__name__).warning("followers wait: %s", error)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, _TROUBLE_S)

    def _heard(self) -> News | None:
        """What tells of news; None once the follower was stopped."""
        if self._listening is None:
            news = self._store.database.news()
            with self._changed:
                if self._stopped:
                    news.close()
                    return None
                self._listening = news
            self.wake()  # what was committed before it listened
        return self._listening
