"""Followers: woken from any process, one at a time for a consumer, in nobody's way."""

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from typing import Any

import pytest

from tests.utils import children
from utils.bus import Bus
from utils.clock import ManualClock
from utils.database import Database, StateError
from utils.events import Event, EventStore, NewEvent
from utils.events.follow import Consumer, Follower

WAIT = 120.0


@pytest.fixture
def opened_store(opened: Callable[[], Database]) -> Iterator[Callable[..., EventStore]]:
    """Opens the log once more, as another process would."""
    stores: list[EventStore] = []

    def open_(**settings: Any) -> EventStore:
        stores.append(EventStore(opened(), **settings))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened_store: Callable[..., EventStore]) -> EventStore:
    return opened_store()


@pytest.fixture
def follower(store: EventStore) -> Iterator[Follower]:
    follower = Follower(store)
    yield follower
    assert follower.stop(WAIT)


def _add(store: EventStore, *types: str) -> None:
    store.append([NewEvent(kind, "s") for kind in types])


def test_what_another_process_commits_is_seen(
    follower: Follower, opened_store: Callable[..., EventStore], store: EventStore
) -> None:
    """In order, by each consumer that wants it."""
    seen: Queue[int] = Queue()
    most: Queue[int] = Queue()
    follower.add(Consumer(name="all", handler=lambda event: seen.put(event.seq), start="beginning"))
    follower.add(Consumer(name="some", handler=lambda event: most.put(event.seq), pattern="b.*", start="beginning"))
    other = opened_store()
    for _ in range(5):
        _add(other, "a.x", "b.x")

    assert [seen.get(timeout=WAIT) for _ in range(10)] == list(range(1, 11))
    assert [most.get(timeout=WAIT) for _ in range(5)] == [2, 4, 6, 8, 10]
    assert most.empty()


def test_what_this_process_commits_wakes_over_the_bus(opened_store: Callable[..., EventStore]) -> None:
    """Also where nothing else would tell: here its ear is stopped."""
    bus = Bus()

    def announce(events: Sequence[Event]) -> None:
        for event in events:
            bus.publish(event)

    store = opened_store(announce=announce)
    follower = Follower(store, bus=bus)
    seen: Queue[int] = Queue()
    follower.add(Consumer(name="here", handler=lambda event: seen.put(event.seq), start="beginning"))
    _add(store, "t")
    assert seen.get(timeout=WAIT) == 1
    with follower._changed:  # it begins to listen in a thread of its own, perhaps later than it works
        assert follower._changed.wait_for(lambda: follower._listening is not None, WAIT)
    assert follower._listening is not None
    follower._listening.wait = lambda seconds: threading.Event().wait(0.01) and False  # type: ignore[method-assign]

    _add(store, "t")

    assert seen.get(timeout=WAIT) == 2
    follower.remove("here")
    assert bus.figures().published == 2
    _add(store, "t")
    assert bus.figures().published == 2
    assert follower.stop(WAIT)
    bus.close()


def test_a_slow_consumer_is_in_nobodys_way(follower: Follower, store: EventStore) -> None:
    """While its handler does not come back, others follow and the log is written."""
    entered, go = threading.Event(), threading.Event()
    quick: Queue[int] = Queue()

    def slow(_: Event) -> None:
        entered.set()
        assert go.wait(WAIT)

    follower.add(Consumer(name="slow", handler=slow, start="beginning"))
    follower.add(Consumer(name="quick", handler=lambda event: quick.put(event.seq), start="beginning"))
    _add(store, "t")
    assert entered.wait(WAIT)
    for _ in range(20):
        _add(store, "t")

    assert [quick.get(timeout=WAIT) for _ in range(21)] == list(range(1, 22))
    lag = {one.name: one.behind for one in follower.cursors.standing()}
    assert lag["slow"] == 21
    assert not follower.remove("slow", timeout=0.0)
    go.set()


def test_it_stops_at_once_and_frees_its_consumers(store: EventStore, opened_store: Callable[..., EventStore]) -> None:
    """Nothing waits for a listener; another follower goes on where it stopped."""
    seen: Queue[str] = Queue()
    first, second = Follower(store), Follower(opened_store())
    first.add(Consumer(name="one", handler=lambda event: seen.put(f"first {event.seq}"), start="beginning"))
    _add(store, "t")
    assert seen.get(timeout=WAIT) == "first 1"

    assert first.stop(WAIT)
    second.add(Consumer(name="one", handler=lambda event: seen.put(f"second {event.seq}")))
    _add(store, "t")

    assert seen.get(timeout=WAIT) == "second 2"
    assert second.stop(WAIT)
    with pytest.raises(StateError, match="stopped"):
        second.add(Consumer(name="two", handler=print))


def test_a_name_is_taken_once(follower: Follower) -> None:
    """Two consumers of one name would share a cursor."""
    follower.add(Consumer(name="one", handler=print))

    with pytest.raises(ValueError, match="one: this name is taken"):
        follower.add(Consumer(name="one", handler=print))


def test_waiting_for_news_ends_when_another_thread_closes_it(database: Database) -> None:
    """At once, not after the seconds that were asked for."""
    news = database.news()
    gone = threading.Thread(target=news.wait, args=(3600.0,))
    gone.start()

    news.close()

    gone.join(WAIT)
    assert not gone.is_alive()


def test_secrets_in_what_a_handler_says_are_masked(store: EventStore) -> None:
    """It is shown to whoever asks how the consumer stands."""
    failed = threading.Event()

    def fail(_: Event) -> None:
        failed.set()
        raise ValueError("password=hunter2")

    follower = Follower(store, redacted=lambda text: text.replace("hunter2", "***"))
    follower.add(Consumer(name="one", handler=fail, start="beginning"))
    _add(store, "t")
    assert failed.wait(WAIT)
    assert follower.stop(WAIT)

    assert [one.error for one in follower.cursors.standing()] == ["ValueError: password=***"]


class Running:
    """A follower in a process of its own, and the lines it prints."""

    def __init__(self, address: str, most: int) -> None:
        self.process = children.start("follow", address, "one", most)
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.line() == "ready"

    def line(self, timeout: float = WAIT) -> str:
        return self._lines.get(timeout=timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())


def test_of_two_processes_one_works_and_the_other_takes_over(address: str, store: EventStore) -> None:
    """After kill -9 in the middle of a handler: its event comes again, and none is left out."""
    _add(store, *["t"] * 30)
    first = Running(address, 10)
    before = [first.line() for _ in range(9)]
    second = Running(address, 0)
    with pytest.raises(Empty):
        second.line(timeout=0.3)  # the first one lives, in its tenth event
    first.kill()
    after = [second.line() for _ in range(30)]
    second.kill()

    assert before == [str(seq) for seq in range(1, 10)]
    assert after == [str(seq) for seq in range(1, 31)]


def test_killed_again_and_again_between_handler_and_cursor_it_misses_nothing(address: str, store: EventStore) -> None:
    """Each process dies in its 131st event: what it had not written down comes again, in order."""
    _add(store, *["t"] * 400)
    handled: list[int] = []
    while not handled or handled[-1] < 400:
        child = Running(address, 131)
        for _ in range(130):
            handled.append(int(child.line()))
            if handled[-1] == 400:
                break
        child.kill()

    assert handled == [*range(1, 131), *range(101, 231), *range(201, 331), *range(301, 401)]


def test_news_alone_are_no_reason_to_say_that_one_lives(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, opened_store: Callable[..., EventStore]
) -> None:
    """It is said every five seconds, however much happens: each time it is a write."""
    clock, seen, renewed = ManualClock(), Queue[str](), list[Any]()
    clock.advance(1000.0)
    follower = Follower(store, clock=clock)
    monkeypatch.setattr(follower.cursors, "renew", renewed.append)
    follower.add(Consumer(name="one", handler=lambda event: seen.put(event.subject), start="beginning"))

    for subject in ("a", "b", "c"):
        opened_store().append([NewEvent("t", subject)])
        assert seen.get(timeout=WAIT) == subject
    assert follower.stop(WAIT)

    assert renewed == []
