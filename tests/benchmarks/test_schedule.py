"""The result of the schedule benchmark: which targets are met, and that every group can be measured."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks import contenders, schedule, schedule_ours
from benchmarks.schedule_workload import configuration, cron_lines
from config.loading import load
from config.yaml_values import value_of


def test_targets_are_judged_against_peers_and_bounds() -> None:
    """A peer is called by its name, and ours has to be as quick as it."""
    result = schedule.compared(
        {
            "ours": {"next_due_10000_ms": 500.0, "tick_10000_ms": 60.0, "queue_runs_per_s": 120.0},
            "croniter": {"next_due_10000_ms": 1000.0},
            "apscheduler": {"next_due_10000_ms": 400.0},
        },
        {},
        (0.0, 0.0),
    )

    assert {name: met for name, met in result.met.items() if met is not None} == {
        "next_due_10000_ms / croniter": True,
        "next_due_10000_ms / apscheduler": False,
        "tick_10000_ms": False,
        "queue_runs_per_s": True,
    }


def test_both_forms_of_the_configuration_say_the_same_and_are_right(tmp_path: Path) -> None:
    """Every kind of schedule is in it, and each dataset is as people write them."""
    as_json, as_yaml = (configuration(tmp_path, 12, suffix) for suffix in ("json", "yaml"))

    written = json.loads(as_json.read_text())
    assert value_of(as_yaml.read_text(), max_nodes=10_000, max_depth=20) == written
    assert yaml.safe_load(as_yaml.read_text())["datasets"][3]["name"] == "dataset_00003"
    settings = load(as_yaml, environ={}, cwd=tmp_path).settings
    assert {one.schedule.kind for one in settings.datasets if one.schedule} == {"cron", "every", "window"}


def test_the_cron_lines_differ() -> None:
    """One line ten thousand times would be read once."""
    assert len(set(cron_lines(schedule_ours.MANY))) == schedule_ours.MANY


def test_ours_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure is a positive number; a run that did not succeed would be an error."""
    with contenders.contenders("schedule", tmp_path) as processes:
        for group in ("queue", "backfill"):
            told = contenders.ask(processes["ours"], group, 0.02, tmp_path / "ours")
            assert all(value > 0 for values in told.values() for value in values.values() if value is not None), told
            assert told
    monkeypatch.setattr(schedule_ours, "MANY", 100)
    told = {**schedule_ours.due(0.0), **schedule_ours.tick(tmp_path, 0.0), **schedule_ours.promises(tmp_path, 0.0)}
    assert {"next_due_10000_ms", "tick_100_ms", "tick_growth", "promises_10000_ms"} <= told.keys()
