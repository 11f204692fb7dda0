"""Whether what an event began goes on."""

from contextlib import closing
from pathlib import Path

from tests.utils.events.counts import open_at
from utils.events import EventStore, NewEvent
from utils.events.lasting import lasts


def test_it_lasts_from_what_began_it_to_what_ended_it(tmp_path: Path) -> None:
    """About this subject, by the newest beginning; any of its ends ends it."""
    with closing(open_at(str(tmp_path / "log.db"))) as database, closing(EventStore(database)) as store:

        def after(*types: str, subject: str = "cpu") -> bool:
            store.append([NewEvent(one, subject) for one in types])
            return lasts(store, "cpu", "host.overloaded", "host.relieved", "host.ended")

        assert not after("host.relieved")
        assert not after("host.overloaded", subject="memory")
        assert after("host.overloaded")
        assert after("host.relieved", subject="memory")
        assert not after("host.relieved")
        assert after("host.overloaded")
        assert not after("host.ended")
