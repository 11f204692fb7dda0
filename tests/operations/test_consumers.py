"""Who follows the log, from an operation's side: listed, measured, told when stuck, retried, forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations import events as log
from operations.actor import Actor, UsageError
from operations.health import health
from operations.metrics import as_json, as_prometheus
from operations.status import status
from utils.clock import ManualClock
from utils.events import NewEvent
from utils.events.following import Consumer, Following

ME = Actor("tester")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    config = tmp_path / "orchestrator.json"
    config.write_text("{}")
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}, clock=ManualClock()) as system:
        yield system


def _fail(_: object) -> None:
    raise ValueError("the page is full")


def _tried(system: IntegratedSystem, times: int, *, park_after: int | None = None) -> Following:
    """A consumer that failed so often at the first of two events."""
    system.events.append([NewEvent("feedback.given", "s", {}, source="test") for _ in range(2)])
    consumer = Consumer(name="pager", handler=_fail, start="beginning", park_after=park_after)
    following = Following(consumer, system.events, system.cursors, clock=system.clock)
    for _ in range(times):
        system.clock.sleep(following.step())
    return following


def _check(system: IntegratedSystem) -> tuple[bool, str]:
    (check,) = [check for check in health(system).checks if check.name == "consumers"]
    return check.healthy, check.detail


def test_lag_is_a_metric(system: IntegratedSystem) -> None:
    """In events and in seconds, for JSON and for Prometheus."""
    _tried(system, 2)

    series = as_json(system)["orchestrator_consumer_lag_events"]["series"]
    text = as_prometheus(system)

    assert series == [{"labels": {"consumer": "pager"}, "value": 2}]
    assert 'orchestrator_consumer_lag_seconds{consumer="pager"} 3' in text
    assert 'orchestrator_consumer_attempts{consumer="pager"} 2' in text
    assert 'orchestrator_consumer_parked_events{consumer="pager"} 0' in text


def test_a_stuck_consumer_is_unhealthy_and_named_with_its_error(system: IntegratedSystem) -> None:
    """Not at its first failure: that may pass."""
    assert _check(system) == (True, "nobody follows the log")
    following = _tried(system, 2)
    assert _check(system) == (True, "pager 2 events behind")

    following.step()

    assert _check(system) == (False, "stuck: pager: event 1 failed 3 times: ValueError: the page is full")
    assert [one["attempts"] for one in status(system).to_json()["consumers"]] == [3]


def test_what_was_parked_is_listed_and_can_be_retried(system: IntegratedSystem) -> None:
    """One event or all; whoever names a consumer or an event that is not there hears so."""
    _tried(system, 2, park_after=1)

    assert [(one.consumer, one.seq) for one in log.parked(system)] == [("pager", 1), ("pager", 2)]
    assert _check(system) == (True, "pager parked 2")
    assert (log.retry(system, ME, "pager", event=2), log.retry(system, ME, "pager")) == (1, 2)
    with pytest.raises(UsageError, match="event 7 is not parked"):
        log.retry(system, ME, "pager", event=7)
    with pytest.raises(UsageError, match="'nobody' follows nothing") as told:
        log.retry(system, ME, "nobody")
    assert told.value.hint == "known: pager"


def test_a_consumer_can_be_forgotten(system: IntegratedSystem) -> None:
    """Once nobody runs it."""
    _tried(system, 1).close()

    log.forget(system, Actor("test"), "pager")

    assert log.consumers(system) == []


def test_the_follower_of_a_system_stops_with_it(tmp_path: Path) -> None:
    """Woken by what the system itself commits."""
    from queue import Queue

    config = tmp_path / "orchestrator.json"
    config.write_text("{}")
    seen: Queue[str] = Queue()
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
        system.follower.add(Consumer(name="one", handler=lambda event: seen.put(event.subject), start="beginning"))
        system.events.append([NewEvent("feedback.given", "mine", {}, source="test")])
        assert seen.get(timeout=120) == "mine"
        follower = system.follower

    assert follower.figures() == {}
