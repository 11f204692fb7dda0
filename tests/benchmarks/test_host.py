"""The result of the host benchmark: which targets are met, and that each contender can be watched."""

from pathlib import Path

import pytest

from benchmarks import host, host_samplers
from benchmarks.measure import BenchmarkError


def test_targets_are_judged_against_peers_and_bounds() -> None:
    """At most half a percent of a core, and no more than Glances takes."""
    result = host.compared(
        {
            "ours": {"at_1s_core_percent": 0.4, "monitor_mb": 61.0, "idle_core_percent": 0.01},
            "glances": {"at_1s_core_percent": 0.3},
        },
        {},
        (0.0, 0.0),
    )

    assert {name: met for name, met in result.met.items() if met is not None} == {
        "at_1s_core_percent": True,
        "at_1s_core_percent / glances": False,
        "idle_core_percent": True,
        "monitor_mb": False,
    }


@pytest.mark.parametrize("kind", list(host_samplers.KINDS))
def test_each_kind_samples(kind: str) -> None:
    """Again and again."""
    sample = host_samplers.KINDS[kind]()

    for _ in range(2):
        sample()


def test_a_monitor_that_left_its_level_is_not_measured() -> None:
    """Its cost would be that of another level."""
    assert not host.left_its_level("00:42:50 IDLE, cpu 96 %, memory 5 %\n", "IDLE")
    assert host.left_its_level("00:42:50 IDLE, cpu 96 %\n00:42:51 level CRITICAL (was IDLE)\n", "IDLE")


def test_a_watcher_is_seen_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its processor time and memory are figures; one that ended is an error, not a cheap watcher."""
    busy = ("sh", "-c", "while :; do :; done")
    monkeypatch.setattr(host, "WARM_UP_S", 0.1)
    monkeypatch.setattr(host, "contenders", lambda _: {("ours", "at_1s"): busy})

    told = host.watched(tmp_path, 0.3, 1)

    assert told["ours"]["at_1s_core_percent"] is not None
    assert told["ours"]["at_1s_core_percent"] > 1.0
    assert (told["ours"]["mb"] or 0.0) > 0.1
    monkeypatch.setattr(host, "contenders", lambda _: {("ours", "at_1s"): ("false",)})
    with pytest.raises(BenchmarkError, match="ended"):
        host.watched(tmp_path, 0.3, 1)
