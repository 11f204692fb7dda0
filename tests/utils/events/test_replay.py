"""Replaying the log: views are told what they need of each event, also of those that were sealed."""

from pathlib import Path

import pytest

from tests.utils.events.sealed import Log
from utils.database import StateError
from utils.events.event import Fact


def test_a_replay_tells_of_every_event_sealed_or_not(address: str, tmp_path: Path) -> None:
    """In order, with time, type, subject and data as they were; from a position on, when asked."""
    log = Log(address, tmp_path / "storage")
    log.append(12)
    log.seal(keep=5)
    log.append(3)
    facts = [Fact(event.seq, event.time, event.type, event.subject, event.data) for event in log.told]

    assert [fact for page in log.store.replay() for fact in page] == facts
    assert [fact for page in log.store.replay(after=4) for fact in page] == facts[4:]
    log.store.close()
    log.database.close()


def test_data_that_cannot_be_read_is_named_in_a_replay(address: str, tmp_path: Path) -> None:
    """With its event."""
    log = Log(address, tmp_path / "storage")
    log.append(4)
    with log.database.transaction() as connection:
        connection.execute("UPDATE log SET data = '{' WHERE seq = 3")

    with pytest.raises(StateError, match="event 3: its data is not JSON"):
        list(log.store.replay())
    log.store.close()
    log.database.close()
