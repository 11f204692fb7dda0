"""A test run with the plugin: real little servers, real test runs, and the alerts that come of them."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from monitoring.alerting.alert import AlertType
from monitoring.progressive import Overloaded
from monitoring.server_under_test import Options, TestWatch
from monitoring.service_event import ServiceEvent
from utils.clock import SYSTEM_CLOCK

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]

SERVER = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("fatal: out of luck, token=hunter2", flush=True)
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, *_): ...

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

ASK = """
from urllib.request import urlopen

def ask(server, path="/"):
    with urlopen(server.address + path, timeout=120) as answer:
        return int(answer.read())
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A project whose tests run with the plugin; gives a function that runs them, and the alerts as they were kept."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    port = _free_port()
    server = pytester.makepyfile(server=SERVER)
    pytester.makepyfile(asking=ASK)
    pytester.makeini(
        f"""
        [pytest]
        monitor_address = http://127.0.0.1:{port}
        monitor_limits = 60 60
        monitor_alerts = alerts
        monitor_host = false
        """
    )

    def run(tests: str, *options: str, server: str = f"{sys.executable} -S {server} {port}", subprocess: bool = False):
        pytester.makepyfile(test_shop=tests)
        arguments = ["-p", "monitoring.pytest_plugin", "-p", "no:cacheprovider", *options]
        if server:
            arguments.append(f"--monitor-server={server}")
        runs = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return runs(*arguments), _alerts(pytester.path / "alerts")

    return run


def _alerts(folder: Path) -> list[dict[str, str]]:
    index = folder / "index.jsonl"
    lines = index.read_text().splitlines() if index.exists() else []
    return [json.loads((folder / json.loads(line)["file"]).read_text()) for line in lines]


def test_a_healthy_run_has_its_server_and_no_alert(project):
    """Started before the first test, gone after the last."""
    result, alerts = project(
        """
        from pathlib import Path
        from asking import ask
        def test_it_is_there(monitored_server):
            Path("pid").write_text(str(ask(monitored_server)))
        """
    )
    result.assert_outcomes(passed=1)
    assert alerts == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)


def test_a_server_that_dies_is_told_with_the_test_and_is_there_again_for_the_next(project):
    """One alert of the death with its last words, one of the test, one of the return; no secret."""
    result, alerts = project(
        """
        from asking import ask
        def test_that_kills(monitored_server):
            ask(monitored_server, "/die")
        def test_after_it(monitored_server):
            ask(monitored_server)
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    by_type = sorted((alert["type"], alert["level"]) for alert in alerts)
    assert by_type == [("server_down", "critical"), ("server_down", "info"), ("test_failed", "error")]
    (died,) = [alert for alert in alerts if alert["level"] == "critical"]
    assert "exit code 3" in died["title"]
    assert "test_shop.py::test_that_kills" in died["title"]
    assert "fatal: out of luck, token=***" in died["message"]
    (failed,) = [alert for alert in alerts if alert["type"] == "test_failed"]
    assert failed["title"] == "Test failed: test_shop.py::test_that_kills"
    result.stdout.fnmatch_lines(["*= alerts =*", "server_down: Server down: it ended with exit code 3*"])


def test_a_server_that_never_is_ready_ends_the_run_with_what_it_said(project):
    """Each try is told as a slow start, then that it was given up; no test is run."""
    result, alerts = project(
        "def test_never(): ...",
        "-o",
        "monitor_limits=0.8 0.9",
        server="sh -c 'echo still compiling; exec sleep 600'",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [alert["type"] for alert in alerts] == ["server_slow", "server_slow", "critical"]
    assert "still compiling" in alerts[0]["message"]
    result.stdout.fnmatch_lines(["*the server under test is not there, after 2 tries: not ready after *"])
    assert "passed" not in result.stdout.str()


def test_a_server_that_may_not_be_started_is_a_permission_error(project, pytester):
    """Told at once, and not tried again."""
    pytester.path.joinpath("server.sh").write_text("#!/bin/sh\n")
    result, alerts = project("def test_never(): ...", server=f"{pytester.path}/server.sh")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [(alert["type"], alert["level"]) for alert in alerts] == [("permission_error", "critical")]
    assert "Permission denied" in alerts[0]["title"]


def test_failures_are_told_by_their_kind_with_the_tests_name(project):
    """Without a server too: a right that is missing, a time-out of pytest-timeout, and any other."""
    result, alerts = project(
        """
        import pytest
        def test_right():
            raise PermissionError(13, "Permission denied", "/etc/shadow")
        def test_slow():
            pytest.fail("Timeout (>1.0s) from pytest-timeout.")
        def test_wrong():
            assert 1 == 2
        @pytest.fixture
        def broken():
            raise ValueError("no database")
        def test_not_set_up(broken): ...
        def test_well(): ...
        """,
        server="",
    )
    result.assert_outcomes(passed=1, failed=3, errors=1)
    assert [(alert["type"], alert["title"]) for alert in alerts] == [
        ("permission_error", "Permission denied: test_shop.py::test_right"),
        ("test_timeout", "Test timeout: test_shop.py::test_slow"),
        ("test_failed", "Test failed: test_shop.py::test_wrong"),
        ("test_failed", "Test failed: test_shop.py::test_not_set_up"),
    ]
    assert "no database" in alerts[3]["message"]


def test_a_test_that_hangs_is_told_while_it_hangs_with_its_stack(project):
    """It waits for the alert about itself."""
    result, alerts = project(
        """
        import pathlib, threading
        def test_that_waits():
            pause = threading.Event()
            for _ in range(1000):
                if pathlib.Path("alerts/index.jsonl").exists():
                    return
                pause.wait(0.02)
            assert False, "nobody was told"
        """,
        "-o",
        "monitor_test_timeout=0.1",
        server="",
    )
    result.assert_outcomes(passed=1)
    assert [alert["type"] for alert in alerts] == ["test_timeout"]
    assert alerts[0]["title"] == "Test timeout: test_shop.py::test_that_waits runs for more than 0.1 s"
    # Not which of its lines: a slow machine may be looking for the file just then.
    assert "in test_that_waits: " in alerts[0]["message"]


def test_with_workers_one_process_watches_and_each_failure_is_told_once(project):
    """Under pytest-xdist the workers test, the process that leads them has the server."""
    result, alerts = project(
        """
        from asking import ask
        def test_right(monitored_server):
            ask(monitored_server)
        def test_wrong():
            assert 1 == 2
        """,
        "-n1",
        subprocess=True,
    )
    result.assert_outcomes(passed=1, failed=1)
    assert [(alert["type"], alert["title"]) for alert in alerts] == [
        ("test_failed", "Test failed: test_shop.py::test_wrong")
    ]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("monitor_limits=soon", "are seconds"),
        ("monitor_limits=-1", "at least one limit, in seconds above 0"),
        ("monitor_test_timeout=never", "are seconds"),
        ("monitor_address=127.0.0.1:8123", "monitor_address: give an address that begins with http"),
        ("monitor_ready=/health", "monitor_ready: give an address that begins with http"),
    ],
)
def test_what_was_configured_wrong_is_told(project, option, words):
    """In one line, before anything runs."""
    result, _ = project("def test_well(): ...", "-o", option, server="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


def test_the_level_is_critical_while_the_server_is_away():
    """And normal again once it is ready."""
    watch = TestWatch(Options(host=False))
    levels = []
    for what, why in (("started", ""), ("unavailable", "died"), ("unavailable", "slow_start"), ("recovered", "")):
        watch._hear_of_server(ServiceEvent(what, "server", "words", SYSTEM_CLOCK.now(), why))
        levels.append(watch.level)
    assert levels == ["NORMAL", "CRITICAL", "CRITICAL", "NORMAL"]
    assert [kind for kind, _ in watch.seen] == [AlertType.SERVER_DOWN, AlertType.SERVER_SLOW, AlertType.SERVER_DOWN]
    watch.end()


def test_a_host_that_suffocates_is_told_with_the_test_that_runs():
    """Only what is overloaded; that a level changed is no alert."""
    watch = TestWatch(Options(host=False, test_timeout=0.0))
    watch.test_begins("test_shop.py::test_heavy")
    watch._hear_of_host(Overloaded("cpu", 97.0, 85.0, 10.0))
    watch._hear_of_host(object())
    ((kind, title),) = watch.seen
    assert kind == AlertType.RESOURCE_CRITICAL
    assert title.endswith("(during test_shop.py::test_heavy)")
    assert "97" in title
    watch.end()


def test_the_host_is_watched_at_the_level_of_the_run():
    """A real monitor, begun in the middle of trouble and stopped with the run."""
    watch = TestWatch(Options())
    watch.begin()
    assert watch._host_soon is not None
    watch._hear_of_server(ServiceEvent("unavailable", "server", "words", SYSTEM_CLOCK.now(), "died"))
    watch._watch_host()
    host = watch._host
    assert host is not None
    assert host.level == "CRITICAL"
    watch._hear_of_server(ServiceEvent("recovered", "server", "words", SYSTEM_CLOCK.now()))
    watch.end()
    assert watch._host is None
    watch._watch_host()  # the timer fired just as the run ended
    assert watch._host is None
