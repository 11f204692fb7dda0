"""The one writer of a process: shared commits, and nobody suffers for a neighbour."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from utils.database import StateError
from utils.events.writer import Writer
from utils.sqlite import SqliteDatabase


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "some.db", migrations=["CREATE TABLE things (name TEXT PRIMARY KEY)"])


def _inserting(database: SqliteDatabase) -> Callable[[Sequence[Any]], list[Any]]:
    def insert(names: Sequence[Any]) -> list[Any]:
        with database.transaction() as connection:
            connection.executemany("INSERT INTO things VALUES (?)", [(name,) for name in names])
        return list(names)

    return insert


class _Held:
    """A commit that waits until it is let go, so that a test can queue what shares the next one."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._insert = _inserting(database)
        self.entered, self.go = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def __call__(self, names: Sequence[Any]) -> list[Any]:
        self.sizes.append(len(names))
        self.entered.set()
        assert self.go.wait(120)
        return self._insert(names)


def _queued(database: SqliteDatabase, names: list[str]) -> tuple[_Held, Writer, "list[Future[Any]]"]:
    held = _Held(database)
    writer = Writer(held)
    first = writer.submit("first")
    assert held.entered.wait(120)
    return held, writer, [first, *(writer.submit(name) for name in names)]


def test_callers_who_wait_share_one_commit(database: SqliteDatabase) -> None:
    """What came while one commit was under way is the next one."""
    held, writer, futures = _queued(database, ["a", "b", "c"])

    held.go.set()

    assert [future.result(120) for future in futures] == ["first", "a", "b", "c"]
    assert held.sizes == [1, 3]
    writer.close()


def test_a_bad_item_fails_alone(database: SqliteDatabase) -> None:
    """A repeated key undoes the shared commit; its neighbours are written without it."""
    held, writer, futures = _queued(database, ["a", "first", "c"])

    held.go.set()

    assert isinstance(futures[2].exception(10), StateError)
    assert [futures[index].result(120) for index in (0, 1, 3)] == ["first", "a", "c"]
    assert database.query("SELECT count(*) FROM things") == [(3,)]
    writer.close()


def test_what_was_cancelled_before_its_turn_is_not_written(database: SqliteDatabase) -> None:
    """And its neighbours are."""
    held, writer, futures = _queued(database, ["a", "b"])

    assert futures[1].cancel()
    held.go.set()

    assert futures[2].result(120) == "b"
    assert database.query("SELECT name FROM things ORDER BY name") == [("b",), ("first",)]
    writer.close()


def test_a_failing_listener_neither_stops_the_writer_nor_denies_the_commit(
    database: SqliteDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """It is committed, so the caller is told "done"; the failure is logged."""

    def fail() -> None:
        raise RuntimeError("the listener's own fault")

    writer = Writer(_inserting(database), committed=fail)

    assert writer.submit("a").result(120) == "a"
    assert writer.submit("b").result(120) == "b"
    assert "the listener's own fault" in caplog.text
    writer.close()


def test_a_writer_that_cannot_connect_tells_its_callers(database: SqliteDatabase) -> None:
    """Nobody waits for ever."""
    writer = Writer(_inserting(database))
    database.close()

    with pytest.raises(StateError, match="closed"):
        writer.submit("a").result(120)
    writer.close()


def test_closing_writes_what_waits(database: SqliteDatabase) -> None:
    """Then nothing more is taken."""
    writer = Writer(_inserting(database))
    futures = [writer.submit(str(number)) for number in range(600)]

    writer.close()

    assert all(future.done() for future in futures)
    assert database.query("SELECT count(*) FROM things") == [(600,)]
    with pytest.raises(StateError, match="closing"):
        writer.submit("late")


def _threads(count: int, work: Callable[[int], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def _in_line(writer: Writer, count: int) -> None:
    """Return once so many wait behind the commit that is held."""
    until = time.monotonic() + 30
    while len(writer._line) < count:
        assert time.monotonic() < until
        threading.Event().wait(0.001)


@pytest.mark.parametrize("slow", [False, True], ids=["quick commits", "slow commits"])
def test_of_many_callers_each_has_its_own_result_once(database: SqliteDatabase, slow: bool) -> None:
    """Sixteen that come again and again, waiting and not waiting; where a commit is slow, they share it."""
    insert, sizes = _inserting(database), list[int]()

    def commit(names: Sequence[Any]) -> list[Any]:
        sizes.append(len(names))
        if slow:
            threading.Event().wait(0.004)
        return insert(names)

    writer = Writer(commit)
    told: list[list[str]] = [[] for _ in range(16)]

    def call(number: int) -> None:
        for turn in range(20):
            name = f"{number}-{turn}"
            told[number].append(writer.submit(name).result(120) if turn % 5 == 4 else writer.write(name))

    for thread in _threads(16, call):
        thread.join()
    writer.close()

    assert told == [[f"{number}-{turn}" for turn in range(20)] for number in range(16)]
    assert database.query("SELECT count(*) FROM things") == [(320,)]
    assert sum(sizes) == 320
    if slow:
        assert len(sizes) < 320 / 4


def test_who_is_interrupted_while_others_wait_takes_nobody_along(database: SqliteDatabase) -> None:
    """The one who leads is stopped in the middle: it hears of that, its item is not written, all others are."""
    insert, held = _inserting(database), _Held(database)

    def commit(names: Sequence[Any]) -> list[Any]:
        if names[0] == "first":
            return held(names)
        if names[0] == "0":
            raise KeyboardInterrupt
        return insert(names)

    writer = Writer(commit)
    interrupted: list[str] = []

    def call(number: int) -> None:
        try:
            writer.write(str(number))
        except KeyboardInterrupt:
            interrupted.append(str(number))

    first = writer.submit("first")
    assert held.entered.wait(120)
    threads = []
    for number in range(3):
        threads += [threading.Thread(target=call, args=(number,))]
        threads[-1].start()
        _in_line(writer, number + 1)
    last = writer.submit("last")
    held.go.set()

    for thread in threads:
        thread.join(120)
    assert (first.result(120), last.result(120)) == ("first", "last")
    assert interrupted == ["0"]
    assert sorted(name for (name,) in database.query("SELECT name FROM things")) == ["1", "2", "first", "last"]
    assert writer.write("afterwards") == "afterwards"
    writer.close()


def test_who_is_interrupted_in_line_is_not_waited_for(database: SqliteDatabase) -> None:
    """Neither its item nor its lead."""
    held, writer, _ = _queued(database, [])
    interrupted = threading.Event()

    class Interrupted:
        def acquire(self) -> None:
            interrupted.set()
            raise KeyboardInterrupt

    def stopped() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("utils.events.writer._new_turn", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                writer.write("stopped")

    (thread,) = _threads(1, lambda _: stopped())
    assert interrupted.wait(120)
    thread.join(120)
    behind = writer.submit("behind")
    held.go.set()

    assert behind.result(120) == "behind"
    assert database.query("SELECT name FROM things ORDER BY name") == [("behind",), ("first",)]
    writer.close()


def _without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_where_no_thread_can_be_had_the_next_caller_writes_what_waits(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is short: who hands over writes by themselves, nobody hangs, nothing is lost, and the order stays."""
    writer = Writer(_inserting(database))
    _without_threads(monkeypatch)
    handed = [writer.submit(f"handed over {number}") for number in range(3)]

    writer.write("waited for")
    writer.close()

    assert [one.result(0) for one in handed] == [f"handed over {number}" for number in range(3)]
    names = [name for (name,) in database.query("SELECT name FROM things ORDER BY rowid")]
    assert names == [*(f"handed over {number}" for number in range(3)), "waited for"]
    database.close()
