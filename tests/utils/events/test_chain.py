"""The hash chain: whatever is changed in a stored log is found and named."""

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from utils.clock import ManualClock
from utils.database import StateError
from utils.events import SCHEMA, EventStore, NewEvent
from utils.sqlite import SqliteDatabase


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    """A log of six events."""
    store = EventStore(SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA]), clock=ManualClock())
    store.append([NewEvent("thing.happened", f"s{n}", {"n": n, "text": 'a "quoted" ü'}) for n in range(6)])
    return store


def _tamper(store: EventStore, *statements: str) -> None:
    with store.database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_whole_log_verifies_and_gives_its_head(store: EventStore) -> None:
    """The head that it prints is accepted later, when the log has grown."""
    found = store.verify()
    store.append([NewEvent("t", "a")])

    assert (found.events, found.fault) == (6, None)
    assert store.verify(found.head).fault is None


def test_what_was_verified_is_told_as_json(store: EventStore) -> None:
    """With a plain word for whether all is well."""
    told = store.verify().to_json()

    assert told.pop("head") == "{}:{}".format(*store.head())
    assert told == {"events": store.head()[0], "fault": None, "signed_from": None, "whole": True}


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    """Its head is position 0."""
    found = EventStore(SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])).verify()

    assert (found.events, found.head, found.fault) == (0, f"0:{'0' * 64}", None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "'other'"),
        ("time", "'2020-01-01T00:00:00.000000Z'"),
        ("source", "'other'"),
        ("type", "'other'"),
        ("subject", "'other'"),
        ("data", "replace(data, '3', '4')"),
        ("data", "x'00ff'"),
        ("data", "CAST(x'00ff' AS TEXT)"),
        ("type", "x'00'"),
        ("version", "9"),
        ("prev_hash", f"'{'a' * 64}'"),
        ("hash", f"'{'b' * 64}'"),
    ],
)
def test_a_changed_column_is_found_and_named(store: EventStore, column: str, value: str) -> None:
    """Whichever it is, and also when it no longer holds text."""
    _tamper(store, f"UPDATE log SET {column} = {value} WHERE seq = 4")

    fault = store.verify().fault

    assert fault is not None
    assert fault.startswith("event 4 ")


def test_a_removed_event_is_found_and_named(store: EventStore) -> None:
    """Also when the ones behind it are moved up."""
    _tamper(store, "DELETE FROM log WHERE seq = 3")
    assert store.verify().fault == "event 3 is missing (found 4)"

    _tamper(store, "UPDATE log SET seq = seq - 1 WHERE seq = 4")
    assert str(store.verify().fault).startswith("event 3 (thing.happened, ")


def test_an_inserted_event_is_found_and_named(store: EventStore) -> None:
    """At the end, in the middle with the others moved, and before the first."""
    row = "0, 0, 0, 1, 1, 'forged', time, source, type, 'forged', {prev}, hash, data FROM log WHERE seq = {of}"
    _tamper(store, f"INSERT INTO log SELECT 7, {row.format(prev='hash', of=6)}")
    assert str(store.verify().fault).startswith("event 7 (thing.happened, ")

    _tamper(
        store,
        "DELETE FROM log WHERE seq = 7",
        "UPDATE log SET seq = -seq WHERE seq >= 3",
        "UPDATE log SET seq = 1 - seq WHERE seq < 0",
        f"INSERT INTO log SELECT 3, {row.format(prev='hash', of=2)}",
    )
    assert str(store.verify().fault).startswith("event 3 (thing.happened, ")

    _tamper(store, "UPDATE log SET seq = -1 WHERE seq = 3")
    assert store.verify().fault == "event -1 was inserted (the log begins with 1)"


def test_two_events_that_changed_places_are_found(store: EventStore) -> None:
    """Their order is what the chain proves."""
    _tamper(
        store,
        "UPDATE log SET seq = -2 WHERE seq = 2",
        "UPDATE log SET seq = 2 WHERE seq = 3",
        "UPDATE log SET seq = 3 WHERE seq = -2",
    )

    assert str(store.verify().fault).startswith("event 2 ")


def test_a_cut_tail_shows_against_a_kept_head(store: EventStore) -> None:
    """Without one it cannot be seen, and the docs say so."""
    head = store.verify().head
    _tamper(store, "DELETE FROM log WHERE seq > 4")

    assert store.verify().fault is None
    assert store.verify(head).fault == "the log ends at 4, the kept head is 6: its tail was cut"


def test_a_rewritten_tail_shows_against_a_kept_head(store: EventStore) -> None:
    """A chain recomputed from a changed event on is whole in itself, but not the one that was."""
    head = store.verify().head
    _tamper(store, "DELETE FROM log WHERE seq > 4")
    for subject in ("other", "more", "yet more"):
        store.append([NewEvent("t", subject)])

    assert store.verify().fault is None
    assert store.verify(head).fault == "event 6 is not the one whose hash was kept"


@pytest.mark.parametrize("head", ["", "6", "6:", "six:" + "0" * 64, "6:abc"])
def test_a_head_of_another_form_is_refused(store: EventStore, head: str) -> None:
    """With the form it should have."""
    with pytest.raises(StateError, match="is no head") as told:
        store.verify(head)

    assert "SEQ:HASH" in told.value.hint


def test_a_flipped_bit_in_the_file_is_found_and_named(store: EventStore, tmp_path: Path) -> None:
    """In the data of an event, where SQLite itself sees nothing wrong."""
    store.append([NewEvent("thing.happened", "marked", {"text": "find me"})])
    store.close()
    store.database.close()
    content = (tmp_path / "log.db").read_bytes()
    at = content.index(b"find me")
    (tmp_path / "log.db").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])

    fault = EventStore(SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA])).verify().fault

    assert fault == "event 7 (thing.happened, 2026-01-01T00:00:00.000000Z) does not match its hash"


def test_the_chain_can_be_recomputed_without_our_code(store: EventStore) -> None:
    """The contract: SHA-256 of the hash before, seven columns as compact JSON, a newline, the data as stored."""
    rows = store.database.query("SELECT * FROM events ORDER BY seq")

    before = "0" * 64
    for seq, identity, time, source, type_, subject, data, version, prev_hash, found in rows:
        head = json.dumps([seq, identity, time, source, type_, subject, version], separators=(",", ":"))
        assert prev_hash == before
        before = hashlib.sha256(f"{before}{head}\n{data}".encode()).hexdigest()
        assert found == before


def test_any_sqlite_tool_reads_and_writes_a_copy(store: EventStore, tmp_path: Path) -> None:
    """The view is a contract: ten columns, `data` JSON text; no trigger stands in the way of who changes the table."""
    store.close()
    store.database.close()
    shutil.copy(tmp_path / "log.db", tmp_path / "copy.db")

    with sqlite3.connect(tmp_path / "copy.db") as tool:
        columns = [name for _, name, *_ in tool.execute("PRAGMA table_info(events)")]
        numbers = tool.execute("SELECT json_extract(data, '$.n'), typeof(data) FROM events").fetchall()
        tool.execute("DELETE FROM log WHERE seq = 1")
        tool.execute("UPDATE log SET data = '{}'")
    tool.close()

    assert columns == ["seq", "id", "time", "source", "type", "subject", "data", "version", "prev_hash", "hash"]
    assert numbers == [(n, "text") for n in range(6)]
    assert EventStore(SqliteDatabase(tmp_path / "copy.db", migrations=[SCHEMA])).verify().fault == (
        "event 1 is missing (found 2)"
    )


def test_data_that_is_no_json_any_more_is_told_when_it_is_read(store: EventStore) -> None:
    """Not with the parser's own words."""
    _tamper(store, "UPDATE log SET data = '{' WHERE seq = 2")

    with pytest.raises(StateError, match="event 2: its data is not JSON") as told:
        store.read()

    assert "verify" in told.value.hint
