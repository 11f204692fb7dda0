"""A chain with a secret: nobody who does not know it can write it anew; one that came or changed later is told."""

from collections.abc import Callable

import pytest

from tests.utils.events.counts import Counts
from utils.database import Database, StateError
from utils.events import EventStore, NewEvent
from utils.events.chain import chained
from utils.events.links import mend
from utils.events.rows import INSERT, SELECT
from utils.events.signing import CHANGED, Secrets

OLD, NEW = "the first secret of this log, of 32", "another secret, as long as the first"


def _with(database: Database, *secrets: str) -> EventStore:
    return EventStore(database, projections=[Counts()], secrets=Secrets(secrets))


def _added(store: EventStore, subject: str = "a") -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in store.append([NewEvent("t", subject), NewEvent("t", subject)])]


def test_a_signed_log_begins_with_its_secret(database: Database) -> None:
    """The first event names it by a fingerprint, and the chain is whole; who appends hears of their own events only."""
    store = _with(database, NEW)

    assert _added(store) == [(2, "t"), (3, "t")]

    first = store.read(limit=1)[0]
    assert (first.type, first.source, first.data["from"]) == (CHANGED, "log", "")
    assert len(first.data["to"]) == 16
    assert NEW not in str(store.read())
    assert (store.verify().fault, store.verify().signed_from) == (None, 1)
    assert database.query("SELECT count FROM counts WHERE type = 't'") == [(2,)]


def test_a_secret_may_come_later(opened: Callable[[], Database]) -> None:
    """What stood before stays provable as it was; the next process needs no word of it."""
    _added(EventStore(opened()))

    _added(_with(opened(), NEW))
    _added(_with(opened(), NEW), "b")

    found = _with(opened(), NEW).verify()
    assert (found.fault, found.events, found.signed_from) == (None, 7, 3)


def test_a_secret_may_be_changed(opened: Callable[[], Database]) -> None:
    """The new one signs, the old one proves what it signed; without the old one that part is not proven."""
    _added(_with(opened(), OLD))

    _added(_with(opened(), NEW, OLD))

    assert _with(opened(), NEW, OLD).verify().fault is None
    fault = _with(opened(), NEW).verify().fault
    assert fault is not None
    assert fault.startswith("event 1: from here on the log is signed with a secret that is not known here")


@pytest.mark.parametrize("secrets", [(), (NEW,)], ids=["none", "a wrong one"])
def test_who_does_not_know_the_secret_neither_writes_nor_proves(
    opened: Callable[[], Database], secrets: tuple[str, ...]
) -> None:
    """An append would break what is proven, so it is refused with what to do; nothing of it is in the log."""
    _added(_with(opened(), OLD))
    stranger = _with(opened(), *secrets)

    with pytest.raises(StateError, match="secret that is not known here") as refused:
        stranger.append([NewEvent("t", "a")])

    assert "database.chain_secret" in refused.value.hint
    assert OLD not in str(refused.value)
    assert "not known here" in str(stranger.verify().fault)
    assert _with(opened(), OLD).verify().events == 3
    assert _added(_with(opened(), OLD)) == [(4, "t"), (5, "t")]


def test_a_chain_that_was_written_anew_without_the_secret_is_found(opened: Callable[[], Database]) -> None:
    """All its hashes fit, as plain ones: whoever knows the secret sees that nobody signed them."""
    _added(EventStore(opened()))
    database = opened()
    _added(_with(database, NEW))
    before = "0" * 64
    with database.transaction() as connection:
        connection.execute("DELETE FROM log WHERE type = ?", (CHANGED,))
        for seq, row in enumerate(connection.execute(f"{SELECT} ORDER BY seq").fetchall(), start=1):
            after = chained(before, (seq, *row[1:6], row[7]), row[6].encode())
            change = "UPDATE log SET seq = ?, prev_hash = ?, hash = ? WHERE seq = ?"
            connection.execute(change, (seq, before, after, row[0]))
            before = after
        mend(connection, seq)

    assert EventStore(opened()).verify().fault is None, "without a secret it looks whole"
    fault = _with(opened(), NEW).verify().fault
    assert fault is not None
    assert fault.startswith("event 4, the newest, is not signed with the secret that is configured")


def test_an_unsigned_event_in_a_signed_log_is_named(opened: Callable[[], Database]) -> None:
    """Its hash fits, but not the one that knows the secret."""
    database = opened()
    store = _with(database, NEW)
    last = store.append([NewEvent("t", "a")])[0]
    about = ("forged", last.time, "s", "t", "b")
    after = chained(last.hash, (last.seq + 1, *about, 1), b"{}")
    with database.transaction() as connection:
        connection.execute(INSERT, (last.seq + 1, 0, last.seq, 0, 1, 1, *about, last.hash, after, "{}"))

    assert store.verify().fault == "event 3 (t, " + last.time + ") is not signed, though events before it are"
    assert _added(store) == [(5, "t"), (6, "t")]
    assert "is not signed" in str(store.verify().fault), "what is signed again later does not hide it"
