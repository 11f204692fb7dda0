"""What is asked after each run: is there anything that alerting has to look at?"""

import pytest

from monitoring.alerting.quiet import EVERYDAY, FAR_BEHIND, is_quiet
from monitoring.alerting.shipped import SHIPPED
from operations.kept import MIGRATIONS
from tests.databases import opened_at
from tests.monitoring.alerting.posts import Receiver, World, begun
from utils.clock import ManualClock
from utils.event_patterns import matches
from utils.events import EventStore, NewEvent


def test_no_everyday_event_raises_a_shipped_rule() -> None:
    """Else the rule would sleep through it."""
    assert [(rule.name, kind) for rule in SHIPPED for kind in EVERYDAY if matches(rule.when, kind)] == []


@pytest.mark.parametrize(
    ("kinds", "quiet"),
    [
        ([], True),
        (["run.started", "dataset.collected", "run.finished"], True),
        (["run.started", "dataset.failed", "run.finished"], False),
        (["incident.opened"], False),
        (["somebody.sneezed"], False),
    ],
    ids=[
        "nothing",
        "a run in which all went well",
        "one in which something failed",
        "somebody is to be told",
        "unknown",
    ],
)
def test_it_is_quiet_when_only_everyday_things_happened(address: str, kinds: list[str], quiet: bool) -> None:
    """Whatever else there may be is looked at."""
    database = opened_at(address, MIGRATIONS)
    store = EventStore(database)
    store.append([NewEvent(kind, "subject") for kind in kinds])
    found = is_quiet(database)
    store.close()
    database.close()

    assert found == quiet


def test_a_letter_that_waits_is_no_quiet(address: str) -> None:
    """Nor is an engine that has not looked for very long."""
    world = World(address, ManualClock(), migrations=MIGRATIONS)
    assert is_quiet(world.database)
    world.put(begun("i1"))
    waits = is_quiet(world.database)
    world.drain(team=Receiver())
    sent = is_quiet(world.database)
    with world.database.transaction() as connection:
        connection.execute("UPDATE names SET newest = ? WHERE kind = 'log'", (FAR_BEHIND + 100,))
    far = is_quiet(world.database)
    world.close()

    assert (waits, sent, far) == (False, True, False)
