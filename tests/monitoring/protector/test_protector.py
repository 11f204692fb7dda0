"""The protector over real processes: a runaway in scope, its twin beside it, and only the figures are the test's."""

import os
from pathlib import Path

import pytest

from monitoring.protector.immunity import Scope
from monitoring.protector.protector import EVERY_S, ResourceProtector
from tests.monitoring.protector.hogs import CPU, DEAF, DISK, HOG, MEMORY, TWIN, Hog, Log, Watched, hogs, sample
from utils.clock import ManualClock


def use(both: tuple[Hog, Hog]) -> None:
    """Both use their share once more, and rest."""
    for one in both:
        one.goes_on()
    for one in both:
        assert one.hears() == "used"


def test_a_runaway_gets_the_lowest_priority_and_is_ended_only_when_that_does_not_help() -> None:
    """At the third look a mild measure, later SIGTERM; the twin, just as greedy, is not touched; one event each."""
    watched = Watched().begin()
    with hogs(CPU) as both:
        runaway, twin = both
        for _ in range(3):
            use(both)
            watched.look(cpu_percent=100.0, pressure_cpu=50.0)
        assert watched.log.told() == [("protector.acted", "lower")]
        assert os.getpriority(os.PRIO_PROCESS, runaway.pid) == 19
        assert os.getpriority(os.PRIO_PROCESS, twin.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        for _ in range(3):
            use(both)
            watched.look(cpu_percent=100.0, pressure_cpu=50.0)
        assert runaway.process.wait(timeout=120) == -15
        watched.look(looks=4, cpu_percent=20.0)
        assert twin.lives
    assert watched.log.told("protector.acted") == [("protector.acted", "lower"), ("protector.acted", "terminate")]
    lowered, ended = (one.data for one in watched.log.events if one.type == "protector.acted")
    assert ended["process"]["pid"] == lowered["process"]["pid"] == runaway.pid
    assert ended["process"]["name"] == HOG
    assert (ended["before"]["cpu_percent"], ended["before"]["pressure_cpu"], ended["limit"]) == (100.0, 50.0, 75.0)
    settled = {one.data["action"]: one.data["fell"] for one in watched.log.events if one.type == "protector.settled"}
    assert settled == {"lower": False, "terminate": True}
    assert watched.log.told("protector.relieved") == [("protector.relieved", None)]


def test_who_holds_too_much_memory_is_told_to_end() -> None:
    """A lower priority frees no memory: SIGTERM at the third look, and the twin keeps what it has."""
    watched = Watched().begin()
    with hogs(MEMORY) as (runaway, twin):
        watched.look(looks=3, memory_percent=95.0)
        assert runaway.process.wait(timeout=120) == -15
        assert twin.lives
        watched.look(looks=3, memory_percent=40.0)
    acted, settled = watched.log.events[:2]
    assert (acted.type, acted.data["action"], acted.subject) == ("protector.acted", "terminate", "memory")
    assert acted.data["process"]["rss_bytes"] > 64 * 2**20
    assert (settled.type, settled.data["fell"], settled.data["after"]["memory_percent"]) == (
        "protector.settled",
        True,
        40.0,
    )


def test_who_fills_the_disk_is_told_to_end(on_disk: Path) -> None:
    """Who wrote most to this very disk since the look before; what can be had again had gone already."""
    watched = Watched().begin(disk=on_disk)
    with hogs(DISK, on_disk / "filler") as both:
        for _ in range(3):
            for one in both:
                one.goes_on()
                assert one.hears() == "used"
            watched.look(disk_percent=97.0)
        assert both[0].process.wait(timeout=120) == -15
        assert both[1].lives
    (acted,) = watched.log.events
    assert acted.data["process"]["written_bytes_s"] == pytest.approx(2_000_000.0, rel=0.1)
    assert "97 %" in acted.data["words"]


def test_who_does_not_hear_is_killed_after_its_grace() -> None:
    """SIGKILL comes after ten seconds, never before, as an action of its own."""
    watched = Watched().begin()
    with hogs(MEMORY, before=DEAF) as (runaway, twin):
        watched.look(looks=3 + 4, memory_percent=95.0)
        assert runaway.lives
        watched.look(memory_percent=95.0)
        assert runaway.process.wait(timeout=120) == -9
        assert twin.lives
        watched.look(looks=4, memory_percent=95.0)
    assert watched.log.told("protector.acted") == [("protector.acted", "terminate"), ("protector.acted", "kill")]
    (settled,) = (one.data for one in watched.log.events if one.type == "protector.settled")
    assert (settled["action"], settled["fell"]) == ("kill", False)


def test_a_dry_run_tells_and_touches_nobody() -> None:
    """The same words, marked; the runaway keeps its priority and its life."""
    watched = Watched().begin(dry_run=True)
    with hogs(MEMORY) as (runaway, _):
        watched.look(looks=30, memory_percent=95.0)
        assert runaway.lives
        assert os.getpriority(os.PRIO_PROCESS, runaway.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    (acted,) = (one.data for one in watched.log.events if one.type == "protector.acted")
    assert acted["action"] == "terminate"
    assert acted["words"].startswith("dry run: memory at 95 %")


def test_dry_run_and_our_own_children_are_the_defaults() -> None:
    """Who builds one without a word has one that touches nobody."""
    log = Log()
    clock = ManualClock()
    protector = ResourceProtector(record=log, clock=clock)
    assert protector.dry_run
    for _ in range(40):
        protector.step(sample(memory_percent=99.0))
        clock.advance(EVERY_S)
    assert log.told() == [("protector.gave_up", None)]


def test_nobody_is_ended_without_a_word_in_the_log() -> None:
    """A log that cannot be written: no priority is lowered and nobody ended, until it can."""
    watched = Watched(Log(full=True)).begin()
    with hogs(MEMORY) as (runaway, _):
        watched.look(looks=9, memory_percent=95.0)
        assert runaway.lives
        watched.log.full = False
        watched.look(looks=3, memory_percent=95.0)
        assert runaway.process.wait(timeout=120) == -15


def test_after_the_most_of_an_hour_a_person_is_called() -> None:
    """Those ended before a restart count, too; it is told once."""
    clock = ManualClock()
    now = clock.time()
    watched = Watched(clock=clock).begin(earlier=[now - 4000.0, now - 3000.0, now - 1000.0, now - 500.0])
    with hogs(MEMORY) as (runaway, _):
        watched.look(looks=36, memory_percent=95.0)
        assert runaway.lives
        assert watched.log.told() == [("protector.gave_up", None)]
        assert "3 processes were ended in an hour" in watched.log.events[0].data["why"]
        watched.clock.advance(700.0)  # two of the last hour are left
        watched.look(looks=3, memory_percent=95.0)
        assert runaway.process.wait(timeout=120) == -15


def test_between_two_endings_there_is_a_pause() -> None:
    """The second runaway lives until the cooldown of the first is over."""
    watched = Watched().begin(scope=Scope(names=frozenset({HOG, TWIN})), cooldown_s=60.0)
    with hogs(MEMORY) as both:
        watched.look(looks=3, memory_percent=95.0)
        for one in both:
            if not one.lives or one.process.pid == watched.log.events[0].data["process"]["pid"]:
                one.process.wait(timeout=120)
        watched.look(looks=27, memory_percent=95.0)
        assert [one.lives for one in both].count(True) == 1
        watched.look(looks=6, memory_percent=95.0)
        assert [one.process.wait(timeout=120) for one in both] == [-15, -15]


def test_nobody_uses_enough_and_a_person_is_called_once() -> None:
    """The host suffocates of what may not be touched: the words say so, with the figure, and again after relief."""
    watched = Watched().begin(scope=Scope(names=frozenset({"nobody"})))
    watched.look(looks=30, memory_percent=96.0)
    watched.look(looks=1, memory_percent=79.0)
    watched.look(looks=30, memory_percent=96.0)
    assert watched.log.told() == []  # neither of the two minutes was a whole one
    watched.look(looks=3)
    for _ in range(2):
        watched.look(looks=36, memory_percent=96.0)
        watched.look(looks=3, memory_percent=10.0)
    assert [kind for kind, _ in watched.log.told()] == ["protector.gave_up", "protector.relieved"] * 2
    assert watched.log.events[0].data["words"] == (
        "memory is at 96 % and stays there: no process that may be touched uses much of it"
    )


class Work:
    """Our own work, which notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def shed(self, *, dry_run: bool) -> bool:
        self.asked.append("shed")
        return True

    def pause(self, *, dry_run: bool) -> list[str]:
        self.asked.append("pause")
        return ["nightly"]

    def resume(self) -> None:
        self.asked.append("resume")


def test_our_own_work_is_held_back_before_anybody_is_ended_and_goes_on_after_all_is_calm() -> None:
    """Memory and CPU are short; it goes on only once neither is."""
    work = Work()
    watched = Watched().begin(own_work=work, scope=Scope(names=frozenset({"nobody"})))
    watched.look(looks=3, memory_percent=95.0)
    assert work.asked == ["pause"]
    assert watched.log.events[0].data["datasets"] == ["nightly"]
    watched.look(looks=3, memory_percent=95.0, cpu_percent=99.0)
    watched.look(looks=5, memory_percent=10.0, cpu_percent=99.0)
    assert work.asked == ["pause"]
    watched.look(looks=3)
    assert work.asked == ["pause", "resume"]


def test_a_full_disk_is_shed_first() -> None:
    """Then, if it stays full, datasets wait."""
    work = Work()
    watched = Watched().begin(own_work=work, scope=Scope(names=frozenset({"nobody"})))
    watched.look(looks=3, disk_percent=85.0)
    assert work.asked == ["shed"]
    watched.look(looks=9, disk_percent=85.0)
    assert work.asked == ["shed"]
    watched.look(looks=3, disk_percent=97.0)
    assert work.asked == ["shed", "pause"]
    watched.protector.close()
    assert work.asked == ["shed", "pause", "resume"]


def test_looks_that_come_too_early_count_for_nothing() -> None:
    """Who samples ten times a second has looked twice in three seconds."""
    watched = Watched().begin(scope=Scope(names=frozenset({"nobody"})))
    for _ in range(30):
        wait = watched.protector.step(sample(memory_percent=99.0))
        assert 0.0 < wait <= EVERY_S
        watched.clock.advance(0.1)
    assert watched.log.told() == []
