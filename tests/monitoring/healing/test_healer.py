"""The auto-healer: what it treats, how often, and whether it knows that it helped."""

from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.healing.healer import EVERY_S, AutoHealer, UnknownAction
from monitoring.healing.treatment import Healing, Policy, Request, Treated
from monitoring.healing.troubles import SUSTAINED, Course, Finding, course
from tests.monitoring.protector.hogs import Log, sample
from utils.clock import ManualClock
from utils.host import HostSample


class Host:
    """A host whose figures a test sets; treatments of the test may lower them."""

    def __init__(self, **figures: float) -> None:
        self.figures: dict[str, Any] = {"memory_percent": 20.0, "disk_percent": 30.0, "own_rss_bytes": 10**8} | figures

    def measure(self) -> HostSample:
        return sample(**self.figures)

    def lowers(self, name: str, points: float) -> Any:
        """A treatment that lowers a figure."""

        def treat(_: Request) -> None:
            self.figures[name] -= points

        return treat


class Treating:
    """A healer over such a host, with a clock and a log of the test's."""

    def __init__(self, host: Host | None = None, **more: Any) -> None:
        self.host, self.log, self.clock = host or Host(), Log(), ManualClock()
        self.healer = AutoHealer(measure=self.host.measure, record=self.log, clock=self.clock, **more)
        self.healed: list[Healing] = []
        self.healer.on_heal(self.healed.append)

    def look(self, looks: int = 1) -> None:
        for _ in range(looks):
            self.healer.step(self.host.measure())
            self.clock.advance(EVERY_S)

    @property
    def taken(self) -> list[str]:
        return [one.action for one in self.healed]


def test_registered_caches_are_emptied() -> None:
    """A dict, a cached function, and anything that can be called."""

    @lru_cache
    def squared(number: int) -> int:
        return number * number

    squared(3)
    table, called = {"a": 1}, []
    treating = Treating()
    for name, cache in (("table", table), ("squares", squared), ("mine", lambda: called.append(1))):
        treating.healer.register_cache(name, cache)
    found = treating.healer.heal("clean_caches")
    assert (found.status, table, squared.cache_info().currsize, called) == ("done", {}, 0, [1])
    assert found.detail == "table, squares, mine: emptied"
    with pytest.raises(TypeError, match="neither `clear`"):
        treating.healer.register_cache("none", 7)


def test_a_treatment_is_an_event_before_and_after_with_the_figures() -> None:
    """What called for it, the figures, what it did, whether it helped, and who it was."""
    host = Host(memory_percent=80.0)
    treating = Treating(host)
    treating.healer.register_handler("custom", host.lowers("memory_percent", 10.0))
    found = treating.healer.heal("custom", why="memory at 80 %", trouble="memory")
    assert found.helped
    assert treating.healer.history == (found,)
    started, finished = treating.log.events
    assert (started.type, finished.type) == ("healing.started", "healing.finished")
    assert started.data["before"]["memory_percent"] == 80.0
    assert finished.data["after"]["memory_percent"] == 70.0
    assert (finished.data["helped"], finished.data["why"], finished.data["actor"]) == (True, "memory at 80 %", "healer")


@pytest.mark.parametrize(
    ("gives", "helped", "count"),
    [
        pytest.param(Treated(3, 100, "gone", helped=True), True, 3, id="all that there is to say"),
        pytest.param(False, False, 0, id="whether it helped"),
        pytest.param(7, None, 7, id="how many went"),
        pytest.param(None, None, 0, id="nothing"),
    ],
)
def test_a_handler_of_yours_may_give(gives: Any, helped: bool | None, count: int) -> None:
    """The simplest handler returns nothing."""
    treating = Treating()
    treating.healer.register_handler("restart_worker", lambda _: cast("Any", gives))
    found = treating.healer.heal("restart_worker")
    assert (found.status, found.helped, found.count) == ("done", helped, count)


def test_a_treatment_that_raises_is_told_and_hinders_nobody() -> None:
    """Its error is in the event; it has not helped; a callback that raises hinders the others as little."""

    def broken(_: Request) -> None:
        raise RuntimeError("no such worker")

    def rude(_: Healing) -> None:
        raise RuntimeError("not now")

    treating = Treating()
    treating.healer.on_heal(rude)
    after: list[Healing] = []
    treating.healer.on_heal(after.append)
    treating.healer.register_handler("custom", broken)
    found = treating.healer.heal("custom")
    assert (found.status, found.helped, found.error) == ("failed", False, "RuntimeError: no such worker")
    assert not found
    assert after == [found]
    assert treating.log.events[-1].data["error"] == found.error


def test_an_action_rests_and_is_taken_so_often_an_hour() -> None:
    """Within the cooldown, and beyond the most of an hour, it is skipped, with the reason and without an event."""
    treating = Treating(policies={"custom": Policy(cooldown_s=60.0, per_hour=2)})
    treating.healer.register_handler("custom", lambda _: None)
    first = treating.healer.heal("custom")
    assert treating.healer.heal("custom").detail == "it was taken a short time ago, and rests for 60 s more"
    treating.clock.advance(60.0)
    treating.clock.set_back(86_400.0)  # a clock that is set changes nothing
    assert treating.healer.heal("custom").status == first.status == "done"
    treating.clock.advance(60.0)
    assert "2 times in an hour" in treating.healer.heal("custom").detail
    assert len(treating.log.events) == 4
    treating.clock.advance(3600.0)
    assert treating.healer.heal("custom").status == "done"


def test_an_unknown_action_names_the_nearest() -> None:
    """A typing mistake is no silence."""
    with pytest.raises(UnknownAction, match="did you mean `clean_caches`"):
        Treating().healer.heal("clean_cache")


def test_memory_that_stays_short_is_treated_rung_by_rung_and_then_a_person_is_called() -> None:
    """Each treatment once, three looks apart; what has not helped is not done again; relief is told as well."""
    host = Host(memory_percent=95.0)
    treating = Treating(host)
    table = {"a": 1}
    treating.healer.register_cache("table", table)
    treating.look(SUSTAINED - 1)
    assert treating.taken == []
    treating.look(1 + 20 * SUSTAINED)
    assert treating.taken == ["collect_garbage", "clean_caches"]
    assert table == {}
    assert [one.helped for one in treating.healed] == [False, False]
    (gave_up,) = (one for one in treating.log.events if one.type == "healing.gave_up")
    assert gave_up.data["words"].startswith("memory at 95 % (limit 75 %): clean_caches, collect_garbage tried")
    host.figures["memory_percent"] = 50.0
    treating.look(SUSTAINED)
    assert treating.log.events[-1].type == "healing.recovered"


def test_a_spike_is_not_treated() -> None:
    """Two looks above and one below, again and again."""
    treating = Treating()
    for _ in range(10):
        for value in (99.0, 99.0, 10.0):
            treating.host.figures["memory_percent"] = value
            treating.look()
    assert treating.taken == []


def test_a_disk_above_its_warning_keeps_what_is_in_its_caches(tmp_path: Path) -> None:
    """What has expired goes; the rest only once it is critical: a provider would be asked again for all of it."""

    class Purging(dict[str, int]):
        def purge(self) -> int:
            return 3

    on_disk, in_memory = Purging(a=1), {"b": 2}
    old = tmp_path / "old"
    old.write_bytes(b"x" * 4096)
    host = Host(disk_percent=85.0)
    treating = Treating(host, temporary=[tmp_path])
    treating.clock.set_forward(10**9)
    treating.healer.register_cache("disk", on_disk, holds="disk")
    treating.healer.register_cache("memory", in_memory)
    treating.look(9)
    assert treating.taken == ["clean_temporary", "clean_caches"]
    assert (treating.healed[0].count, treating.healed[0].freed_bytes, old.exists()) == (1, 4096, False)
    assert (on_disk, treating.healed[1].count) == ({"a": 1}, 3)
    host.figures["disk_percent"] = 96.0
    treating.clock.advance(600.0)
    treating.look(6)
    assert (on_disk, in_memory) == ({}, {"b": 2})


def test_a_handler_for_a_trouble_comes_after_those_that_are_built_in() -> None:
    """And may replace one of them."""
    host = Host(memory_percent=80.0)
    treating = Treating(host)
    treating.healer.register_handler("collect_garbage", lambda _: None)
    treating.healer.register_handler("drop_sessions", host.lowers("memory_percent", 40.0), when="memory")
    treating.look(12)
    assert treating.taken == ["collect_garbage", "clean_caches", "drop_sessions"]
    assert treating.healed[-1].helped


def test_a_component_is_started_anew_and_looked_at() -> None:
    """It has helped when the component says that it is well."""
    treating = Treating(policies={"restart_component": Policy(cooldown_s=0.0)})
    well = [False]
    treating.healer.register_component("api", lambda: well.__setitem__(0, True), is_well=lambda: well[0])
    treating.healer.register_component("page", lambda: None, is_well=lambda: False)
    assert treating.healer.heal("restart_component", subject="api").helped
    assert treating.healer.heal("restart_component", subject="page").helped is False
    assert "did you mean `api`" in treating.healer.heal("restart_component", subject="apis").error
    assert treating.log.events[-1].subject == "apis"


def test_a_dry_run_does_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    """For every action that is built in; whether it helps nobody can know."""
    table = {"a": 1}
    old = tmp_path / "old"
    old.write_bytes(b"x" * 4096)
    names = ("collect_garbage", "clean_caches", "clean_temporary", "reap_zombies", "restart_component")
    treating = Treating(policies={name: Policy(dry_run=True) for name in names}, temporary=[tmp_path])
    treating.clock.set_forward(10**9)
    treating.healer.register_cache("table", table)
    treating.healer.register_component("api", table.clear)
    found = [treating.healer.heal(name, subject="api" * (name == "restart_component")) for name in names]
    assert [(one.status, one.dry_run, one.helped) for one in found] == [("done", True, None)] * 5
    assert all("would" in one.detail for one in found)
    assert (found[2].freed_bytes, old.exists(), table) == (4096, True, {"a": 1})


def test_a_log_that_cannot_be_written_hinders_no_treatment() -> None:
    """A full disk is one of the things that are treated."""
    treating = Treating(Host(disk_percent=99.0))
    treating.log.full = True
    table = {"a": 1}
    treating.healer.register_cache("table", table, holds="disk")
    treating.look(9)
    assert table == {}


def test_looks_that_come_too_early_count_for_nothing() -> None:
    """Who samples twice a second has looked once in ten seconds."""
    treating = Treating(Host(memory_percent=99.0))
    for _ in range(36):
        assert 0.0 < treating.healer.step(treating.host.measure()) <= EVERY_S
        treating.clock.advance(0.5)
    assert treating.taken == []


findings = st.builds(Finding, st.sampled_from([True, False, None]), st.booleans())


@given(st.lists(findings, max_size=80))
def test_no_treatment_is_taken_twice_in_one_trouble_unless_it_got_worse(found: list[Finding]) -> None:
    """Whatever the looks say: at most once as a warning and once as critical, three looks of trouble before each."""
    at, looks = Course(), 0
    tried: list[tuple[str, bool]] = []
    for one in found:
        step = course(at, one, ("a", "b"))
        at = step.course
        if one.there is not None:
            looks = looks + 1 if one.there else 0
        if at.calm >= SUSTAINED:
            tried = []
        if step.action is not None:
            assert looks >= SUSTAINED
            tried.append((step.action, one.critical))
            assert len(tried) == len(set(tried))
        assert not (step.call and step.action)
