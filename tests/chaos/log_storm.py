"""Children that append to one log without an end: `log_storm.py ADDRESS ACKNOWLEDGED` forks one a line it reads.

Forked from a process that has imported all, a child writes some milliseconds after it was asked for, so that many can
be killed. A line is a name; the answer is the child's pid. Each event that was acknowledged is a line `NAME SEQ ID` of
the file ACKNOWLEDGED. When the database is away for a while a child tries the same event again. What else goes wrong is
on the standard error.
"""

import os
import signal
import sys
import threading
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                storm(address, acknowledged, line.strip())
            except BaseException:  # noqa: BLE001 - whatever it is, the test has to see it
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(1)
        os.write(1, f"{child}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
