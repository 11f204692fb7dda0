"""A leak of memory or of open files is told before it ends in a crash; what comes and goes is none."""

from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from monitoring.progressive import Level, Snapshot
from monitoring.progressive.filling import OVER_S
from monitoring.progressive.keeping import Told
from monitoring.progressive.running_out import Replenished, RunningOut, RunsOut
from tests.integration.installation import Installation
from tests.monitoring.progressive.readings import START

EACH_S = 15.0


def heard(figure: str, *values: float) -> list[Any]:
    """What is told of a figure, every quarter of a minute one."""
    found: list[Any] = []
    ahead = RunningOut(found.append)
    feed(ahead, figure, *values)
    return found


def feed(ahead: RunningOut, figure: str, *values: float, begin: int = 0) -> None:
    for place, value in enumerate(values, start=begin):
        figures: dict[str, Any] = {figure: int(value)}
        ahead.take(Snapshot(START, EACH_S * place, Level.NORMAL, EACH_S, **figures))


def leaking(left: float, per_minute: float, minutes: int) -> list[float]:
    """With a ripple, as real figures have it."""
    count = int(minutes * 60 / EACH_S)
    return [left - per_minute * EACH_S / 60 * n - left * 1e-4 * (n % 3) for n in range(count)]


@pytest.mark.parametrize(
    ("figure", "resource", "left", "words"),
    [
        ("memory_available_bytes", "memory", 8e9, "the memory of this machine is used up in about"),
        ("own_files_free", "files", 100_000, "this process may open no more files in about"),
    ],
    ids=["memory", "open files"],
)
def test_a_leak_is_told_with_when_it_ends(figure: str, resource: str, left: float, words: str) -> None:
    """A hundredth a minute: in an hour and a half from the middle of the hour that was looked at."""
    (first, *_) = heard(figure, *leaking(left, left / 100, 60))

    assert isinstance(first, RunsOut)
    event = first.to_event()
    assert (event.type, event.subject) == ("host.running_out", resource)
    assert event.data["reason"].startswith(words)
    assert event.data["per_hour"] == pytest.approx(0.6 * left, rel=0.1)
    assert event.data["earliest_hours"] <= event.data["hours_left"] <= event.data["latest_hours"]
    assert 0.2 < event.data["hours_left"] < 1.7


def test_it_is_told_again_when_it_is_near() -> None:
    """Each stage once."""
    told = heard("memory_available_bytes", *leaking(8e9, 8e9 / 240, 200))

    assert [type(one) for one in told] == [RunsOut] * len(told)
    hours = [one.hours_left for one in told]
    assert len(hours) == 2
    assert 1.0 < hours[0] <= 6.0
    assert hours[1] <= 1.0


@pytest.mark.parametrize(
    "values",
    [
        [8e9] * 240,
        [8e9 - 5e9 * (n % 8) / 8 for n in range(240)],
        [8e9 - 1e9 * (n > 120) for n in range(240)],
        [8e9 + 1e7 * n for n in range(240)],
        leaking(8e9, 8e9 / 100, 4),
    ],
    ids=["steady", "taken and given back", "a step", "more and more", "a few minutes"],
)
def test_what_is_no_leak_is_not_told(values: list[float]) -> None:
    """Work takes memory; that is what it is there for."""
    assert heard("memory_available_bytes", *values) == []


def test_its_end_is_told_once_it_was_well_for_a_while() -> None:
    """Whoever restarted what leaked hears that it is over."""
    found: list[Any] = []
    ahead = RunningOut(found.append)
    leak = leaking(8e9, 8e9 / 100, 30)
    feed(ahead, "memory_available_bytes", *leak)
    assert [type(one) for one in found] == [RunsOut]

    feed(ahead, "memory_available_bytes", *[9e9] * int((3600 + 2 * OVER_S) / EACH_S), begin=len(leak))

    assert [type(one) for one in found] == [RunsOut, Replenished]
    assert found[-1].to_event().subject == "memory"


def test_what_a_watch_that_is_over_has_told_is_taken_up(tmp_path: Path) -> None:
    """From the log: its end is told by the next one, and it is not told a second time."""
    installation = Installation(tmp_path)
    installation.configure()
    with installation.system() as system:
        assert _told(system) == frozenset()
        system.events.append([RunsOut("memory", 3.0, 2.0, 4.0, 1e9, 3e8).to_event()])
        assert _told(system) == {"memory"}
        system.events.append([Replenished("memory").to_event()])
        assert _told(system) == frozenset()

    found: list[Any] = []
    ahead = RunningOut(found.append)
    ahead.take_up({"memory"})
    feed(ahead, "memory_available_bytes", *[8e9] * int(2 * OVER_S / EACH_S))
    assert [type(one) for one in found] == [Replenished]


def _told(system: IntegratedSystem) -> frozenset[str]:
    return Told(system.events).running_out
