"""What somebody who was away is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.news import MOST, News, news
from operations.run import run
from tests.dashboard.configuration import write_configuration
from utils.events import NewEvent

ACTOR = Actor("tester")
LONG_AGO = "2020-01-01T00:00:00.000000Z"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    with IntegratedSystem(write_configuration(tmp_path), state_dir=tmp_path / "state", environ={}) as system:
        yield system


def _opened(number: int) -> NewEvent:
    return NewEvent("breaker.opened", f"house-{number}", {"reason": "half of 20 calls failed"}, source="tester")


def test_of_an_empty_log_there_is_no_news(system: IntegratedSystem) -> None:
    """Nothing happened."""
    assert news(system, LONG_AGO) == News(LONG_AGO, {}, (), 0)


def test_runs_are_counted_by_how_they_ended_and_routine_is_left_out(system: IntegratedSystem) -> None:
    """A good delivery is accepted each time: that is no turn of events."""
    run(system, ACTOR)
    run(system, ACTOR, ["orders"], fresh=True)

    found = news(system, LONG_AGO)

    assert found.runs == {"failed": 1, "succeeded": 1}
    assert found.turns == ()


def test_a_delivery_that_somebody_accepted_is_told_with_who_and_why(system: IntegratedSystem) -> None:
    """What people decide changes what readers get."""
    data = {"actor": "local:ann", "reason": "the range is wrong"}
    system.events.append([NewEvent("batch.accepted", "orders", data, source="operations")])

    (turn,) = news(system, LONG_AGO).turns

    assert (turn.type, turn.subject, turn.actor, turn.reason) == (
        "batch.accepted",
        "orders",
        "local:ann",
        "the range is wrong",
    )


def test_an_incident_is_told_by_whom_it_is_about(system: IntegratedSystem) -> None:
    """Nobody knows it by its number."""
    system.events.append([NewEvent("incident.opened", "3f2a81c0", {"incident": {"about": "ECB"}}, source="alerting")])

    assert [turn.subject for turn in news(system, LONG_AGO).turns] == ["ECB"]


@pytest.mark.parametrize("before", [0, 1, 2, 7, 8], ids=["all", "all but one", "two", "the last", "none"])
def test_only_what_came_after_the_moment_is_told(system: IntegratedSystem, before: int) -> None:
    """Wherever in the log it lies."""
    for number in range(8):
        system.events.append([_opened(number)])
    times = [event.time for event in system.events.read()]
    since = times[before] if before < 8 else system.clock.now().isoformat()

    assert [turn.subject for turn in news(system, since).turns] == [f"house-{n}" for n in reversed(range(before, 8))]


def test_the_newest_are_told_and_the_others_counted(system: IntegratedSystem) -> None:
    """A night of outages does not fill the page."""
    system.events.append([_opened(number) for number in range(MOST + 1)])

    found = news(system, LONG_AGO)

    assert (len(found.turns), found.more, found.turns[0].subject) == (MOST, 1, f"house-{MOST}")


def test_a_moment_to_come_is_refused(system: IntegratedSystem) -> None:
    """Nobody looked then."""
    with pytest.raises(UsageError, match="has not come yet"):
        news(system, "2999-01-01T00:00:00Z")
