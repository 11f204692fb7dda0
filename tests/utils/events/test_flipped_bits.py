"""One bit of what was stored is not as it was: `verify` finds it and names the event, on both databases."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import address, execute
from tests.utils.events.counts import open_at
from utils.database import Database
from utils.events import EventStore, NewEvent

LINKS = ("source_before", "type_before", "subject_before")
COLUMNS = ("id", "time", "source", "type", "subject", "data", "version", "prev_hash", "hash", *LINKS)


def flipped(value: Any, dice: random.Random) -> Any:
    """One bit turned over, such that a text stays one that every database takes."""
    if isinstance(value, int):
        return value ^ 1 << dice.randrange(8)
    at = dice.randrange(len(value))
    changed = chr(ord(value[at]) ^ 1 << dice.choice([0, 1, 2, 3]))
    return value[:at] + changed + value[at + 1 :] if changed.isprintable() else flipped(value, dice)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_flipped_bit_is_found_and_its_event_named(database: Database, column: str) -> None:
    """In every column, of any event."""
    dice = random.Random(column)
    with closing(EventStore(database)) as store:
        store.append([NewEvent("thing.happened", f"s{n % 3}", {"n": n, "text": "as it was"}) for n in range(9)])
        for seq in dice.sample(range(1, 10), 3):
            ((was,),) = database.query(f"SELECT {column} FROM log WHERE seq = ?", (seq,))
            _set(database, seq, column, flipped(was, dice))

            fault = store.verify().fault

            assert fault is not None
            assert fault.startswith(f"event {seq} ")
            _set(database, seq, column, was)
            assert store.verify().fault is None


def _set(database: Database, seq: int, column: str, value: Any) -> None:
    with database.transaction() as connection:
        connection.execute(f"UPDATE log SET {column} = ? WHERE seq = ?", (value, seq))


def test_a_flipped_bit_in_the_files_of_postgresql_is_found(own_server: Any) -> None:
    """The server's own checksum may stop the reading: that is told with the event too, and is no traceback."""
    url = address("postgres", own_server)
    with closing(open_at(url)) as database, closing(EventStore(database)) as store:
        store.append([NewEvent("thing.happened", f"s{n}", {"text": f"find me {n}"}) for n in range(9)])
    ((folder,),) = execute(url, "CHECKPOINT", "SELECT current_setting('data_directory')")
    ((name,),) = execute(url, "SELECT pg_relation_filepath('log')")
    own_server.stop()
    path = Path(folder) / name
    content = path.read_bytes()
    at = content.index(b"find me 6")
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    own_server.ensure_postgres_running()

    with closing(open_at(url)) as database, closing(EventStore(database)) as store:
        fault = store.verify().fault

    assert fault is not None
    assert fault.startswith("event ")
    assert "cannot be read" in fault or "does not match its hash" in fault
