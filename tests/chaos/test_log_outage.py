"""The database goes away in the middle of the writing: stopped, or its disk full. Whoever writes goes on by itself."""

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.writers import writers
from tests.postgres import address
from tests.utils.events.counts import Counts, open_at
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent

CALLERS = 12


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.prove)])
def test_four_processes_outlive_a_postgresql_that_is_stopped_and_started(
    own_server: Any, tmp_path: Path, times: int
) -> None:
    """Each goes on without being started again, and what was acknowledged is there."""
    with writers(address("postgres", own_server), tmp_path) as some:
        for _ in range(times):
            for name in some.pids:
                some.wrote(name, 5)
            own_server.stop()
            own_server.ensure_postgres_running()
            for name in some.pids:
                some.wrote(name, 5)
            some.check()
    some.check()


def test_a_disk_that_fills_under_many_callers_costs_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    """Each caller is told for itself; once there is room the same callers go on in the same log."""
    full, room = threading.Barrier(CALLERS + 1), threading.Event()
    acknowledged: dict[str, int] = {}
    told: list[StateError] = []
    with (
        closing(open_at(str(tmp_path / "log.db"))) as database,
        closing(EventStore(database, projections=[Counts()])) as store,
    ):

        def bounded(pages: int) -> None:
            def limit(connection: Connection) -> None:
                ((used,),) = connection.execute("PRAGMA page_count").fetchall()
                connection.execute(f"PRAGMA max_page_count = {used + pages}")

            store.append([NewEvent("thing.bounded", "disk")], guard=limit)

        def caller(name: str) -> None:
            def append(number: int) -> None:
                (event,) = store.append([NewEvent("thing.happened", name, {"n": number, "text": "x" * 2000})])
                acknowledged[event.id] = event.seq

            number = 0
            while True:
                try:
                    append(number)
                except StateError as error:
                    told.append(error)
                    break
                number += 1
            full.wait(120)
            assert room.wait(120)
            append(number)

        bounded(pages=100)
        threads = [threading.Thread(target=caller, args=(f"caller{number}",)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        full.wait(120)
        before = store.head()[0]
        assert store.verify().fault is None
        assert len(told) == CALLERS
        assert all("disk is full" in str(error) and error.transient for error in told)
        assert before == len(acknowledged) + 1

        # Room for little events may be left, and it is only an event that makes room.
        with database.transaction() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        room.set()
        for thread in threads:
            thread.join(120)

        found = store.verify()
        assert (found.fault, found.events) == (None, before + CALLERS)
        stored = dict(database.query("SELECT id, seq FROM events WHERE type = 'thing.happened'"))
        assert stored == acknowledged
        assert database.query("SELECT count FROM counts WHERE type = 'thing.happened'") == [(len(stored),)]
