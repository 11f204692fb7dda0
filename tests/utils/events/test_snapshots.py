"""Snapshots of the views: whoever replays begins there, and what comes of it is what the whole log gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.utils.events.counts import _TABLE, Counts
from tests.utils.events.sealed import Log
from utils.clock import ManualClock
from utils.database import Database, StateError
from utils.events import NewEvent
from utils.events.as_of import PastStates
from utils.events.snapshots import MOST, Snapshots


def _snapshots(log: Log, folder: Path, *, tables: str = _TABLE, at_once: int = 1000) -> Snapshots:
    return Snapshots(folder, log.store, migrations=[tables], projections=[Counts()], every=10, at_once=at_once)


@pytest.fixture
def snapshots(log: Log, tmp_path: Path) -> Snapshots:
    return _snapshots(log, tmp_path / "snapshots")


@pytest.fixture
def past(log: Log, snapshots: Snapshots) -> Iterator[PastStates]:
    past = PastStates(log.store, migrations=[_TABLE], projections=[Counts()], snapshots=snapshots, clock=log.clock)
    yield past
    past.close()


def _counts(database: Database) -> list[tuple[Any, ...]]:
    return database.query("SELECT * FROM counts ORDER BY type")


def _unreadable(log: Log, seq: int) -> None:
    """Who reads this event is told that it cannot be read."""
    with log.database.transaction() as connection:
        connection.execute("UPDATE log SET data = '{' WHERE seq = ?", (seq,))


@pytest.mark.parametrize("sealed", [False, True], ids=["in the table", "sealed"])
def test_every_moment_is_told_as_the_whole_log_tells_it(
    log: Log, snapshots: Snapshots, past: PastStates, sealed: bool
) -> None:
    """Before the first snapshot, at one, between two, after the last."""
    then = []
    for _ in range(8):
        log.append(7)
        then.append((log.clock.now(), log.counts()))
        snapshots.make()
        log.clock.sleep(10.0)
    if sealed:
        log.seal(keep=4)

    assert [one.seq for one in snapshots.kept()] == [14, 28, 42, 56]
    assert [_counts(past.at(moment)) for moment, _ in then] == [counts for _, counts in then]


def test_a_replay_begins_at_the_snapshot(log: Log, snapshots: Snapshots, past: PastStates) -> None:
    """What came before it is not read again: it could not be."""
    log.append(12)
    snapshots.make()
    log.append(3)
    _unreadable(log, 5)

    assert _counts(past.at(log.clock.now())) == log.counts()
    assert snapshots.rebuild() == 3


def test_views_that_were_damaged_are_rebuilt_from_a_snapshot(log: Log, snapshots: Snapshots) -> None:
    """The rows are those that the whole log gives; the log goes on with them."""
    log.append(25)
    snapshots.make()
    log.append(4)
    well = log.counts()
    with log.database.transaction() as connection:
        connection.execute("UPDATE counts SET count = 1, last = 1")
        connection.execute("INSERT INTO counts VALUES ('never', 1, 1)")

    assert snapshots.rebuild() == 4
    assert log.counts() == well
    log.append(2)
    after = log.counts()
    assert log.store.rebuild() == 31
    assert log.counts() == after


def test_without_a_snapshot_the_whole_log_is_replayed(log: Log, snapshots: Snapshots) -> None:
    """There is none as long as the log is short."""
    log.append(9)

    assert snapshots.make() == 0
    assert snapshots.rebuild() == 9


def test_it_is_made_of_the_log_and_not_of_the_views(log: Log, snapshots: Snapshots) -> None:
    """A view that was damaged before does not spoil it."""
    log.append(12)
    well = log.counts()
    with log.database.transaction() as connection:
        connection.execute("DELETE FROM counts")
    snapshots.make()

    snapshots.rebuild()

    assert log.counts() == well


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: b"",
        lambda content: content[:60] + bytes(each ^ 0xFF for each in content[60:80]) + content[80:],
        lambda content: b"no snapshot at all",
    ],
    ids=["cut", "empty", "garbled", "something else"],
)
def test_one_that_is_damaged_is_dropped_and_the_one_before_it_serves(
    log: Log, snapshots: Snapshots, past: PastStates, damage: Any
) -> None:
    """Nobody is told anything wrong by it."""
    for _ in range(2):
        log.append(10)
        snapshots.make()
    first, second = snapshots.kept()
    second.path.write_bytes(damage(second.path.read_bytes()))

    assert _counts(past.at(log.clock.now())) == log.counts()
    assert snapshots.kept() == [first]
    assert snapshots.rebuild() == 10


def test_one_of_another_log_serves_nobody(log: Log, tmp_path: Path) -> None:
    """As when the database was restored from a backup and went another way since."""
    other = Log(str(tmp_path / "other.db"), tmp_path / "elsewhere", clock=ManualClock())
    other.append(12)
    _snapshots(other, tmp_path / "snapshots").make()
    other.store.close()
    other.database.close()
    log.store.append([NewEvent("another.thing", "s") for _ in range(12)])
    snapshots = _snapshots(log, tmp_path / "snapshots")

    assert snapshots.rebuild() == 12
    assert log.counts() == [("another.thing", 12, 12)]
    assert snapshots.kept() == []


def test_one_of_other_tables_is_not_used_and_goes_when_the_next_is_made(log: Log, tmp_path: Path) -> None:
    """After an upgrade the views may hold more than they did."""
    log.append(12)
    _snapshots(log, tmp_path / "snapshots").make()
    newer = _snapshots(log, tmp_path / "snapshots", tables=f"{_TABLE}; CREATE TABLE more (a INTEGER)")

    assert newer.kept() == []
    assert newer.rebuild() == 12
    assert newer.make() == 1
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_a_long_log_is_caught_up_with_piece_by_piece(log: Log, tmp_path: Path) -> None:
    """As long as there is time; the next time it goes on where it stopped."""
    snapshots = _snapshots(log, tmp_path / "snapshots", at_once=12)
    log.append(40)
    times = iter((True, True, False))

    assert snapshots.make(go_on=lambda: next(times)) == 2
    assert [one.seq for one in snapshots.kept()] == [12, 24]
    assert snapshots.make() == 1
    assert [one.seq for one in snapshots.kept()] == [12, 24, 36]


def test_a_few_are_kept_and_they_are_spread_over_the_log(log: Log, tmp_path: Path) -> None:
    """The newest always; no gap is more than twice as long as it had to be."""
    snapshots = _snapshots(log, tmp_path / "snapshots", at_once=10)
    log.append((MOST + 7) * 10)

    snapshots.make()

    kept = [one.seq for one in snapshots.kept()]
    assert len(kept) == MOST
    assert kept[-1] == (MOST + 7) * 10
    assert max(after - before for before, after in zip([0, *kept], kept, strict=False)) <= 20


def test_a_view_that_cannot_take_an_event_has_no_snapshot(log: Log, snapshots: Snapshots) -> None:
    """No state is better than a wrong one, and nothing of the attempt stays."""
    log.append(12)
    log.store.append([NewEvent("odd", "s")])

    with pytest.raises(StateError, match="view counts: event 13: KeyError"):
        snapshots.make()
    assert snapshots.kept() == []


def test_all_can_be_cleared(log: Log, snapshots: Snapshots) -> None:
    """What they took is free again; they are made anew when that is due."""
    log.append(12)
    snapshots.make()
    taken = snapshots.size()

    assert snapshots.clear() == taken > 0
    assert snapshots.size() == 0
    assert snapshots.make() == 1
