"""Backfills worked off by a process that runs for long, and followed from another."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.backfill_views import lease_of
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.backfill import call_off, result_of, start
from operations.backfill_plan import plan
from operations.backfill_result import Result
from operations.backfill_service import BackfillService, follow
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("test")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    from tests.integration import feed as provider

    new = Feed()
    monkeypatch.setattr(provider, "FEED", new)
    return new


def configure(installation: Installation, **more: Any) -> None:
    collect = {"kind": "python", "function": "tests.integration.feed:piece"}
    installation.configure({"name": "sales", "collect": collect, "partition": {"by": ["a", "b", "c"]}}, **more)


def begun(system: IntegratedSystem) -> str:
    return start(system, ACTOR, plan(system, "sales"))


def worked(service: BackfillService) -> None:
    """One step, to the end of what it began."""
    service.step()
    worker = service._worker
    assert worker is not None
    worker.join(120)
    assert not worker.is_alive()


def test_it_works_off_what_somebody_began_and_then_has_nothing_to_do(installation: Installation, feed: Feed) -> None:
    """One by one, the oldest first, as whoever began it."""
    configure(installation)
    feed.pieces = {key: [{"n": 1}] for key in "abc"}
    with installation.system() as system:
        identity = begun(system)
        service = BackfillService(system)
        worked(service)
        result = result_of(system, identity)
        assert (result.status, result.collected, result.actor) == ("succeeded", 3, "test")
        assert service.step() == 60.0
        service.close()


def test_only_the_leader_works_and_nobody_on_what_another_process_has(installation: Installation, feed: Feed) -> None:
    """Two would collect the same pieces."""
    configure(installation)
    with installation.system() as system:
        identity = begun(system)
        assert BackfillService(system, leads=lambda: False).step() == 60.0
        lease = system.leases.acquire([lease_of(identity)])
        service = BackfillService(system)
        assert service.step() == 60.0
        system.leases.release(lease)
        assert feed.asked == []


def test_one_that_is_paused_lets_others_by(installation: Installation, feed: Feed) -> None:
    """Its circuit is open: nothing is asked of the provider until it lets a try through."""
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    configure(installation)
    feed.pieces = {key: [{"n": 1}] for key in "abc"}
    with installation.system(clock) as system:
        from operations.breakers import force_open, reset

        identity = start(system, ACTOR, plan(system, "sales", concurrency=1))
        force_open(system, ACTOR, system.collector.provider_of(system.settings.dataset("sales")))
        service = BackfillService(system)
        worked(service)
        result = result_of(system, identity)
        assert (result.status, result.waiting, feed.asked) == ("interrupted", 3, [])
        assert result.paused_until is not None
        assert "circuit" in result.reason
        assert service.step() == 60.0
        reset(system, ACTOR)
        clock.advance(300.0)
        worked(service)
        assert result_of(system, identity).status == "succeeded"


def test_closing_stores_what_came(installation: Installation, feed: Feed) -> None:
    """The rest waits for the next process."""
    configure(installation)
    entered, go = threading.Event(), threading.Event()

    class Slow(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            if key == "c":
                entered.set()
                go.wait(120)
            return super().__getitem__(key)

    feed.pieces = Slow({key: [{"n": 1}] for key in "abc"})
    with installation.system() as system:
        identity = start(system, ACTOR, plan(system, "sales", concurrency=1))
        service = BackfillService(system)
        service.step()
        assert entered.wait(120)
        service.close()
        result = result_of(system, identity)
        assert (result.status, result.collected, result.waiting) == ("interrupted", 2, 1)
        go.set()


def test_one_that_cannot_go_on_is_told_and_left_for_a_minute(installation: Installation, feed: Feed) -> None:
    """Its dataset is gone from the configuration."""
    configure(installation)
    with installation.system() as system:
        begun(system)
    installation.configure({"name": "other", "collect": {"kind": "simulated"}})
    with installation.system() as system:
        service = BackfillService(system)
        worked(service)
        assert 50 < service.step() <= 60
        assert feed.asked == []


def test_who_follows_sees_each_change_and_the_end(installation: Installation, feed: Feed) -> None:
    """From another process, by what the log says."""
    configure(installation)
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    told: list[Result] = []
    with installation.system(clock) as system:
        identity = begun(system)

        def tell(result: Result) -> None:
            told.append(result)
            if len(told) == 1:
                call_off(system, ACTOR, identity)

        result = follow(system, identity, cancel=CancelToken(), told=tell)
    assert [one.status for one in told] == ["interrupted", "cancelled"]
    assert result.finished_at is not None


def test_a_piece_that_opens_the_circuit_each_time_does_not_keep_it_for_ever(
    installation: Installation, feed: Feed
) -> None:
    """How often it failed stands in the log: whoever goes on after a pause begins with the others."""
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    breaker = {"window": 1, "minimum_calls": 1, "half_open_calls": 1}
    configure(installation, defaults={"resilience": {"breaker": breaker}})
    datasets = installation.config.read_text().replace(
        '"partition"', '"resilience": {"retry": {"attempts": 1}}, "partition"'
    )
    installation.config.write_text(datasets)
    feed.pieces = {key: [{"n": 1}] for key in "bc"}
    with installation.system(clock) as system:
        identity = start(system, ACTOR, plan(system, "sales", concurrency=1))
    for _ in range(3):
        with installation.system(clock) as system:
            worked(BackfillService(system))
        clock.advance(3600.0)
    with installation.system(clock) as system:
        result = result_of(system, identity)
    assert (result.status, result.collected, result.failed) == ("degraded", 2, 1)
    assert feed.asked == ["a", "b", "c", "a", "a"]
