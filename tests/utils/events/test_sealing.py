"""What was sealed is proven, read, followed and replayed like the rest of the log; no kill and no fault loses any."""

import signal
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.utils import children
from tests.utils.events.counts import Counts
from tests.utils.events.sealed import Log
from utils.clock import SYSTEM_CLOCK
from utils.database import Database, StateError, Statement
from utils.events import GENESIS, ConcurrencyError, EventStore, NewEvent, sealing
from utils.events import Event as LogEvent
from utils.events.segments import SegmentFault
from utils.storage import Storage, StorageError

DAYS = 86_400.0


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path / "storage")


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
        threads[0].join(60)
        log.store.append([NewEvent("the.end", "log")])
        for thread in threads[1:]:
            thread.join(60)

    assert followed == list(range(1, log.store.head()[0] + 1))
    assert all(versions == list(range(1, len(versions) + 1)) for versions in looked[1::2])
    sizes = [len(positions) for positions in looked[::2]]
    assert sizes == sorted(sizes)
    assert log.store.verify().fault is None


# --- what is due ----------------------------------------------------------------------------------


def test_what_is_older_than_the_age_is_due(log: Log) -> None:
    """By the time of the events; the newest one stays, however old it is."""
    log.append(5)
    log.clock.sleep(50 * DAYS)
    log.append(3)
    log.clock.sleep(41 * DAYS)

    assert log.sealing.due(age=90 * DAYS, size=10**9) == sealing.Due(1, 5)
    log.clock.sleep(400 * DAYS)
    assert log.sealing.due(age=90 * DAYS, size=10**9) == sealing.Due(1, 7)


def test_what_is_beyond_the_size_is_due_but_nothing_of_the_last_day(log: Log) -> None:
    """The oldest first, as many as are too many; today's events stay whatever they take."""
    log.store.append([NewEvent("t", "s", {"text": "x" * 5000}) for _ in range(1000)])

    assert log.sealing.due(age=90 * DAYS, size=3_000_000).events == 0
    log.clock.sleep(2 * DAYS)
    due = log.sealing.due(age=90 * DAYS, size=3_000_000)

    kept = 1000 - due.last
    assert due.first == 1
    assert 2_000_000 < kept * 5300 < 3_100_000


def test_few_events_are_sealed_once_a_day(log: Log) -> None:
    """A quiet log is not cut into crumbs; what waits goes with the next day's."""
    log.append(5)
    log.clock.sleep(100 * DAYS)
    assert log.sealing.seal(log.sealing.due(age=90 * DAYS, size=10**9)) is not None
    log.append(5)
    log.clock.sleep(0.5 * DAYS)

    assert log.sealing.due(age=0.0, size=10**9).events == 0
    log.clock.sleep(0.6 * DAYS)
    assert log.sealing.due(age=0.0, size=10**9) == sealing.Due(5, 10)


def test_a_segment_ends_where_it_holds_enough(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number of events, and by the bytes of their data."""
    monkeypatch.setattr(sealing, "EVENTS_AT_MOST", 1500)
    monkeypatch.setattr(sealing, "BYTES_AT_MOST", 100_000)
    log.store.append([NewEvent("t", "s") for _ in range(1600)])
    log.store.append([NewEvent("t", "s", {"text": "x" * 100}) for _ in range(2000)])

    first = log.sealing.seal(sealing.Due(1, 3500))
    second = log.sealing.seal(sealing.Due(1501, 3500))

    assert (first and first.last, second and second.last) == (1500, 2500)


class _Slow(Counts):
    """A view that cannot take what happened."""

    name = "slow"

    def apply(self, event: LogEvent) -> list[Statement]:
        raise KeyError("what it lacks")


def test_what_a_view_or_a_consumer_has_not_seen_stays(database: Database, log: Log) -> None:
    """It is said who keeps it back, and from where on."""
    log.append(5)
    behind = EventStore(database, projections=[Counts(), _Slow()], archive=log.archive, clock=log.clock)
    behind.append([NewEvent("t", "s")])
    log.clock.sleep(100 * DAYS)

    view = sealing.Sealing(behind, clock=log.clock).due(age=90 * DAYS, size=10**9)
    consumer = sealing.Sealing(log.store, needed=lambda: 3, clock=log.clock).due(age=90 * DAYS, size=10**9)

    assert (view.events, view.held_back) == (0, "view slow has seen the log up to event 0 only")
    assert (consumer.last, consumer.held_back) == (3, "a consumer has seen the log up to event 3 only")


# --- faults ---------------------------------------------------------------------------------------


@pytest.fixture
def three(log: Log) -> Log:
    """A log with three segments and a rest in the table."""
    for _ in range(3):
        log.append(20)
        log.seal(keep=5)
    assert log.store.verify() == log.store.verify(f"30:{log.store.read(after=29, limit=1)[0].hash}")
    assert log.store.verify().fault is None
    return log


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (_flip, "was changed: its SHA-256 is not the one in the log"),
    "a file that is gone": (Path.unlink, "is missing (events 16 to 36)"),
    "a file that was cut": (lambda p: p.write_bytes(p.read_bytes()[:-300]), "was changed: its SHA-256 is not the one"),
    "another segment's file": (
        lambda p: p.write_bytes((p.parent / "segment-37-57.parquet").read_bytes()),
        "was changed: its SHA-256 is not the one in the log",
    ),
}


@pytest.mark.parametrize(("harm", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_verify_names_a_segment_that_is_not_as_it_was(three: Log, harm: Callable[[Path], object], told: str) -> None:
    """And says up to where the log is proven; it is never rebuilt from less than all of it."""
    live = three.counts()
    harm(three.storage.local_path("events/segment-16-36.parquet"))

    found = three.store.verify()
    with pytest.raises(SegmentFault, match=r"segment-16-36.parquet"):
        three.store.rebuild()
    with pytest.raises(SegmentFault, match=r"segment-16-36.parquet"):
        three.store.read(after=20)

    assert (found.fault or "").startswith(f"events/segment-16-36.parquet {told}")
    assert (found.events, found.head.split(":")[0]) == (15, "15")
    assert three.counts() == live
    assert len(three.store.read(after=57)) == 6  # what does not need it goes on


def test_an_event_before_the_first_is_found_where_the_rest_is_sealed(three: Log) -> None:
    """It was inserted: a log begins with 1."""
    row = "0, 0, 0, 0, 1, 1, 'x', time, source, type, 'x', prev_hash, hash, data"
    _forget(three, f"INSERT INTO log SELECT {row} FROM log LIMIT 1")

    assert three.store.verify().fault == "event 0 was inserted (the log begins with 1)"


def _forget(log: Log, statement: str) -> None:
    with log.database.transaction() as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "fault"),
    {
        "a row removed": ("DELETE FROM segments WHERE first = 16", "event 16 is missing (found 37)"),
        "the first row removed": ("DELETE FROM segments WHERE first = 1", "event 1 is missing (found 16)"),
        "the last row removed": ("DELETE FROM segments WHERE first = 37", "event 37 is missing (found 58)"),
        "another size": (
            "UPDATE segments SET size = 7 WHERE first = 16",
            "the table of segments does not say of events/segment-16-36.parquet what event 42 says",
        ),
        "another end": (
            "UPDATE segments SET last = 30 WHERE first = 16",
            "events/segment-16-36.parquet: does not hold events 16 to 30",
        ),
    }.values(),
    ids=["a row removed", "the first row removed", "the last row removed", "another size", "another end"],
)
def test_verify_notices_a_table_of_segments_that_lies(three: Log, statement: str, fault: str) -> None:
    """Gaps between segments, and before the table, are named as missing events."""
    _forget(three, statement)

    assert three.store.verify().fault == fault


def test_a_segment_that_no_event_tells_of_is_no_part_of_the_log(three: Log) -> None:
    """Somebody who puts a file and its row there has no event for it."""
    (told,) = [event for event in three.store.read(type="log.sealed") if event.data["first"] == 37]
    assert told.seq in three.in_table()
    _forget(three, f"UPDATE log SET type = 'other' WHERE seq = {told.seq}")

    assert three.store.verify().fault == f"event {told.seq} (other, {told.time}) does not match its hash"


def test_a_log_that_lost_its_segments_is_not_rebuilt_from_the_rest(three: Log) -> None:
    """The views keep what they have, and the error says what is missing."""
    live = three.counts()
    _forget(three, "DELETE FROM segments")

    with pytest.raises(SegmentFault, match="events 1 to 57 are in no segment of the log, and not in its table"):
        three.store.rebuild()

    assert three.counts() == live


def test_a_tampered_log_is_not_sealed(log: Log) -> None:
    """It has to be looked at first; nothing is deleted."""
    log.append(10)
    _forget(log, "UPDATE log SET data = '{\"n\":99}' WHERE seq = 4")

    with pytest.raises(StateError, match="the log is not whole, so nothing is sealed: event 4"):
        log.seal()

    assert (len(log.in_table()), log.archive.segments()) == (10, [])


class _Away(Storage):
    """A storage that takes nothing, or gives back something else than it took."""

    def __init__(self, root: Path, *, damage: bool) -> None:
        super().__init__(root)
        self._damage = damage

    def writer(self, path: str, *, durable: bool = False):  # type: ignore[no-untyped-def]
        if not self._damage:
            raise StorageError("storage: the disk is full", path=path, hint="Free some space", transient=True)
        return super().writer(path, durable=durable)

    def verify(self, path: str, sha256: str) -> bool:
        _flip(self.local_path(path))
        return super().verify(path, sha256)


@pytest.mark.parametrize("damage", [False, True], ids=["cannot be written", "does not keep what it took"])
def test_nothing_is_deleted_when_the_storage_fails(log: Log, tmp_path: Path, damage: bool) -> None:
    """The error says what was wrong; the log is as it was."""
    log.append(10)
    log.archive.files.storage = _Away(tmp_path / "storage", damage=damage)

    with pytest.raises((StorageError, SegmentFault)):
        log.seal()

    assert (len(log.in_table()), log.archive.segments(), log.store.verify().fault) == (10, [], None)


def test_of_two_that_seal_at_once_one_is_refused(log: Log) -> None:
    """The second finds the log sealed further than it thought, and changes nothing."""
    log.append(10)
    due = sealing.Due(1, 9)
    assert log.sealing.seal(due) is not None

    with pytest.raises(StateError):
        log.sealing.seal(due)

    assert [segment.last for segment in log.archive.segments()] == [9]
    assert log.store.verify().fault is None


def _refuse(*_: object, **__: object) -> None:
    raise StateError("not now")


def test_a_file_that_nobody_names_is_found_when_its_events_are_in_the_log(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left by a kill before the commit. A file of a log that was lost is not touched: it may be all that is left."""
    log.append(10)
    log.clock = SYSTEM_CLOCK
    log.sealing = sealing.Sealing(log.store, clock=SYSTEM_CLOCK)

    monkeypatch.setattr(log.store, "append", _refuse)
    with pytest.raises(StateError, match="not now"):
        log.seal()
    monkeypatch.undo()
    log.storage.put_bytes("events/segment-1-99.parquet", b"not ours")

    assert log.sealing.leftovers(-60.0) == ["events/segment-1-9.parquet"]
    assert log.sealing.leftovers(3600.0) == []
    _forget(log, "UPDATE log SET hash = 'another' WHERE seq = 9")
    assert log.sealing.leftovers(-60.0) == []


@pytest.fixture
def killed(address: str, tmp_path: Path) -> Callable[[int], int]:
    """Starts a process that appends and seals, and kills it after so many rounds; gives what it had acknowledged."""

    def run(rounds: int) -> int:
        child = children.start("seal", address, tmp_path / "storage")
        children.let_go(child)
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(rounds)]
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate(timeout=60)
        return int([*said, *rest.split()][-1])

    return run


def test_a_kill_in_the_middle_of_sealing_loses_nothing_and_doubles_nothing(
    killed: Callable[[int], int], address: str, tmp_path: Path
) -> None:
    """Every acknowledged event is there once, the chain is whole, live equals rebuilt; and it goes on."""
    for rounds in (1, 3, 2):
        acknowledged = killed(rounds)
        log = Log(address, tmp_path / "storage", clock=SYSTEM_CLOCK)
        events = log.store.read(limit=100_000)

        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(events) >= acknowledged
        assert log.store.verify().fault is None
        live = log.counts()
        assert log.store.rebuild() == len(events)
        assert log.counts() == live
        log.store.close()
        log.database.close()
