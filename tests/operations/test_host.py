"""This machine for who looks from outside, and what is asked of who watches it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, NotAllowedError, UsageError
from operations.asked import EVERY_S, Asked
from operations.host import LEVEL_ASKED, ask_level, ask_mode, host_now
from operations.monitor import HostWatch
from operations.protecting import Protecting
from tests.integration.installation import Installation
from utils.clock import ManualClock

ANA = Actor("ana")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, protector={"enabled": True})
    return made


@pytest.fixture
def system(installation: Installation, clock: ManualClock) -> Iterator[IntegratedSystem]:
    with installation.system(clock=clock) as made:
        yield made


@pytest.fixture
def other(installation: Installation, clock: ManualClock, system: IntegratedSystem) -> Iterator[IntegratedSystem]:
    """Another process over the same state."""
    with installation.system(clock=clock) as made:
        yield made


def test_the_machine_is_told_though_nobody_watches_it(system: IntegratedSystem) -> None:
    """A sample of now; and that there is no level."""
    now = host_now(system)

    assert 0.0 <= now.sample["memory_percent"] <= 100.0
    assert now.level is None
    assert (now.mode, now.dry_run) == ("dev", True)
    assert len(now.garbage) == 3


def test_a_level_that_is_asked_for_in_one_process_holds_in_the_one_that_watches(
    system: IntegratedSystem, other: IntegratedSystem, clock: ManualClock
) -> None:
    """It comes back to that one; who asked is in the log."""
    watch = HostWatch(system)
    for _ in range(3):
        clock.advance(watch.step())
    ask_level(other, ANA, "intensive")
    clock.advance(EVERY_S)
    watch.step()
    level = system.progressive.report().base
    watch.close()

    (asked,) = system.events.read(type=LEVEL_ASKED)
    assert level == "INTENSIVE"
    assert asked.data == {"level": "INTENSIVE", "actor": "ana"}


def test_a_mode_that_is_asked_for_is_the_protector_s(
    system: IntegratedSystem, other: IntegratedSystem, clock: ManualClock
) -> None:
    """Its limits are those of the mode; what it tells names it."""
    protecting = Protecting(system)
    clock.advance(protecting.step())
    ask_mode(other, ANA, "prod")
    clock.advance(EVERY_S)
    protecting.step()
    protector = protecting._protector
    protecting.close()

    assert protector is not None
    assert (protector.mode, protector.limits.cpu) == ("prod", 90.0)
    assert host_now(other).mode == "prod"


def test_only_what_is_asked_for_later_is_news(system: IntegratedSystem, clock: ManualClock) -> None:
    """What was asked of a process before is not done again by the next."""
    ask_level(system, ANA, "IDLE")
    asked = Asked(system, LEVEL_ASKED)

    before = asked.news()
    ask_level(system, ANA, "NORMAL")
    at_once = asked.news()
    clock.advance(EVERY_S)
    then = asked.news()
    clock.advance(EVERY_S)

    assert (before, at_once, asked.news()) == (None, None, None)
    assert then is not None
    assert then["level"] == "NORMAL"


def test_what_does_not_exist_is_refused_in_words(system: IntegratedSystem) -> None:
    """And a viewer may ask for nothing."""
    with pytest.raises(UsageError, match="level: there is no 'HIGH'"):
        ask_level(system, ANA, "HIGH")
    with pytest.raises(UsageError, match="mode: there is no 'live'"):
        ask_mode(system, ANA, "live")
    with pytest.raises(NotAllowedError):
        ask_level(system, Actor("eve", "viewer"), "IDLE")


def test_a_protector_that_is_off_stays_off(tmp_path: Path) -> None:
    """The configuration switches it on, not a page."""
    made = Installation(tmp_path)
    made.configure({"name": "orders", "collect": {"kind": "simulated"}})

    with made.system() as system, pytest.raises(UsageError, match="the protector is off"):
        ask_mode(system, ANA, "prod")
