"""PostgreSQL is stopped and started while somebody follows: nothing is missed, nobody has to be started again."""

import threading
from queue import Queue
from typing import Any

import pytest

from tests.postgres import address
from tests.utils.events.counts import open_at
from utils.database import StateError
from utils.events import EventStore, NewEvent
from utils.events.follow import Consumer, Follower

WAIT = 120.0


def test_followers_survive_a_restart_of_the_database(own_server: Any) -> None:
    """A consumer with a cursor, and a stream as `events --follow` reads it."""
    database = open_at(address("postgres", own_server))
    store = EventStore(database)
    handled: Queue[str] = Queue()
    streamed: Queue[str] = Queue()
    follower = Follower(store)
    follower.add(Consumer(name="one", handler=lambda event: handled.put(event.subject), start="beginning"))

    def stream() -> None:
        for event in store.follow():
            streamed.put(event.subject)
            if event.subject == "after":
                return

    reading = threading.Thread(target=stream)
    reading.start()
    store.append([NewEvent("t", "before")])
    seen = [(handled.get(timeout=WAIT), streamed.get(timeout=WAIT))]

    own_server.stop()
    with pytest.raises(StateError) as away:
        store.append([NewEvent("t", "lost")])
    own_server.ensure_postgres_running()
    store.append([NewEvent("t", "after")])
    seen.append((handled.get(timeout=WAIT), streamed.get(timeout=WAIT)))

    assert away.value.transient
    assert seen == [("before", "before"), ("after", "after")]
    reading.join(WAIT)
    assert follower.stop(WAIT)
    store.close()
    database.close()


def test_a_log_that_cannot_be_read_is_not_waited_for(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not pass by itself is told to who follows; what passes is waited for."""
    store.append([NewEvent("t", "a")])
    read = store.read
    failures = [StateError("away for a moment", transient=True), StateError("damaged")]

    def broken(**filters: Any) -> Any:
        if failures:
            raise failures.pop(0)
        return read(**filters)

    monkeypatch.setattr(store, "read", broken)
    monkeypatch.setattr("utils.events.store._LOOK_AGAIN_S", 0.01)

    with pytest.raises(StateError, match="damaged"):
        next(store.follow())
    assert next(store.follow()).subject == "a"
