"""A consumer of the log, step by step: in order, at least once, whatever fails in between."""

from collections.abc import Callable
from typing import Any

import pytest

from utils.clock import ManualClock
from utils.database import Database, StateError
from utils.events import Event, EventStore, NewEvent
from utils.events.cursors import Cursors
from utils.events.following import Consumer, Following


class Log:
    """A log, and what its consumers saw."""

    def __init__(self, database: Database) -> None:
        self.clock = ManualClock()
        self.store = EventStore(database, clock=self.clock)
        self.cursors = Cursors(self.store, clock=self.clock)
        self.seen: list[int] = []
        self.broken: dict[int, Exception] = {}

    def add(self, *types: str) -> list[int]:
        return [event.seq for event in self.store.append([NewEvent(kind, "s") for kind in types])]

    def handle(self, event: Event) -> None:
        if event.seq in self.broken:
            raise self.broken[event.seq]
        self.seen.append(event.seq)

    def following(self, name: str = "reader", **settings: Any) -> Following:
        consumer = Consumer(name=name, **{"handler": self.handle, "start": "beginning", **settings})
        return Following(consumer, self.store, self.cursors, clock=self.clock)


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database)


def work(following: Following) -> float:
    """Step until there is nothing to do now; gives the seconds until there is."""
    for _ in range(1000):
        if (wait := following.step()) > 0.0:
            return wait
    raise AssertionError("it never comes to rest")


def test_a_new_consumer_begins_at_the_head_or_at_the_beginning(log: Log) -> None:
    """As it was declared; from then on both see everything."""
    log.add("t", "t")
    heads: list[int] = []
    late = log.following("late", start="head", handler=lambda event: heads.append(event.seq))
    early = log.following("early")
    for each in (late, early):
        work(each)
    log.add("t")
    for each in (late, early):
        work(each)

    assert (heads, log.seen) == ([3], [1, 2, 3])


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [("run.finished", [2]), ("run.*", [1, 2]), ("run.**", [1, 2, 4]), ("run.*.done", [4]), ("**", [1, 2, 3, 4, 5])],
    ids=["a type", "one segment", "all below", "a star inside", "everything"],
)
def test_a_pattern_means_what_it_means_to_the_bus(log: Log, pattern: str, wanted: list[int]) -> None:
    """Also where the log's index only knows how a type begins."""
    following = log.following(pattern=pattern)
    log.add("run.started", "run.finished", "running", "run.step.done", "other")

    work(following)

    assert log.seen == wanted
    assert [(one.seq, one.behind) for one in log.cursors.standing()] == [(5, 0)]


def test_it_goes_on_where_the_last_one_left_off(log: Log) -> None:
    """Over restarts, and with more events than are read at once."""
    log.add(*["t"] * 250)
    first = log.following()
    first.step()
    first.close()
    log.add("t")

    work(log.following())

    assert log.seen == list(range(1, 252))


def test_the_cursor_moves_after_the_handler_came_back(log: Log) -> None:
    """Who dies in between sees the event again: at least once, never not at all."""
    log.add("t", "t")
    dying = log.following(handler=lambda event: exit_at_2(event, log))
    with pytest.raises(KeyboardInterrupt):
        dying.step()
    log.clock.advance(16)  # its heart no longer beats

    work(log.following())

    assert log.seen == [1, 1, 2]


def exit_at_2(event: Event, log: Log) -> None:
    if event.seq == 2:
        raise KeyboardInterrupt
    log.seen.append(event.seq)


def test_a_failing_handler_is_tried_again_after_growing_pauses(log: Log) -> None:
    """Nothing overtakes the event; who asks is told which it is, how often it failed, and why."""
    log.add("t", "t", "t")
    log.broken[2] = ValueError("no such\nplace")
    following = log.following()
    pauses = []
    for _ in range(9):
        pauses.append(work(following))
        log.clock.advance(pauses[-1])
    (stuck,) = log.cursors.standing()
    log.broken.clear()
    work(following)

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert (stuck.seq, stuck.failed, stuck.attempts, stuck.behind) == (1, 2, 9, 2)
    assert stuck.error == "ValueError: no such place"
    assert stuck.behind_s == sum(pauses)
    assert log.seen == [1, 2, 3]
    assert [(one.attempts, one.error, one.behind) for one in log.cursors.standing()] == [(0, "", 0)]


def test_news_does_not_shorten_a_pause(log: Log) -> None:
    """A provider that is down is not asked at the rate of the log."""
    log.add("t")
    log.broken[1] = ValueError("down")
    following = log.following()
    work(following)
    log.add("t")

    assert following.step() == 1.0
    assert following.deaf
    assert following.figures.failed == 1


def test_what_a_handler_cannot_take_is_parked_and_can_be_retried(log: Log) -> None:
    """The consumer goes on without it; by hand it is tried once more, and leaves the list when it went well."""
    log.add("t", "t", "t")
    log.broken[2] = ValueError("bad")
    following = log.following(park_after=3)
    for _ in range(4):
        log.clock.advance(work(following))
    (parked,) = log.cursors.parked("reader")
    retried = [log.cursors.retry("reader")]
    work(following)
    (again,) = log.cursors.parked()
    log.broken.clear()
    retried += [log.cursors.retry("reader", 2), log.cursors.retry("reader", 3)]
    work(following)

    assert (parked.seq, parked.attempts, parked.error) == (2, 3, "ValueError: bad")
    assert parked.id == log.store.read(after=1, limit=1)[0].id
    assert (again.attempts, retried) == (4, [1, 1, 0])
    assert log.seen == [1, 3, 2]
    assert log.cursors.parked() == []


def test_what_may_pass_by_itself_is_never_parked(log: Log) -> None:
    """A database that is away for an hour loses nobody an event."""
    log.add("t")
    log.broken[1] = StateError("away", transient=True)
    following = log.following(park_after=1)
    for _ in range(5):
        log.clock.advance(work(following))
    log.broken.clear()
    work(following)

    assert (log.seen, log.cursors.parked()) == ([1], [])


def test_attempts_are_counted_over_restarts(log: Log) -> None:
    """Else a process that is restarted every minute would never park anything."""
    log.add("t")
    log.broken[1] = ValueError("bad")
    for _ in range(3):
        following = log.following(park_after=3)
        work(following)
        following.close()

    assert [(one.seq, one.attempts) for one in log.cursors.parked()] == [(1, 3)]


def test_a_handler_may_take_several_events_at_once(log: Log) -> None:
    """After a failure they go one by one: so it is told which of them it was."""
    log.add(*["t"] * 7)
    calls: list[list[int]] = []

    def handle(events: list[Event]) -> None:
        calls.append([event.seq for event in events])
        for event in events:
            if event.seq in log.broken:
                raise log.broken[event.seq]

    log.broken[5] = ValueError("bad")
    following = log.following(handler=handle, batch=3, park_after=1)
    for _ in range(3):
        log.clock.advance(work(following))

    assert calls == [[1, 2, 3], [4, 5, 6], [4], [5], [6], [7]]
    assert [one.seq for one in log.cursors.parked()] == [5]


def test_a_handler_may_be_async(log: Log) -> None:
    """Same order, same rules."""
    import asyncio

    async def handle(event: Event) -> None:
        await asyncio.sleep(0)
        log.handle(event)

    log.add("t", "t")
    log.broken[2] = ValueError("bad")
    following = log.following(handler=handle)
    log.clock.advance(work(following))
    log.broken.clear()
    work(following)
    following.close()

    assert log.seen == [1, 2]


def test_a_plain_handler_that_gives_a_coroutine_is_told_so(log: Log) -> None:
    """Nothing would ever await it."""

    async def later() -> None: ...

    log.add("t")
    work(log.following(handler=lambda _: later()))

    assert "async def" in log.cursors.standing()[0].error


def test_one_works_at_a_time_and_another_takes_over(log: Log) -> None:
    """When it is let go, or when nothing was heard of its owner for 15 s; who lost it handles nothing any more."""
    log.add("t", "t")
    first, second = log.following(), log.following()
    work(first)
    assert work(second) == 1.0
    first.close()
    log.add("t")
    work(second)
    log.clock.advance(16)
    third = log.following()
    log.add("t", "t")
    work(third)
    log.add("t")
    second.step()

    assert second.cursor is None
    assert log.seen == [1, 2, 3, 4, 5]
    assert log.cursors.standing()[0].seq == 5


def test_a_heartbeat_keeps_a_consumer(log: Log) -> None:
    """However long its handler takes."""
    log.add("t")
    first, second = log.following(), log.following()
    work(first)
    for _ in range(4):
        log.clock.advance(5)
        assert first.cursor is not None
        log.cursors.renew([first.cursor])
        assert second.step() == 1.0


def test_events_that_nobody_wants_are_skipped_without_a_write_each(log: Log) -> None:
    """Yet nobody is told that the consumer is behind."""
    following = log.following(pattern="rare.**")
    log.add(*["often"] * 450)
    work(following)
    few = log.cursors.standing()[0]
    log.add(*["often"] * 60)
    work(following)
    many = log.cursors.standing()[0]

    assert ((few.seq, few.behind), (many.seq, many.behind)) == ((0, 0), (510, 0))


def test_lag_is_told_in_events_and_in_seconds(log: Log) -> None:
    """Of what the consumer wants, from the oldest of it on."""
    following = log.following(pattern="a.*")
    work(following)
    log.add("a.x", "b.x")
    log.clock.advance(10)
    log.add("a.y", "b.y")

    (one,) = log.cursors.standing()

    assert (one.name, one.pattern, one.behind, one.behind_s, one.running) == ("reader", "a.*", 2, 10.0, True)


def test_what_living_consumers_have_not_seen_must_stay(log: Log) -> None:
    """Parked events too; what nobody ran for 30 days keeps nothing, and what was forgotten neither."""
    assert log.cursors.lowest() is None
    log.add("t", "t", "t")
    log.broken[2] = ValueError("bad")
    parking, gone = log.following(park_after=1), log.following("gone")
    assert gone.step() > 0.0 or gone.step() > 0.0
    gone.close()
    log.add("t")
    lowest = [log.cursors.lowest()]
    with log.store.database.transaction() as connection:
        connection.execute("UPDATE cursors SET heartbeat = heartbeat - 31 * 86400.0")
    for _ in range(2):
        log.clock.advance(work(parking))
    lowest.append(log.cursors.lowest())
    log.broken.clear()
    log.cursors.retry("reader")
    work(parking)
    lowest.append(log.cursors.lowest())

    assert lowest == [1, 1, 4]
    with pytest.raises(StateError, match="at work"):
        log.cursors.forget("reader")
    parking.close()
    assert [log.cursors.forget(name) for name in ("reader", "gone", "gone")] == [True, True, False]
    assert (log.cursors.standing(), log.cursors.lowest()) == ([], None)


def _nothing(_: object) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Consumer(name="No Name", handler=_nothing),
        lambda: Consumer(name="a", handler=_nothing, pattern="a.**.b"),
        lambda: Consumer(name="a", handler=_nothing, start="end"),  # type: ignore[arg-type]  # the point of it
        lambda: Consumer(name="a", handler=_nothing, batch=0),
        lambda: Consumer(name="a", handler=_nothing, park_after=0),
    ],
    ids=["name", "pattern", "start", "batch", "park_after"],
)
def test_a_consumer_that_cannot_be_is_refused(wrong: Callable[[], Consumer]) -> None:
    """When it is declared, not when it should work."""
    with pytest.raises(ValueError, match=r"consumer|pattern"):
        wrong()
