"""Which level is asked for: up at once, down step by step after calm, never quicker than the calm time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.progressive.levels import Level
from monitoring.progressive.notices import LevelChanged, Overloaded, Relieved
from monitoring.progressive.policy import asked_for
from tests.monitoring.progressive.readings import QUIET, Walk

CALM_S = 60.0

percents = st.none() | st.floats(0.0, 100.0)
Seen = list[tuple[float, dict[str, float | None]]]

snapshots = st.tuples(
    st.floats(0.01, 200.0),
    st.fixed_dictionaries({"cpu_percent": percents, "memory_percent": percents, "disk_percent": percents}),
)
bases = st.sampled_from(Level)


@pytest.mark.parametrize(
    ("level", "interval_s", "report_s"),
    [
        (Level.IDLE, 30.0, 300.0),
        (Level.NORMAL, 5.0, 60.0),
        (Level.INTENSIVE, 1.0, 10.0),
        (Level.CRITICAL, 0.5, 2.0),
    ],
)
def test_the_levels_are_those_that_users_know(level: Level, interval_s: float, report_s: float) -> None:
    """Seconds between two samples, and between two reports."""
    assert (level.interval_s, level.report_s) == (interval_s, report_s)


@pytest.mark.parametrize(
    ("figures", "level"),
    [
        ({"cpu_percent": 69.0}, Level.NORMAL),
        ({"cpu_percent": 70.0}, Level.INTENSIVE),
        ({"cpu_percent": 85.0}, Level.CRITICAL),
        ({"memory_percent": 75.0}, Level.INTENSIVE),
        ({"memory_percent": 90.0}, Level.CRITICAL),
        ({"disk_percent": 80.0}, Level.INTENSIVE),
        ({"disk_percent": 95.0}, Level.CRITICAL),
        ({"cpu_percent": 75.0, "disk_percent": 95.0}, Level.CRITICAL),
    ],
    ids=lambda value: " ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value),
)
def test_one_reading_is_enough_to_watch_more_closely(figures: dict[str, float], level: Level) -> None:
    """A warning asks for INTENSIVE, a critical reading for CRITICAL; the worst resource decides."""
    assert Walk().see(5.0, **{**QUIET, **figures}) is level


def test_it_comes_down_one_level_after_each_calm_time() -> None:
    """From CRITICAL over INTENSIVE and NORMAL to IDLE, where it began."""
    walk = Walk(Level.IDLE)
    walk.see(30.0, cpu_percent=97.0)
    walk.calm(4 * CALM_S + 60.0)

    assert [level for _, level in walk.levels] == ["IDLE", "CRITICAL", "INTENSIVE", "NORMAL", "IDLE"]
    moments = [at for at, _ in walk.levels]
    assert all(later - before >= CALM_S for before, later in pairwise(moments[1:]))
    assert [one.reason for one in walk.told] == ["cpu at 97 % (critical from 85 %)", *["calm for 60 s"] * 3]


def test_an_alarm_in_between_begins_the_calm_time_anew() -> None:
    """Also one that the level of the moment is enough for."""
    walk = Walk()
    walk.see(5.0, cpu_percent=75.0)
    walk.calm(CALM_S - 5.0)
    walk.see(1.0, cpu_percent=75.0)

    assert walk.calm(CALM_S - 2.0) is Level.INTENSIVE
    assert walk.calm(4.0) is Level.NORMAL


def test_it_comes_down_to_what_still_is_asked_for() -> None:
    """Critical no more, but a warning: INTENSIVE, for as long as it takes."""
    walk = Walk()
    walk.see(5.0, disk_percent=96.0)
    assert walk.calm(30 * CALM_S, disk_percent=85.0) is Level.INTENSIVE


def test_a_machine_that_slept_was_not_calm_meanwhile() -> None:
    """Hours without a snapshot count nothing."""
    walk = Walk()
    walk.see(5.0, cpu_percent=99.0)
    walk.see(0.5, **QUIET)

    assert walk.see(7200.0, **QUIET) is Level.CRITICAL
    assert walk.calm(CALM_S + 1.0) is Level.INTENSIVE


def test_an_overload_is_told_with_its_beginning_and_its_end() -> None:
    """Each once."""
    walk = Walk()
    for _ in range(8):
        walk.see(5.0, **{**QUIET, "cpu_percent": 96.0})
    walk.calm(3 * CALM_S)

    told = [one for one in walk.told if not isinstance(one, LevelChanged)]
    assert told == [Overloaded("cpu", 96.0, 90.0, 15.0), Relieved("cpu", 10.0, 90.0)]


def test_a_level_that_is_asked_for_holds_at_once_unless_the_host_asks_for_more() -> None:
    """And it is where the monitor comes back to."""
    walk = Walk()
    walk.see(5.0, cpu_percent=99.0)

    first = asked_for(walk.condition, Level.IDLE, walk.at, actor="local:jane")
    assert (first.condition.level, first.condition.base, first.notices) == (Level.CRITICAL, Level.IDLE, ())

    walk.see(0.5, **QUIET)
    second = asked_for(walk.condition, Level.NORMAL, walk.at, reason="the test is over", actor="local:jane")
    assert second.condition.level is Level.NORMAL
    (told,) = second.notices
    assert isinstance(told, LevelChanged)
    assert told.to_event().data == {
        "before": "CRITICAL",
        "after": "NORMAL",
        "base": "NORMAL",
        "reason": "the test is over",
        "figures": {"cpu": 10.0, "memory": 20.0, "disk": 30.0},
        "states": {"cpu": "stable", "memory": "stable", "disk": "stable"},
        "actor": "local:jane",
    }


@given(bases, st.lists(snapshots, max_size=60))
def test_it_never_comes_down_quicker_than_the_calm_time(base: Level, seen: Seen) -> None:
    """Whatever was read, and whenever: after each change a calm time passes before the level sinks, by one."""
    walk = Walk(base)
    for after, figures in seen:
        walk.see(after, **figures)

    for (before_at, before), (at, level) in pairwise(walk.levels):
        if level.rank < before.rank:
            assert at - before_at >= CALM_S
            assert level.rank == before.rank - 1


@given(bases, st.lists(snapshots, max_size=60))
def test_calm_ends_at_the_base(base: Level, seen: Seen) -> None:
    """Any sequence of readings, and then calm: every resource stable, nothing overloaded, each end told."""
    walk = Walk(base)
    for after, figures in seen:
        walk.see(after, **figures)
    walk.calm(5 * CALM_S)

    assert walk.condition.level is base
    assert set(walk.condition.states().values()) == {"stable"}
    begun = [one.resource for one in walk.told if isinstance(one, Overloaded)]
    ended = [one.resource for one in walk.told if isinstance(one, Relieved)]
    assert sorted(begun) == sorted(ended)


@given(bases, st.lists(snapshots, max_size=60))
def test_the_level_is_never_below_what_was_read(base: Level, seen: Seen) -> None:
    """Nor below its base; and each change is told with what was before it."""
    walk = Walk(base)
    for after, figures in seen:
        level = walk.see(after, **figures)
        assert level.rank >= base.rank
        if (figures["cpu_percent"] or 0.0) >= 85.0:
            assert level is Level.CRITICAL
    told = [(one.before, one.after) for one in walk.told if isinstance(one, LevelChanged)]
    levels = [level for _, level in walk.levels]
    assert told == list(pairwise(levels))
