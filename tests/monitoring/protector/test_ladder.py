"""What the protector decides from looks at the host alone."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.protector.ladder import (
    LADDERS,
    MODES,
    SUSTAINED,
    Action,
    Decision,
    Reading,
    Resource,
    Standing,
    decide,
)

DEV = MODES["dev"]
FULL: dict[Resource, Reading] = {
    "cpu": Reading(cpu=100.0, cpu_waits=60.0),
    "memory": Reading(memory=99.0),
    "disk": Reading(disk=99.0),
}
percents = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
resources = st.sampled_from(sorted(LADDERS))


def walk(resource: Resource, readings: list[Reading]) -> list[Decision]:
    """What each of these looks asks for, one after the other."""
    standing, found = Standing(), []
    for reading in readings:
        found.append(decide(resource, standing, reading, DEV))
        standing = found[-1].standing
    return found


def actions(resource: Resource, readings: list[Reading]) -> list[Action]:
    return [one.action for one in walk(resource, readings) if one.action is not None]


def test_each_mode_has_its_own_limits() -> None:
    """75/80, 85/85 and 90/90 percent of CPU and memory; the disk at 80."""
    assert {name: (limits.cpu, limits.memory, limits.disk) for name, limits in MODES.items()} == {
        "dev": (75.0, 80.0, 80.0),
        "test": (85.0, 85.0, 80.0),
        "prod": (90.0, 90.0, 80.0),
    }


def test_a_spike_asks_for_nothing() -> None:
    """Two looks above the limit and one below, again and again: nothing is ever done."""
    spikes = [Reading(cpu=100.0), Reading(cpu=100.0), Reading(cpu=74.0)]
    assert actions("cpu", spikes * 20) == []


def test_the_rungs_follow_one_another_and_the_last_again_and_again() -> None:
    """Every third look takes the next rung; nothing is milder than the mildest that was not tried."""
    assert actions("cpu", [FULL["cpu"]] * 12) == ["lower", "pause", "terminate", "terminate"]
    assert actions("memory", [FULL["memory"]] * 9) == ["pause", "terminate", "terminate"]
    assert actions("disk", [FULL["disk"]] * 9) == ["shed", "pause", "terminate"]


def test_a_full_processor_for_which_nobody_waits_ends_nobody() -> None:
    """The kernel says that no task waited: the machine is well used; the priority may be lowered, no more."""
    assert actions("cpu", [Reading(cpu=100.0, cpu_waits=0.0)] * 30) == ["lower"]


def test_a_disk_that_is_not_quite_full_ends_nobody() -> None:
    """From 80 % on what can be had again goes; somebody's work suffers from 95 % on only."""
    assert actions("disk", [Reading(disk=90.0)] * 30) == ["shed"]


def test_relief_is_told_once_and_the_ladder_begins_anew() -> None:
    """Three looks well below the limit end it; just below the limit it goes on."""
    found = walk("cpu", [FULL["cpu"]] * 3 + [Reading(cpu=72.0)] * 9 + [Reading(cpu=70.0)] * 9)
    assert [number for number, one in enumerate(found) if one.relieved] == [3 + 9 + 2]
    assert found[-1].standing.rung == 0
    assert not any(one.relieved for one in walk("cpu", [Reading(cpu=1.0)] * 9))


@given(resources, st.lists(st.builds(Reading, percents, percents, percents, percents), max_size=60))
def test_no_action_without_three_looks_above(resource: Resource, readings: list[Reading]) -> None:
    """Whatever is read, also what cannot be: an action has the last three looks that told anything above the limit."""
    told: list[float] = []
    for reading, found in zip(readings, walk(resource, readings), strict=True):
        if (value := reading.of(resource)) is not None:
            told.append(value)
        if found.action is not None:
            assert min(told[-SUSTAINED:]) >= DEV.of(resource)
            assert len(told) >= SUSTAINED


@given(resources, st.lists(st.builds(Reading, percents, percents, percents, percents), max_size=60))
def test_calm_ends_everything(resource: Resource, readings: list[Reading]) -> None:
    """After any past three calm looks bring it back to the beginning."""
    calm = [Reading(cpu=0.0, memory=0.0, disk=0.0)] * SUSTAINED
    assert walk(resource, [*readings, *calm])[-1].standing == Standing(calm=SUSTAINED)


@given(resources, st.integers(1, 60))
def test_actions_are_never_closer_than_three_looks(resource: Resource, looks: int) -> None:
    """However long it lasts, each rung has time to help."""
    assert len(actions(resource, [FULL[resource]] * looks)) == looks // SUSTAINED
