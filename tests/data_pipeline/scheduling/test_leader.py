"""One leader among many: taken over at once or in time, and one that was deposed writes nothing."""

import os
import signal

import pytest

from data_pipeline.scheduling.leader import LEASE, LOOK_EVERY_S
from data_pipeline.scheduling.scheduler import STANDBY_S
from tests.data_pipeline.scheduling.world import World, at
from tests.utils import children
from utils.leases import TAKEN_FOR_DEAD_AFTER


def test_one_of_many_leads_and_the_others_stand_by(each_world: World) -> None:
    """They look again every second; what is due is seen to once."""
    world = each_world
    world.declare(fx={"every": "1h"})
    first, second = world.process(), world.process()
    first.tick()

    assert second.tick() == STANDBY_S
    world.move_to(at("12:00"))
    world.beat()
    second.tick()
    first.tick()

    assert (first.leads, second.leads) == (True, False)
    assert world.runs("fx") == [at("12:00")]
    assert len(world.events("leader.elected")) == 1


def test_one_that_stops_is_followed_at_once(world: World) -> None:
    """It gives its lease back, and the next one goes on where it stood."""
    world.declare(fx={"every": "1h"})
    first, second = world.process(), world.process()
    world.work(first, at("12:00"))
    world.finish_all()

    first.close()
    second.tick()
    world.work(second, at("13:00"))

    assert second.leads
    assert world.runs("fx") == [at("12:00"), at("13:00")]
    fences = [event.data["fence"] for event in world.events("leader.elected")]
    assert fences == sorted(set(fences))


def test_one_that_was_killed_is_followed_at_once(world: World) -> None:
    """Its host knows that the process is gone; nobody waits for its lease to run out."""
    child = children.start("hold", world.coordination.path, LEASE)
    assert child.stdout is not None
    child.stdout.readline()
    world.declare(fx={"every": "1h"})
    scheduler = world.process()
    scheduler.tick()
    assert not scheduler.leads

    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=120)
    scheduler.tick()

    assert scheduler.leads


def test_one_that_is_silent_is_followed_after_fifteen_seconds(world: World) -> None:
    """Its process is there, stopped or hanging; when it wakes up it may not write as the leader."""
    world.declare(fx={"every": "1m"})
    asleep, awake = world.process(), world.process()
    world.work(asleep, at("12:00"))
    world.finish_all()
    world.beat()

    world.clock.advance(TAKEN_FOR_DEAD_AFTER - 1)
    awake.tick()
    assert not awake.leads
    world.clock.advance(2)
    awake.tick()
    assert awake.leads
    world.work(awake, at("12:01"))
    world.finish_all()
    world.beat()
    seq = world.store.head()[0]
    asleep.tick()

    assert not asleep.leads
    assert world.store.head()[0] == seq
    assert world.runs("fx") == [at("12:00"), at("12:01")]


def test_what_a_deposed_leader_would_write_is_refused(world: World) -> None:
    """In the very transaction: another one was elected after it decided, before it wrote."""
    world.declare(fx={"every": "1h"})
    deposed, elected = world.process(), world.process()
    deposed.tick()
    world.move_to(at("12:00"))

    def depose() -> None:
        world.before_writing = lambda: None
        with world.coordination.transaction() as connection:
            connection.execute("UPDATE leases SET owner = NULL WHERE name = ?", (LEASE,))
        elected.tick()

    world.before_writing = depose
    deposed.tick()

    assert (deposed.leads, elected.leads) == (False, True)
    assert world.runs("fx") == [at("12:00")]
    assert len(world.events("run.queued")) == 1


def test_a_leader_looks_whether_it_still_is(world: World) -> None:
    """Also when nothing is due that would be refused."""
    world.declare(fx={"cron": "0 0 1 1 *"})
    first, second = world.process(), world.process()
    first.tick()
    with world.coordination.transaction() as connection:
        connection.execute("UPDATE leases SET owner = NULL WHERE name = ?", (LEASE,))
    second.tick()

    world.clock.advance(LOOK_EVERY_S)
    first.tick()

    assert (first.leads, second.leads) == (False, True)


def test_a_lost_coordination_database_gives_no_number_twice(world: World) -> None:
    """The log knows the number of the newest leader: the next one gets a larger one."""
    world.declare(fx={"every": "1h"})
    for _ in range(3):
        scheduler = world.process()
        scheduler.tick()
        scheduler.close()
    with world.coordination.transaction() as connection:
        connection.execute("DELETE FROM leases")

    world.process().tick()

    assert [event.data["fence"] for event in world.events("leader.elected")] == [1, 2, 3, 4]


@pytest.mark.parametrize("at_once", [2, 5])
def test_of_many_that_begin_together_one_leads(world: World, at_once: int) -> None:
    """Whoever asks first."""
    world.declare(fx={"every": "1h"})
    schedulers = [world.process() for _ in range(at_once)]
    for scheduler in schedulers:
        scheduler.tick()

    assert sum(scheduler.leads for scheduler in schedulers) == 1
