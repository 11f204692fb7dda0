"""The benchmark of logs: every contender's lines are counted, and targets are judged against peers and bounds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import logs, logs_ours, logs_work
from utils.logger import configure


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs_work, "LINES", 300)
    monkeypatch.setattr(logs_ours, "SIZE", 10_000)
    yield
    configure("WARNING", "off")


def test_ours_writes_every_line_once_and_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rotations; the floor beside it; text and JSON together."""
    monkeypatch.setattr("sys.argv", ["logs_ours", str(tmp_path)])

    told = logs_ours.lines(0.0)

    assert set(told["json_lines_per_s"]) == {"ours", "floor"}
    assert all(value is not None and value > 0.0 for figures in told.values() for value in figures.values())
    assert set(told) >= {target.figure for target in logs.TARGETS}


def test_a_line_that_is_missing_or_twice_is_found(tmp_path: Path) -> None:
    """Figures of a contender that loses lines would be no figures."""
    logs_ours.ours(tmp_path)
    live = tmp_path / "bench.jsonl"
    lines = live.read_bytes().splitlines(keepends=True)
    for wrong in (lines[1:], [*lines, lines[0]]):
        live.write_bytes(b"".join(wrong))
        with pytest.raises(AssertionError, match="lines"):
            logs_work.check(tmp_path)


def test_targets_are_judged_against_peers_and_bounds() -> None:
    """Ours has to be ahead of each, and quick enough by itself."""
    result = logs.compared(
        {"ours": {"json_lines_per_s": 110_000.0, "worst_ms": 6.0}, "stdlib": {"json_lines_per_s": 120_000.0}},
        {},
        (0.0, 0.0),
    )

    assert {name: met for name, met in result.met.items() if met is not None} == {
        "json_lines_per_s": True,
        "json_lines_per_s / stdlib": False,
        "worst_ms": False,
    }
