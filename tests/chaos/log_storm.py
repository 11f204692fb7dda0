"""Children that append to one log without an end: `log_storm.py ADDRESS ACKNOWLEDGED` forks one for each name it reads.

Each event that was acknowledged is a line `NAME SEQ ID` of the file ACKNOWLEDGED. When the database is away for a while
a child tries the same event again.
"""

import os
import sys
import threading
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.chaos.forking import fork_for_each_line
from tests.utils.events.counts import Counts, open_at
from utils.database import StateError
from utils.events import Event, EventStore, NewEvent
from utils.postgres import PostgresDatabase  # noqa: F401 - so that the children need not import what it imports

CALLERS = 3
PAUSE = threading.Event()  # never set: to wait for a while


def write(store: EventStore, name: str, out: int) -> None:
    """One caller: events one by one and a few at once, each with an id of its own, so that a retry is no second one."""
    number = 0
    while True:
        number += 1
        events = [
            NewEvent(f"thing.happened_{part}", f"{name}-{part}", {"number": number}, id=f"{name}-{number}-{part}")
            for part in range(1 + number % 3)
        ]
        shared = NewEvent("thing.counted", "shared", {"by": name}, id=f"{name}-{number}-shared")
        for event in again_and_again(store, [*events, shared]):
            os.write(out, f"{name} {event.seq} {event.id}\n".encode())


def again_and_again(store: EventStore, events: list[NewEvent]) -> list[Event]:
    """Append, also when the database is away for a while."""
    while True:
        try:
            return store.append(events)
        except StateError as error:
            if not error.transient or "locked" in str(error):
                raise
            PAUSE.wait(0.02)


def storm(address: str, acknowledged: str, name: str) -> None:
    out = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    database = None
    while database is None:
        try:
            database = open_at(address)
        except StateError as error:
            if not error.transient:
                raise
            PAUSE.wait(0.02)
    store = EventStore(database, projections=[Counts()])

    def caller(number: int) -> None:
        try:
            write(store, f"{name}.{number}", out)
        except BaseException:  # noqa: BLE001 - whatever it is, the test has to see it
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()


def main(address: str, acknowledged: str) -> None:
    fork_for_each_line(lambda name: storm(address, acknowledged, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
