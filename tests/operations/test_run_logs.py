"""What was logged for a run, read back from the log files."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.logs import start_logging, stop_logging
from operations.run import run
from operations.run_logs import lines_of
from tests.integration.installation import Installation


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    made = Installation(tmp_path)
    broken = {"kind": "simulated", "script": [{"after": "0s", "do": "garbage"}]}
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, {"name": "broken", "collect": broken})
    with made.system() as system:
        yield system


def _line(run_id: str, n: int, time: str = "2026-11-22T03:00:00.000Z") -> str:
    return json.dumps({"time": time, "level": "INFO", "component": "x", "event": f"line.{n}", "run_id": run_id, "n": n})


def test_the_lines_of_a_run_are_found_and_no_others(system: IntegratedSystem) -> None:
    """As the program itself wrote them."""
    start_logging(system)
    try:
        first, second = run(system, Actor("tester")), run(system, Actor("tester"), fresh=True)
    finally:
        stop_logging()

    found = lines_of(system, first.run_id)

    assert found.kept
    assert "run.finished" in {line.event for line in found.lines}
    assert all(second.run_id not in str(line.fields) for line in found.lines)


def test_live_and_rotated_files_are_read_in_the_order_of_their_lines(system: IntegratedSystem) -> None:
    """Packed or not; a line that was cut off is passed over; of many lines the newest are told."""
    folder = system.state_dir / "logs"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(f'{_line("r", 3, "2026-11-22T03:00:03.000Z")}\n{_line("other", 9)}\n{{"run_id": "r')
    (folder / "a-20261122T030001.000000Z.jsonl").write_text(_line("r", 2, "2026-11-22T03:00:02.000Z"))
    (folder / "b-20261122T030001.000000Z.jsonl.gz").write_bytes(
        gzip.compress(_line("r", 1, "2026-11-22T03:00:01.000Z").encode())
    )
    (folder / "a.log").write_text("run_id=r")

    whole, newest = lines_of(system, "r"), lines_of(system, "r", limit=2)

    assert [line.event for line in whole.lines] == ["line.1", "line.2", "line.3"]
    assert whole.lines[0].fields == {"n": 1}
    assert ([line.event for line in newest.lines], newest.more) == (["line.2", "line.3"], True)


def test_nothing_was_logged_and_no_folder_is_there(system: IntegratedSystem) -> None:
    """An installation that has never run anything."""
    assert lines_of(system, "nobody").lines == ()
