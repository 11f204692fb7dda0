"""When maintenance is due, who does it, and that a log that grows for ever stays bounded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data_pipeline.scheduling.views import Schedules
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.housekeeping import LEASE, Busy, overdue
from operations.maintain import Maintenance, maintain
from tests.integration.unattended import Unattended
from utils.clock import ManualClock
from utils.events import NewEvent
from utils.leases import Leases

ANNA = Actor("anna")


class SlowClock(ManualClock):
    """Every look at it takes `pace` seconds."""

    pace = 0.0

    def monotonic(self) -> float:
        self.advance(self.pace)
        return super().monotonic()


@pytest.fixture
def clock() -> SlowClock:
    return SlowClock()


@pytest.fixture
def system(tmp_path: Path, clock: SlowClock) -> Iterator[IntegratedSystem]:
    config = tmp_path / "orchestrator.json"
    config.write_text('{"maintenance": {"every": "6h"}}')
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}, clock=clock) as made:
        yield made


def names(done: Maintenance) -> list[str]:
    """The steps that were done, in their order."""
    return [step.name for step in done.steps]


def test_maintenance_is_due_after_its_time_also_on_a_state_that_never_had_one(
    system: IntegratedSystem, clock: SlowClock
) -> None:
    """It is counted from the first event."""
    assert not overdue(system)
    system.events.append([NewEvent("service.started", "api")])
    clock.advance(6 * 3600)
    assert not overdue(system)
    clock.advance(1)
    assert overdue(system)

    maintain(system, ANNA)

    assert not overdue(system)


def test_what_there_was_no_time_for_comes_first_and_soon(system: IntegratedSystem, clock: SlowClock) -> None:
    """Else the last steps would never have their turn."""
    clock.pace = 1.0
    first = maintain(system, ANNA, seconds=4.0)
    clock.pace = 0.0
    assert first.left

    clock.advance(3600)
    assert overdue(system)
    second = maintain(system, ANNA, seconds=4.0)

    assert names(second)[: len(first.left)] == list(first.left)
    assert second.left == ()
    clock.advance(3600)
    assert not overdue(system)


def test_two_processes_do_not_maintain_at_once(system: IntegratedSystem, clock: SlowClock) -> None:
    """While one is at it nothing is due, and who asks is told; a dry run changes nothing and is no maintenance."""
    system.events.append([NewEvent("service.started", "api")])
    clock.advance(7 * 3600)
    other = Leases(system.coordination, clock=clock)
    held = other.acquire([LEASE])
    try:
        assert not overdue(system)
        with pytest.raises(Busy, match="another process maintains"):
            maintain(system, ANNA)
        assert maintain(system, ANNA, dry_run=True).dry_run
    finally:
        other.release(held)
        other.close()

    assert overdue(system)
    assert maintain(system, ANNA).well


def test_a_log_that_grows_for_ever_stays_bounded(tmp_path: Path) -> None:
    """Schedules every half hour, kept for two days: the state after the twelfth is that of the sixth."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    asked = {"often": {"every": "30m"}, "never": {"cron": "*/30 * * * *"}}
    kept = {"retention": {"events": "2d", "runs": "2d"}}
    life = Unattended(tmp_path, asked, start=start, sections=kept, step=timedelta(minutes=10))
    life.pause("never", start, timedelta(days=4))
    sizes, rows = [], []
    try:
        for day in range(1, 13):
            life.live(start + timedelta(days=day))
            maintain(life.system, ANNA)
            sizes.append((tmp_path / "state" / "orchestrator.db").stat().st_size)
            rows.append(len(Schedules(life.system.database).occurrences()))
    finally:
        life.close()

    assert sizes[11] <= 1.2 * sizes[5]
    assert rows[11] <= rows[5]
    assert rows[11] >= 2 * 96  # two days of both are there
