"""Services side by side: each when its time has come or something was committed, none stopped by another's fault."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations import schedule
from operations.schedule import DashboardBeside
from operations.serving import Serving
from tests.integration.installation import Installation
from utils.database import StateError
from utils.sqlite import SqliteDatabase

PATIENCE_S = 120.0


class Steps:
    """A service that does what it is told, step by step, and tells how far it is."""

    def __init__(self, *does: Callable[[], float], hears: bool = False, name: str = "steps") -> None:
        self.name = name
        self.hears = hears
        self.closed = threading.Event()
        self._does = list(does)
        self._changed = threading.Condition()
        self.steps = 0

    def step(self) -> float:
        with self._changed:
            self.steps += 1
            self._changed.notify_all()
        return self._does.pop(0)() if self._does else 3600.0

    def close(self) -> None:
        self.closed.set()

    def wait(self, steps: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.steps >= steps, PATIENCE_S)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "state.db", migrations=["CREATE TABLE t (a INTEGER)"])
    yield made
    made.close()


def serve(database: SqliteDatabase, *services: Steps) -> tuple[Serving, threading.Thread]:
    serving = Serving(database, services)
    thread = threading.Thread(target=serving.run)
    thread.start()
    return serving, thread


def end(serving: Serving, thread: threading.Thread) -> None:
    serving.stop()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_service_is_called_at_once_as_long_as_it_says_so(database: SqliteDatabase) -> None:
    """And closed when the process is told to stop."""
    service = Steps(lambda: 0.0, lambda: 0.0, lambda: 0.0)
    running = serve(database, service)
    service.wait(4)
    end(*running)

    assert service.steps == 4
    assert service.closed.is_set()


def test_a_service_that_hears_is_called_when_something_was_committed(database: SqliteDatabase) -> None:
    """By whoever; one that does not hear waits for its time."""
    hearing, deaf = Steps(hears=True), Steps()
    running = serve(database, hearing, deaf)
    hearing.wait(1)
    deaf.wait(1)
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)", ())
    hearing.wait(2)
    end(*running)

    assert deaf.steps == 1


def test_what_one_service_finds_wrong_stops_no_other(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called again after a moment, and so are the others."""
    monkeypatch.setattr("operations.serving.TROUBLE_S", 0.0)
    monkeypatch.setattr("operations.serving.FAILED_S", 0.0)

    def trouble() -> float:
        raise StateError("the disk is full")

    def bug() -> float:
        raise ValueError("nobody expected this")

    ill, well = Steps(trouble, bug, trouble, name="ill"), Steps(lambda: 0.0, lambda: 0.0)
    running = serve(database, ill, well)
    ill.wait(4)
    well.wait(3)
    end(*running)

    assert ill.closed.is_set()


def test_a_service_in_trouble_is_left_alone_for_a_while(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News call it no sooner: a fault at each commit of the others would fill the log."""
    monkeypatch.setattr("operations.serving.FAILED_S", 3600.0)

    def bug() -> float:
        raise ValueError("nobody expected this")

    ill, well = Steps(bug, hears=True, name="ill"), Steps(hears=True)
    running = serve(database, ill, well)
    ill.wait(1)
    well.wait(1)
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)", ())
    well.wait(2)
    end(*running)

    assert ill.steps == 1


def test_a_step_that_is_under_way_is_waited_for(database: SqliteDatabase) -> None:
    """To stop in order is to end what was begun."""
    begun, may_end = threading.Event(), threading.Event()

    def long() -> float:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return 0.0

    service = Steps(long)
    serving, thread = serve(database, service)
    assert begun.wait(PATIENCE_S)
    serving.stop()
    assert not service.closed.is_set()
    may_end.set()
    thread.join(PATIENCE_S)

    assert service.closed.is_set()


def test_a_dashboard_that_ends_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And ended with the process that keeps it."""
    children: list[subprocess.Popen[bytes]] = []

    def launch(*_: object, **__: object) -> "subprocess.Popen[bytes]":
        children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return children[-1]

    monkeypatch.setattr("operations.dashboard.launch", launch)
    installation = Installation(tmp_path)
    installation.configure({"name": "fx", "collect": {"kind": "simulated"}})
    with installation.system() as system:
        beside = DashboardBeside(system)
        assert beside.step() == schedule.DASHBOARD_S
        beside.step()
        assert len(children) == 1
        children[0].kill()
        children[0].wait(PATIENCE_S)
        beside.step()
        assert len(children) == 2
        beside.close()

    assert children[1].returncode == -15
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
