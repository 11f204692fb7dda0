"""What was sealed is proven, read, followed and replayed like the rest of the log."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.utils.events.sealed import Log
from utils.database import Database, StateError
from utils.events import GENESIS, ConcurrencyError, NewEvent, sealing
from utils.events import Event as LogEvent
from utils.events.segments import SegmentFault


def test_a_segment_holds_what_left_the_table(log: Log) -> None:
    """All ten columns of it; the log tells of the file, and goes on from its last hash."""
    before = log.append(10)

    segment = log.seal(keep=2)

    assert segment is not None
    assert (segment.first, segment.last, segment.path) == (1, 8, "events/segment-1-8.parquet")
    assert (segment.prev_hash, segment.hash) == (GENESIS, before[8].prev_hash)
    assert log.storage.verify(segment.path, segment.sha256)
    assert log.in_table() == [9, 10, 11]
    (told,) = log.store.read(type="log.sealed")
    assert told.data == {
        "first": 1,
        "last": 8,
        "rows": 8,
        "prev_hash": GENESIS,
        "hash": segment.hash,
        "path": segment.path,
        "sha256": segment.sha256,
        "size": segment.size,
        "earliest": before[0].time,
        "latest": before[7].time,
        "types": ["thing.happened"],
        "sources": ["orchestrator"],
    }
    assert log.store.read() == [*before, told]


def test_other_tools_can_read_a_segment(log: Log) -> None:
    """Ten columns with their names, as the table has them."""
    from pyarrow import parquet

    events = log.append(5)
    segment = log.seal()

    assert segment is not None
    table = parquet.read_table(log.storage.local_path(segment.path))
    assert table.column_names == list(LogEvent._fields)
    assert table.column("hash").to_pylist() == [event.hash for event in events[:4]]
    assert table.column("data").to_pylist() == ['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}']


def test_positions_versions_and_expectations_go_on_where_a_subject_was_sealed(log: Log) -> None:
    """Also in a process that never saw the sealed events, and for many subjects at once."""
    log.append(9)
    log.seal()

    other = log.opened()
    first = other.append([NewEvent("t", "s0"), NewEvent("t", "s1"), NewEvent("t", "new")])
    with pytest.raises(ConcurrencyError, match="s2 is at version 3, not 0"):
        log.opened().append([NewEvent("t", "s2", expected=0)])
    alone = log.opened().append([NewEvent("t", "s2", expected=3)])

    assert [(event.seq, event.version) for event in (*first, *alone)] == [(11, 4), (12, 4), (13, 1), (14, 4)]


def test_an_id_is_known_as_long_as_its_event_is_in_the_table(log: Log) -> None:
    """Idempotency lasts as long as the retention: an id that was sealed makes a new event."""
    log.store.append([NewEvent("t", "a", id="early"), NewEvent("t", "a", id="late"), NewEvent("t", "a")])
    log.seal(keep=2)

    late, early = (log.store.append([NewEvent("t", "a", id=name)])[0] for name in ("late", "early"))

    assert (late.seq, early.seq) == (2, 5)
    assert log.store.verify().fault is None


def test_a_follower_who_was_away_gets_the_sealed_past_first(log: Log) -> None:
    """From an old position, in order, without a gap."""
    events = log.append(30)
    log.seal(keep=10)

    follower = log.store.follow(after=4)

    assert list(islice(follower, 26)) == events[4:]


def test_a_segment_without_what_is_wanted_is_not_opened(log: Log) -> None:
    """Its position, times, types and sources tell: whoever asks for what never happened reads no file."""
    log.append(10)
    segment = log.seal()
    assert segment is not None
    log.storage.delete(segment.path)

    assert log.store.read(type="network.*") == log.store.read(type="network.away", newest_first=True) == []
    assert log.store.read(source="nobody") == log.store.read(since="2027", subject="s0") == []
    assert log.store.read(until="2025", subject="s0") == []
    with pytest.raises(SegmentFault, match=r"segment-1-9\.parquet: is missing; events 1 to 9 are in it"):
        log.store.read(type="thing.*", subject="s0")


def test_a_view_is_rebuilt_from_the_segments(log: Log) -> None:
    """Emptied and replayed it has the rows it had; so has one that begins only now."""
    for _ in range(3):
        log.append(20)
        log.seal(keep=5)
    live = log.counts()

    assert log.store.rebuild() == 63
    rebuilt = log.counts()
    with log.database.transaction() as connection:
        connection.execute("DELETE FROM checkpoints")
    log.opened().append([NewEvent("thing.happened", "s0")])

    assert rebuilt == live
    assert {kind: count for kind, count, _ in log.counts()} == {"thing.happened": 61, "log.sealed": 3}


def test_a_page_of_the_log_may_end_in_a_segment(log: Log) -> None:
    """What is before a position is read there, and nothing after it."""
    events = log.append(20)
    log.seal(keep=5)

    assert log.store.read(newest_first=True, before=4, limit=2) == events[2:0:-1]
    assert log.store.read(before=4) == events[:3]


def test_a_page_may_begin_anywhere_in_a_segment_or_behind_it(log: Log) -> None:
    """Nothing is missing where the table begins."""
    log.append(20)
    log.seal(keep=5)

    assert log.in_table()[0] == 16
    for after in range(21):
        assert log.store.read(after=after, limit=50) == [event for event in log.told if event.seq > after]


def test_what_is_wanted_is_found_all_over_a_long_segment(log: Log) -> None:
    """It is written some thousand events at a time, and none of its parts is the last that is looked into."""
    events = log.append(2500)
    log.seal()

    assert log.store.read(subject="s2", limit=2000) == events[2::3]
    assert log.store.read(subject="s2", limit=2000, newest_first=True) == events[2::3][::-1]


def test_what_an_interrupted_sealing_left_in_the_table_is_no_event_twice(log: Log) -> None:
    """Killed between the event and the deletion: every reader sees each event once; the next sealing goes on."""
    events = log.append(20)
    log.seal(keep=5, clear=False)

    assert log.store.read()[:-1] == events
    assert log.store.read(newest_first=True, limit=18) == [*log.told[-1:], *events[::-1]][:18]
    assert log.store.verify().events == 21
    assert log.store.rebuild() == 21

    assert log.sealing.clear() == 15
    assert log.in_table() == list(range(16, 22))
    assert log.store.read()[:-1] == events


def test_the_table_is_emptied_a_page_at_a_time(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to write comes in between; it can be stopped, and goes on later."""
    monkeypatch.setattr(sealing, "AT_ONCE", 4)
    log.append(20)
    log.seal(keep=5, clear=False)
    answers = iter([True, False])

    assert log.sealing.clear(go_on=lambda: next(answers)) == 8
    assert log.in_table()[0] == 9
    assert log.store.append([NewEvent("t", "s0")])[0].version == 8
    assert log.sealing.clear() == 7
    assert log.store.verify().fault is None


def test_a_signed_log_is_sealed_and_stays_proven_through_a_change_of_its_secret(
    database: Database, tmp_path: Path
) -> None:
    """Each segment is proven with the secret of its time; with a secret that is not known nothing is sealed."""
    old, new = "o" * 32, "n" * 32
    Log(database, tmp_path).append(5)
    for secrets in ([old], [new, old]):
        for _ in range(2):
            log = Log(database, tmp_path, secrets=secrets)
            log.append(10)
            log.seal(keep=3)
    log.append(2)

    found = log.store.verify()
    with pytest.raises(StateError, match="signed with a secret that is not known here"):
        Log(database, tmp_path, secrets=["x" * 32]).seal()

    assert (found.fault, found.signed_from) == (None, 6)
    assert [segment.first for segment in log.archive.segments()] == [1, 14, 25, 37]
    assert log.store.rebuild() == found.events


def test_whoever_reads_while_somebody_seals_sees_every_event_once(log: Log, opened: Callable[[], Database]) -> None:
    """One appends, one seals, one follows from the beginning and one looks back from the end, all at once."""
    writer = Log(opened(), Path(log.storage.local_path("x")).parent)
    followed: list[int] = []
    looked: list[list[int]] = []
    done = Event()

    def append() -> None:
        while not done.is_set():
            writer.append(4)

    def follow() -> None:
        for event in log.opened().follow():
            followed.append(event.seq)
            if event.type == "the.end":
                return

    def look() -> None:
        other = log.opened()
        while not done.is_set():
            looked.append([event.seq for event in other.read(subject="s0", newest_first=True, limit=1000)])
            looked.append([event.version for event in other.read(subject="s0", limit=1000)])

    threads = [Thread(target=task) for task in (append, follow, look)]
    for thread in threads:
        thread.start()
    try:
        while len(log.archive.segments()) < 5:
            log.seal(keep=3)
    finally:
        done.set()
        threads[0].join(120)
        log.store.append([NewEvent("the.end", "log")])
        for thread in threads[1:]:
            thread.join(120)

    assert followed == list(range(1, log.store.head()[0] + 1))
    assert all(versions == list(range(1, len(versions) + 1)) for versions in looked[1::2])
    sizes = [len(positions) for positions in looked[::2]]
    assert sizes == sorted(sizes)
    assert log.store.verify().fault is None
