"""Segments that were changed, lost or half made: told, never taken for the log; nothing loses an event."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.utils import children
from tests.utils.events.sealed import Log
from utils.clock import SYSTEM_CLOCK
from utils.database import StateError
from utils.events import sealing
from utils.events.segments import SegmentFault
from utils.storage import Storage, StorageError


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
        rest, _ = child.communicate(timeout=120)
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
