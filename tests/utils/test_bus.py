"""The bus announces: who hears what, in which order, and what happens when handlers fail or lag."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

from utils.bus import Bus, Figures

WAIT = 120.0  # the longest a broken bus may hold a test up; nothing here sleeps


@dataclass(frozen=True)
class Happened:
    type: str
    number: int = 0


@pytest.fixture
def bus():
    bus = Bus()
    yield bus
    bus.close(WAIT)


class Gate:
    """A handler that says when it was entered, and stays until it is let go."""

    def __init__(self):
        self.seen, self.entered, self.open = [], threading.Event(), threading.Event()

    def __call__(self, event):
        self.entered.set()
        assert self.open.wait(WAIT)
        self.seen.append(event.number)


@pytest.mark.parametrize(
    ("pattern", "heard"),
    [
        ("run.finished", ["run.finished"]),
        ("run.*", ["run.started", "run.finished"]),
        ("*.started", ["run.started"]),
        ("run.**", ["run.started", "run.finished", "run.step.done"]),
        ("**", ["run", "run.started", "run.finished", "run.step.done", "batch.held"]),
        ("*", ["run"]),
        ("run.*.done", ["run.step.done"]),
        ("other", []),
    ],
)
def test_a_subscriber_hears_what_its_pattern_means(bus, pattern, heard):
    """Exact types, one segment, any number of segments, everything."""
    got = []
    bus.subscribe(pattern, lambda event: got.append(event.type))

    for kind in ("run", "run.started", "run.finished", "run.step.done", "batch.held"):
        bus.publish(Happened(kind))

    assert bus.close(WAIT)
    assert got == heard


@pytest.mark.parametrize("pattern", ["", ".", "a.", ".a", "a..b", "a*", "a.b*", "**.a", "a.**.b", "***"])
def test_a_pattern_that_means_nothing_is_refused(bus, pattern):
    """The error shows what patterns look like."""
    with pytest.raises(ValueError, match=r"run\.finished"):
        bus.subscribe(pattern, print)


def test_each_subscriber_sees_the_order_of_publishing(bus):
    """Plain and async handlers alike, with thousands of events."""
    plain, later = [], []

    async def slow(event):
        await asyncio.sleep(0)
        later.append(event.number)

    bus.subscribe("tick", lambda event: plain.append(event.number))
    bus.subscribe("tick", slow)
    for number in range(2000):
        bus.publish(Happened("tick", number))

    assert bus.close(WAIT)
    assert plain == later == list(range(2000))
    assert bus.figures() == Figures(published=2000, delivered=4000)


def test_plain_handlers_share_one_thread_that_is_not_the_publishers(bus):
    """No thread a delivery, and none before somebody wants an event."""
    threads = set()
    before = threading.active_count()
    bus.publish(Happened("tick"))
    bus.subscribe("other", print)
    bus.publish(Happened("tick"))
    assert threading.active_count() == before

    for _ in range(3):
        bus.subscribe("tick", lambda event: threads.add(threading.current_thread()))
    for _ in range(5):
        bus.publish(Happened("tick"))

    assert bus.close(WAIT)
    assert len(threads) == 1
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_failing_handler_hurts_nobody_else(kind):
    """It is counted and reported; the others, and its own next event, go on. A failing report changes nothing."""
    reported, healthy = [], []

    def report(event, error):
        reported.append((event.number, str(error)))
        raise RuntimeError("the report fails too")

    def broken(event):
        raise ValueError(f"no {event.number}")

    async def broken_async(event):
        raise ValueError(f"no {event.number}")

    bus = Bus(on_error=report)
    bus.subscribe("tick", broken if kind == "plain" else broken_async)
    bus.subscribe("tick", lambda event: healthy.append(event.number))
    bus.publish(Happened("tick", 1))
    bus.publish(Happened("tick", 2))

    assert bus.close(WAIT)
    assert healthy == [1, 2]
    assert reported == [(1, "no 1"), (2, "no 2")]
    assert bus.figures() == Figures(published=2, delivered=2, failed=2)


def test_a_plain_handler_that_returns_a_coroutine_is_a_fault_that_is_told():
    """Otherwise it would never run, and nobody would know."""
    reported = []

    async def work(event):
        raise AssertionError("never awaited")

    bus = Bus(on_error=lambda event, error: reported.append(str(error)))
    bus.subscribe("tick", lambda event: work(event) if event.number else None)
    bus.publish(Happened("tick", 1))

    assert bus.close(WAIT)
    assert ["coroutine" in words for words in reported] == [True]


def test_unsubscribed_hears_no_more(bus):
    """Not even what was waiting in the queue."""
    gate, got = Gate(), []
    bus.subscribe("tick", gate)
    second = bus.subscribe("tick", lambda event: got.append(event.number))
    bus.publish(Happened("tick", 1))
    assert gate.entered.wait(WAIT)

    assert bus.unsubscribe(second)
    assert not bus.unsubscribe(second)
    gate.open.set()

    assert bus.close(WAIT)
    assert (gate.seen, got) == ([1], [])


def test_unsubscribed_async_hears_no_more(bus):
    """Not even what stands in its own line already."""
    entered, release, seen, loops = threading.Event(), asyncio.Event(), [], []

    async def lagging(event):
        seen.append(event.number)
        loops.append(asyncio.get_running_loop())
        entered.set()
        await release.wait()

    one = bus.subscribe("tick", lagging)
    in_line = threading.Event()
    bus.subscribe("tick", lambda event: in_line.set() if event.number == 2 else None)
    for number in range(3):
        bus.publish(Happened("tick", number))
    assert entered.wait(WAIT)
    assert in_line.wait(WAIT)

    bus.unsubscribe(one)
    loops[0].call_soon_threadsafe(release.set)

    assert bus.close(WAIT)
    assert seen == [0]


def test_drop_oldest_keeps_the_newest():
    """A full queue forgets its oldest event, counts it, and the publisher never waits."""
    gate = Gate()
    bus = Bus(queue_size=3, policy="drop_oldest")
    bus.subscribe("tick", gate)
    bus.publish(Happened("tick", 0))
    assert gate.entered.wait(WAIT)
    for number in range(1, 11):
        bus.publish(Happened("tick", number))
    assert bus.figures() == Figures(published=11, dropped=7, waiting=4)
    gate.open.set()

    assert bus.close(WAIT)
    assert gate.seen == [0, 8, 9, 10]


def test_drop_oldest_bounds_an_async_subscribers_line():
    """A lagging async handler loses its own oldest events; others see all."""
    plain, seen, entered = [], [], threading.Event()
    release = asyncio.Event()
    loops = []

    async def lagging(event):
        loops.append(asyncio.get_running_loop())
        entered.set()
        await release.wait()
        seen.append(event.number)

    bus = Bus(queue_size=5, policy="drop_oldest")
    bus.subscribe("tick", lagging)
    bus.subscribe("tick", lambda event: plain.append(event.number))
    bus.publish(Happened("tick", 0))
    assert entered.wait(WAIT)
    for number in range(1, 61):
        done = threading.Event()
        probe = bus.subscribe("probe", lambda event, done=done: done.set())
        bus.publish(Happened("tick", number))
        bus.publish(Happened("probe"))
        assert done.wait(WAIT)
        bus.unsubscribe(probe)
    loops[0].call_soon_threadsafe(release.set)

    assert bus.close(WAIT)
    assert plain == list(range(61))
    assert seen == [0, 56, 57, 58, 59, 60]
    assert bus.figures().dropped == 55


def test_block_makes_the_publisher_wait_and_loses_nothing():
    """With room for one, the third event waits until the handler goes on."""
    gate = Gate()
    bus = Bus(queue_size=1)
    bus.subscribe("tick", gate)
    bus.publish(Happened("tick", 0))
    assert gate.entered.wait(WAIT)
    bus.publish(Happened("tick", 1))
    publisher = threading.Thread(target=bus.publish, args=(Happened("tick", 2),))
    publisher.start()
    publisher.join(0.05)
    assert publisher.is_alive()
    gate.open.set()
    publisher.join(WAIT)

    assert bus.close(WAIT)
    assert gate.seen == [0, 1, 2]
    assert bus.figures().dropped == 0


def test_a_waiting_publisher_goes_on_when_half_of_the_queue_is_empty():
    """Not only once all of it is: the handler would be idle until the publisher is awake."""
    turns, entered, bus = threading.Semaphore(0), threading.Event(), Bus(queue_size=4)

    def step(event):
        entered.set()
        assert turns.acquire(timeout=WAIT)

    bus.subscribe("tick", step)
    bus.publish(Happened("tick", 0))
    assert entered.wait(WAIT)
    for number in range(1, 5):
        bus.publish(Happened("tick", number))
    publisher = threading.Thread(target=bus.publish, args=(Happened("tick", 5),))
    publisher.start()
    publisher.join(0.05)
    assert publisher.is_alive()

    for _ in range(2):
        turns.release()
    publisher.join(WAIT)

    assert not publisher.is_alive()
    turns.release(10)
    assert bus.close(WAIT)
    assert bus.figures() == Figures(published=6, delivered=6)


def test_a_handler_may_publish_even_to_a_full_queue():
    """It would wait for itself; the oldest event goes instead, and is counted."""
    got, published = [], threading.Event()
    bus = Bus(queue_size=1)

    def chain(event):
        got.append(event.number)
        if event.number == 0:
            for number in range(1, 4):
                bus.publish(Happened("tick", number))
            published.set()

    bus.subscribe("tick", chain)
    bus.publish(Happened("tick", 0))
    assert published.wait(WAIT)

    assert bus.close(WAIT)
    assert got == [0, 3]
    assert bus.figures().dropped == 2


def test_close_handles_what_waits_and_takes_no_more():
    """All that was published before is handled; what comes after is not news to anybody."""
    got = []
    bus = Bus()
    bus.subscribe("**", lambda event: got.append(event.number))
    for number in range(100):
        bus.publish(Happened("tick", number))

    assert bus.close(WAIT)
    bus.publish(Happened("tick", 100))

    assert got == list(range(100))
    assert bus.close(WAIT)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bus")]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_close_does_not_wait_for_ever(kind):
    """A handler that hangs costs the timeout, and what waited behind it is counted as dropped or waiting."""
    gate = Gate()

    async def hanging(event):
        gate.entered.set()
        await asyncio.Event().wait()

    bus = Bus()
    bus.subscribe("tick", gate if kind == "plain" else hanging)
    for number in range(3):
        bus.publish(Happened("tick", number))
    assert gate.entered.wait(WAIT)

    assert not bus.close(0.05)

    gate.open.set()
    assert bus.figures().delivered <= 1


def test_close_from_a_handler_returns_at_once(bus):
    """It cannot wait for itself; the rest is still handled."""
    answers = []
    bus.subscribe("stop", lambda event: answers.append(bus.close(WAIT)))
    bus.publish(Happened("stop"))

    assert bus.close(WAIT)
    assert answers == [False]


def test_many_publishers_lose_nothing(bus):
    """Four threads at once: every event once, each thread's own in order."""
    got = []
    bus.subscribe("**", got.append)

    def work(name):
        for number in range(500):
            bus.publish(Happened(name, number))

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)

    assert bus.close(WAIT)
    for i in range(4):
        assert [event.number for event in got if event.type == f"t{i}"] == list(range(500))


@pytest.mark.parametrize(("setting", "word"), [({"queue_size": 0}, "queue_size"), ({"policy": "wait"}, "policy")])
def test_settings_out_of_range_are_named(setting, word):
    """A wrong setting is an error that names it."""
    with pytest.raises(ValueError, match=word):
        Bus(**setting)
