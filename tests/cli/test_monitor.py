"""The command `monitor`: once, as lines, as JSON lines, as a table on a terminal; until it is stopped."""

import io
import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from cli import monitor_commands
from cli.command import Context
from operations.monitor import HostWatch
from tests.integration.installation import Installation
from tests.monitoring.progressive.readings import Host
from utils.clock import ManualClock

PATIENCE_S = 120.0


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(monitor={"thresholds": {"cpu": [100, 100]}}, logging={"console": False})
    return made


def test_once_is_one_document(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """The snapshot and the report."""
    assert installation.typed("monitor", "--once", "--json") == 0

    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"snapshot", "report"}
    assert 0.0 < found["snapshot"]["memory_percent"] <= 100.0
    assert set(found["report"]["trends"]["memory"]) == {"mean", "per_hour"}


def test_once_is_a_table_for_people(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """The three resources with their states first."""
    assert installation.typed("monitor", "--once") == 0

    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["host", "now", "state"]
    assert [line.split()[0] for line in lines[:3]] == ["cpu", "memory", "disk"]


def test_a_level_that_is_none_is_wrong_usage(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the names that there are."""
    assert installation.typed("monitor", "--level", "lazy") == 2
    assert "choose one of IDLE, NORMAL, INTENSIVE, CRITICAL" in capsys.readouterr().err


def shown(installation: Installation, context: Context, *, steps: int) -> None:
    """Some looks at a machine of the test's, shown as the command shows them."""
    clock = ManualClock()
    with installation.system(clock) as system:
        system.__dict__["host"] = Host(clock)
        context._system = system
        with monitor_commands._shown(context) as show:
            service = HostWatch(system, level="INTENSIVE", told=show)
            for _ in range(steps + 1):
                clock.advance(service.step())
            system.progressive.set_level("IDLE", reason="nobody works at night")
            service.close()


def test_elsewhere_it_is_a_line_at_once_and_one_for_each_report(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one for all that happens."""
    shown(installation, Context(None, None, json=False, debug=False), steps=21)

    lines = [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert [line.startswith("INTENSIVE, cpu") for line in lines] == [True, True, True, False]
    assert lines[-1] == "INTENSIVE -> IDLE: nobody works at night"


def test_as_json_it_is_a_line_for_everything(
    installation: Installation, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each with its type."""
    shown(installation, Context(None, None, json=True, debug=False), steps=11)

    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == [
        *["snapshot.taken"] * 10,
        "report.made",
        "snapshot.taken",
        "host.level_changed",
    ]
    assert (lines[-1]["subject"], lines[-1]["after"]) == ("host", "IDLE")


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_a_table_that_is_drawn_anew(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other second at most, however often it looks."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown(installation, Context(None, None, json=False, debug=False), steps=7)

    drawn = terminal.getvalue()
    assert drawn.count("in an hour") == 4 + 1, "and once more at the end"
    assert "memory" in drawn


def test_whoever_has_enough_ends_it(installation: Installation) -> None:
    """`monitor --json | head -2`, within the memory that was promised; nothing is said of a broken pipe."""
    running = subprocess.Popen(
        installation.command("monitor", "--json", "--level", "critical"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    lines = [json.loads(running.stdout.readline()) for _ in range(2)]
    held = psutil.Process(running.pid).memory_info().rss
    running.stdout.close()

    assert running.wait(PATIENCE_S) == 0
    assert running.stderr.read() == ""
    running.stderr.close()
    assert {line["type"] for line in lines} == {"snapshot.taken"}
    assert held <= 60_000_000


@pytest.mark.parametrize(
    ("numbers", "code"),
    [([signal.SIGTERM] * 2, 143), ([signal.SIGINT], 130)],
    ids=["SIGTERM, two at once as `timeout` sends them", "Ctrl-C"],
)
def test_it_is_stopped_by_signals(installation: Installation, numbers: list[int], code: int) -> None:
    """In order: what it saw is kept."""
    running = subprocess.Popen(
        installation.command("monitor"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert ", memory" in running.stdout.readline()
    for number in numbers:
        running.send_signal(number)
    _, errors = running.communicate(timeout=PATIENCE_S)

    assert (running.returncode, errors) == (code, "")
    with installation.system() as system:
        assert [one.name for one in system.history.series("host_cpu_percent")] == ["host_cpu_percent"]
