"""Many who write one log, in one process and in several: one gapless chain, each event once, whole after any kill."""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from tests.utils import children
from tests.utils.events.counts import Counts, open_at
from utils.clock import ManualClock
from utils.database import Connection, Database, StateError
from utils.events import ConcurrencyError, Event, EventStore, NewEvent


def test_a_follower_gets_what_another_store_appends(database: Database, store: EventStore) -> None:
    """It starts after its position, is woken by a commit, and misses nothing."""
    other = EventStore(database)
    store.append([NewEvent("t", "old")])

    follower = store.follow(after=1)
    other.append([NewEvent("t", "new 1")])
    first = next(follower)
    waiting = Thread(target=lambda: other.append([NewEvent("t", "new 2"), NewEvent("t", "new 3")]))
    waiting.start()

    found = [first, next(follower), next(follower)]

    waiting.join()
    follower.close()
    assert [event.subject for event in found] == ["new 1", "new 2", "new 3"]


def test_two_stores_on_one_log_see_each_other(database: Database, store: EventStore) -> None:
    """Each goes on from where the other stopped: positions, versions, hashes, views."""
    other = EventStore(database, projections=[Counts()])

    for number in range(6):
        (store, other)[number % 2].append([NewEvent("t", "a")])

    assert [event.version for event in store.read()] == [1, 2, 3, 4, 5, 6]
    assert store.verify().fault is None
    assert database.query("SELECT * FROM counts") == [("t", 6, 6)]


def test_a_lone_event_follows_whatever_became_of_the_log(database: Database, store: EventStore) -> None:
    """Whoever appended last looks no more; the log notices when somebody else came, or when its end was taken back."""
    other = EventStore(database, projections=[Counts()], clock=ManualClock())
    store.append([NewEvent("t", "a")])
    store.append([NewEvent("t", "a")])
    other.append([NewEvent("t", "a")])
    (after_another,) = store.append([NewEvent("t", "a")])
    with database.transaction() as connection:
        connection.execute("DELETE FROM log WHERE seq = 4")
    (after_a_cut,) = store.append([NewEvent("t", "b")])

    assert (after_another.seq, after_another.version) == (4, 4)
    assert (after_a_cut.seq, after_a_cut.prev_hash) == (4, after_another.prev_hash)
    assert store.verify().fault is None
    assert store.verify().events == 4


def test_a_lone_event_is_written_with_its_statements_or_not_at_all(store: EventStore) -> None:
    """Also by whoever appended last; a view that cannot take it is left behind, and the event stands."""
    store.append([NewEvent("t", "a")])

    with pytest.raises(StateError):
        store.append([NewEvent("t", "a")], statements=[("INSERT INTO nowhere VALUES (?)", (1,))])
    told = store.append([NewEvent("t", "a")], statements=[("UPDATE counts SET count = ?", (7,))])
    odd = store.append([NewEvent("odd", "a")])

    assert [event.version for event in (*told, *odd)] == [2, 3]
    assert store.database.query("SELECT type, count FROM counts") == [("t", 7)]
    assert [view.name for view in store.views_behind()] == ["counts"]
    assert store.verify().fault is None


def test_of_many_who_expect_one_version_exactly_one_is_written(opened: Callable[[], Database]) -> None:
    """Four that share nothing but the database: each version has one author, and the others are told so."""
    stores = [EventStore(opened()) for _ in range(4)]
    won: list[list[int]] = [[] for _ in stores]

    def write(number: int) -> None:
        version = 0
        while version < 25:
            try:
                (event,) = stores[number].append([NewEvent("t", "a", {"by": number}, expected=version)])
            except ConcurrencyError:
                version += 1
            else:
                won[number].append(event.version)
                version = event.version

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(version for mine in won for version in mine) == list(range(1, 26))
    assert [event.version for event in stores[0].read()] == list(range(1, 26))
    assert all(event.version in won[event.data["by"]] for event in stores[0].read())


def test_an_id_is_one_event_whoever_tells_it_first(opened: Callable[[], Database]) -> None:
    """Four that share nothing but the database tell the same facts: each is there once, and all were told so."""
    stores = [EventStore(opened()) for _ in range(4)]
    told: list[list[Event]] = [[] for _ in stores]

    def tell(number: int) -> None:
        for fact in range(0, 100, 2):
            told[number] += stores[number].append(
                [NewEvent("t", f"s{one % 3}", id=f"fact {one}") for one in (fact, fact + 1)]
            )

    threads = [Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = stores[0].read()
    assert sorted(event.id for event in stored) == sorted(f"fact {number}" for number in range(100))
    assert all(sorted(mine) == stored for mine in told)
    assert stores[0].verify().fault is None


def test_four_writing_processes_make_one_gapless_chain(address: str, opened: Callable[[], Database]) -> None:
    """Every event that any of them was told of is there, once, in one order, and nobody saw "locked"."""
    writing = [children.start("append", address, f"writer-{number}", 300) for number in range(4)]
    children.let_go(*writing)

    acknowledged = [line for child in writing for line in children.finish(child)]

    store = EventStore(opened())
    stored = [f"{event.seq}:{event.id}" for event in store.read(limit=10_000)]
    assert len(stored) == 4 * 300 * 3
    assert sorted(acknowledged) == sorted(stored)
    assert store.verify().fault is None
    shared = store.read(subject="shared", limit=10_000)
    versions = [event.version for event in shared]
    turns = [event.data["by"] for event in shared]
    assert versions == list(range(1, 1201))
    assert sum(one != next_ for one, next_ in pairwise(turns)) > 3, "they wrote one after the other"


def test_what_was_acknowledged_survives_a_kill(address: str, opened: Callable[[], Database]) -> None:
    """Five times kill -9 at a random moment: everything printed is there, gapless, and the chain verifies."""
    moments = random.Random(20260101)
    acknowledged: list[str] = []
    for number in range(5):
        child = children.start("append", address, f"killed-{number}", 0)
        children.let_go(child)
        assert child.stdout is not None
        acknowledged += [child.stdout.readline().strip() for _ in range(moments.randint(1, 300))]
        child.kill()
        acknowledged += child.stdout.read().split()  # not `communicate`: it passes over what `readline` holds already
        child.communicate(timeout=120)

    store = EventStore(opened())
    stored = [f"{event.seq}:{event.id}" for event in store.read(limit=1_000_000)]
    assert set(acknowledged) <= set(stored)
    assert [int(line.partition(":")[0]) for line in stored] == list(range(1, len(stored) + 1))
    assert store.verify().fault is None
    assert store.append([NewEvent("t", "a")])[0].seq == len(stored) + 1


def test_a_disk_that_fills_in_the_middle_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """The append that did not fit is told so; when there is room again, the log goes on where it was."""
    store = EventStore(open_at(str(tmp_path / "log.db")), projections=[Counts()], clock=ManualClock())

    def room(pages: int) -> Callable[[Connection], None]:
        def limit(connection: Connection) -> None:
            ((used,),) = connection.execute("PRAGMA page_count").fetchall()
            connection.execute(f"PRAGMA max_page_count = {used + pages}")

        return limit

    acknowledged = store.append([NewEvent("t", "a", {"n": n}) for n in range(50)], guard=room(20))
    full: StateError | None = None
    while full is None:
        try:
            acknowledged += store.append([NewEvent("t", "a", {"text": "x" * 3000}) for _ in range(5)])
        except StateError as error:
            full = error

    assert "disk is full" in str(full)
    assert full.transient
    assert store.read() == acknowledged
    assert store.verify().fault is None

    (after,) = store.append([NewEvent("t", "a", {"text": "x" * 3000})], guard=room(100))
    assert (after.seq, after.version) == (len(acknowledged) + 1, len(acknowledged) + 1)
    assert store.verify().fault is None
    assert store.database.query("SELECT * FROM counts") == [("t", after.seq, after.seq)]
