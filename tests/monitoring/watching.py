"""What the tests of watchdogs share: threads that stand still until they are let go, and an ear."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monitoring.service_event import ServiceEvent

PATIENCE_S = 120.0


class Ear:
    """Hears events, and waits for them."""

    def __init__(self) -> None:
        self.heard: list[ServiceEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: ServiceEvent) -> None:
        with self._changed:
            self.heard.append(event)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[ServiceEvent], Any]) -> ServiceEvent:
        """The first event that fits; fails when none came in time."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.heard)), PATIENCE_S), self.told
            return next(filter(wanted, self.heard))

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(event.type, event.service, event.why) for event in self.heard]


@contextmanager
def thread_at_work(work: Callable[[threading.Event], object], name: str) -> Iterator[threading.Thread]:
    """A thread that runs `work` until the event that it is given is set, at the end of the block."""
    go = threading.Event()
    thread = threading.Thread(target=work, args=(go,), name=name, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        go.set()
        thread.join(PATIENCE_S)
