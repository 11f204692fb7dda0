"""The facade: one object watches a program; configured in code, by a file or by variables; it tells what is wrong."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from config.errors import ConfigError
from data_pipeline.detect.detector import Anomaly
from data_pipeline.detect.stream import StreamDetector
from monitoring.alerting.alert import Alert
from monitoring.monitor import DETECTED, Monitor
from monitoring.service_event import ServiceEvent
from tests.monitoring.test_pytest_plugin import _free_port
from tests.monitoring.watching import PATIENCE_S
from utils.clock import SYSTEM_CLOCK, ManualClock
from utils.host import HostSample
from utils.resilience.errors import CircuitOpenError

ROOT = Path(__file__).resolve().parents[2]
WEBHOOK = "https://hooks.slack.com/services/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"
QUIET = {"monitor": {"enabled": False}}


class Alerts:
    """Hears a monitor's alerts, and waits for them."""

    def __init__(self, monitor: Monitor) -> None:
        self.heard: list[Alert] = []
        self._changed = threading.Condition()
        monitor.alerts.on_alert(self._hear)

    def _hear(self, alert: Alert) -> None:
        with self._changed:
            self.heard.append(alert)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Alert], Any]) -> Alert:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.heard)), PATIENCE_S), self.heard
            return next(filter(wanted, self.heard))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def quiet(clock: ManualClock) -> Iterator[Monitor]:
    """A monitor that leaves the host alone, on a clock that is moved by hand."""
    made = Monitor(QUIET, clock=clock)
    yield made
    made.stop()


def _look(monitor: Monitor, clock: ManualClock, *, times: int, every: float, seen: threading.Semaphore) -> None:
    """Look at the host so many times, and wait each time until whoever looks at the sample has done so."""
    for _ in range(times):
        clock.advance(every)
        monitor.progressive.step()
        assert seen.acquire(timeout=PATIENCE_S)


# --- configuration


SAID: dict[str, Any] = {
    "app": {"name": "shop"},
    "monitor": {"thresholds": {"cpu": [60, 80]}},
    "alerts": {"channels": {"team": WEBHOOK}},
}


def _in_code(folder: Path) -> Monitor:
    return Monitor(SAID)


def _in_a_json_file(folder: Path) -> Monitor:
    (folder / "monitor.json").write_text(json.dumps(SAID))
    return Monitor.from_file(folder / "monitor.json", environ={})


def _in_variables(folder: Path) -> Monitor:
    return Monitor.from_environment(
        {
            "ORCHESTRATOR_APP__NAME": "shop",
            "ORCHESTRATOR_MONITOR__THRESHOLDS__CPU": "[60, 80]",
            "ORCHESTRATOR_ALERTS__CHANNELS__TEAM": WEBHOOK,
            "ORCHESTRATOR_ENV": "production",
        }
    )


def _in_a_file_that_a_variable_names(folder: Path) -> Monitor:
    (folder / "monitor.json").write_text(json.dumps({**SAID, "app": {"name": "other"}}))
    named = {"ORCHESTRATOR_CONFIG": str(folder / "monitor.json"), "ORCHESTRATOR_APP__NAME": "shop"}
    return Monitor.from_environment(named)


@pytest.mark.parametrize(
    "made",
    [_in_code, _in_a_json_file, _in_variables, _in_a_file_that_a_variable_names],
    ids=lambda made: made.__name__[1:].replace("_", " "),
)
def test_it_is_configured_alike_in_code_by_a_file_and_by_variables(made, tmp_path):
    """Name of the program, threshold of the processor, Slack webhook."""
    monitor = made(tmp_path)
    assert monitor.settings.app.name == "shop"
    assert monitor.progressive.thresholds.cpu == (60.0, 80.0)
    assert dict(monitor.settings.alerts.channels) == {"team": WEBHOOK}


def test_what_is_wrong_is_told_at_once_with_its_keys(tmp_path):
    """In code as in a file: the key, what was expected, what to write."""
    wrong = {"app": {"nme": "shop"}, "monitor": {"thresholds": {"cpu": [90, 60]}}}
    with pytest.raises(ConfigError) as in_code:
        Monitor(wrong)
    (tmp_path / "monitor.json").write_text(json.dumps(wrong))
    with pytest.raises(ConfigError) as in_a_file:
        Monitor.from_file(tmp_path / "monitor.json", environ={})
    with pytest.raises(ConfigError, match="the warning at 90 % lies above the critical at 60 %"):
        Monitor.from_environment({"ORCHESTRATOR_MONITOR__THRESHOLDS__CPU": "[90, 60]"})
    for told in (str(in_code.value), str(in_a_file.value)):
        assert "app.nme" in told
        assert "monitor.thresholds.cpu" in told
        assert "Swap the two." in told


def test_a_file_that_is_not_there_is_told(tmp_path):
    """With its path."""
    with pytest.raises(ConfigError, match=r"nowhere\.json: the configuration file does not exist"):
        Monitor.from_file(tmp_path / "nowhere.json", environ={})


@pytest.mark.parametrize("made", [_in_code, _in_a_json_file], ids=["in code", "in a file"])
def test_the_address_of_a_channel_is_a_secret(made, tmp_path, monkeypatch):
    """It is masked in whatever is told."""
    monitor = made(tmp_path)
    told: list[Alert] = []
    monitor.alerts.on_alert(told.append)
    monkeypatch.setattr(monitor.alerts, "_tell", lambda alert: None)  # nothing leaves this machine
    monitor.alerts.send(level="error", title="cannot reach the channel", message=f"POST {WEBHOOK} failed")
    assert "canary" not in str(told)


# --- a program


def test_it_works_in_a_bare_program_and_leaves_nothing_behind(tmp_path):
    """No configuration, no state, no `stop`: the program ends by itself, and its folder is as it was."""
    program = """
from monitoring.monitor import Monitor
monitor = Monitor({"app": {"name": "shop"}}).start()
monitor.register_health_check("stock", lambda: True)
monitor.alerts.on_alert(lambda alert: print(alert.level, alert.title))
breaker = monitor.create_circuit_breaker("bank", failure_threshold=1)
@breaker
def pay(): raise OSError("bank is away")
try: pay()
except OSError: pass
monitor.heartbeat("main")
print(all(monitor.run_health_checks().values()), monitor.collect().memory_percent > 0)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("warning Circuit bank is open")
    assert second == "True True"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_start_and_stop_may_be_called_any_number_of_times():
    """Its threads are gone after each stop."""
    before = set(threading.enumerate())
    monitor = Monitor()
    for _ in range(2):
        with monitor:
            monitor.start()
            names = {thread.name for thread in threading.enumerate()}
            assert {"watchdog", "host-monitor", "health checks"} <= names
        monitor.stop()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left.isdisjoint({"watchdog", "host-monitor", "health checks"})


# --- what it tells


def test_health_checks_are_asked_by_themselves_and_changes_are_alerts():
    """Once when it fails, once when it is well again; also one that was registered later."""
    well = threading.Event()
    with Monitor(QUIET) as monitor:
        alerts = Alerts(monitor)
        monitor.register_health_check("bank", lambda: (well.is_set(), "no answer"), every=0.01)
        first = alerts.wait_for(lambda alert: alert.type == "service.unavailable")
        well.set()
        second = alerts.wait_for(lambda alert: alert.type == "service.recovered")
    assert (first.level, first.title, first.source) == ("error", "bank is unavailable: no answer", "my-program")
    assert (second.level, second.title) == ("info", "bank is well again")
    assert len(alerts.heard) == 2


def test_configured_checks_are_asked_with_the_registered_ones(clock, tmp_path):
    """A disk, and a heartbeat of the watchdog, that explains what depends on it."""
    checks = [
        {"name": "disk", "disk": str(tmp_path)},
        {"name": "importer", "heartbeat": "importer", "every": "10s", "parent": "disk"},
    ]
    monitor = Monitor({"monitor": {"enabled": False, "health": checks}}, clock=clock)
    monitor.register_health_check("stock", lambda: True)
    assert [name for name, result in monitor.run_health_checks().items() if result] == ["disk", "stock"]
    monitor.heartbeat("importer")
    clock.advance(5.0)
    results = monitor.run_health_checks()
    assert results
    assert results["importer"].kind == "heartbeat"


def test_silence_and_its_end_are_alerts(quiet, clock):
    """With the stacks of all threads in the message."""
    told: list[Alert] = []
    quiet.alerts.on_alert(told.append)
    quiet.heartbeat("importer", limit=5.0)
    clock.advance(6.0)
    quiet.watchdog.check()
    quiet.heartbeat("importer")
    quiet.watchdog.check()
    assert [(alert.level, alert.type) for alert in told] == [
        ("critical", "service.unavailable"),
        ("info", "service.recovered"),
    ]
    assert told[0].title == "importer: no heartbeat for 6 s, 5 s are allowed"


@pytest.mark.parametrize(
    ("why", "kind"),
    [("slow_start", "server_slow"), ("permission", "permission_error"), ("died", "server_down")],
)
def test_a_supervised_process_is_told_by_its_kind(quiet, why, kind):
    """As the plugin for pytest does, with the last lines of its output."""
    told: list[Alert] = []
    quiet.alerts.on_alert(told.append)
    event = ServiceEvent("unavailable", "worker", "words", SYSTEM_CLOCK.now(), why, attempt=1, output=("last line",))
    quiet._hear_of_service(event)
    assert [(alert.type, alert.title, alert.message) for alert in told] == [(kind, "worker: words", "last line")]


def test_a_circuit_that_opens_and_closes_is_told(quiet, clock):
    """And the same name gives the same circuit."""
    told: list[Alert] = []
    quiet.alerts.on_alert(told.append)
    breaker = quiet.create_circuit_breaker("bank", failure_threshold=1, open_for=30.0, half_open_calls=1)
    with pytest.raises(OSError, match="away"), breaker:
        raise OSError("away")
    with pytest.raises(CircuitOpenError), breaker:
        pass
    clock.advance(60.0)
    with breaker:
        pass
    assert [(alert.level, alert.type) for alert in told] == [("warning", "breaker.opened"), ("info", "breaker.closed")]
    assert quiet.create_circuit_breaker("bank", failure_threshold=1, open_for=30.0, half_open_calls=1) is breaker


def test_a_rate_limiter_keeps_to_its_rate_for_each_client(quiet, clock):
    """Two requests a second, each client by itself."""
    limiter = quiet.create_rate_limiter("api", requests_per_second=2)
    assert [bool(limiter.acquire(client_id="mary")) for _ in range(3)] == [True, True, False]
    assert limiter.acquire(client_id="paul")
    clock.advance(0.5)
    assert limiter.acquire(client_id="mary")


def test_an_overloaded_host_is_told_and_its_relief(clock):
    """Real samples over a threshold that any machine is above."""
    monitor = Monitor({"monitor": {"thresholds": {"memory": [0, 0.01], "cpu": [100, 100]}}}, clock=clock)
    alerts = Alerts(monitor)
    for _ in range(30):
        clock.advance(5.0)
        monitor.progressive.step()
    alert = alerts.wait_for(lambda alert: alert.type == "resource_critical")
    assert alert.level == "critical"
    assert alert.title.startswith("Host: memory at ")
    monitor.progressive.stop()


class Strange:
    """Finds each sample strange, in two episodes."""

    def __init__(self) -> None:
        self.samples: list[Mapping[str, float]] = []
        self.seen = threading.Semaphore(0)

    def add_sample(self, metrics: Mapping[str, float]) -> None:
        self.samples.append(metrics)

    def detect(self) -> list[Any]:
        since = 0.0 if len(self.samples) < 3 else 1.0
        self.seen.release()
        return [SimpleNamespace(metric="cpu_percent", severity="warning", reason="much of it", since=since)]


def test_what_a_detector_finds_strange_is_told_once_an_episode(clock):
    """It is given the figures of each snapshot."""
    detector = Strange()
    monitor = Monitor(detector=detector, clock=clock)
    alerts = Alerts(monitor)
    _look(monitor, clock, times=4, every=61.0, seen=detector.seen)
    monitor.progressive.stop()
    assert len(detector.samples) == 4
    assert {"cpu_percent", "memory_percent"} <= set(detector.samples[-1]) <= set(DETECTED)
    told = ("anomaly.detected", "cpu_percent is strange", "much of it")
    assert [(alert.type, alert.title, alert.message) for alert in alerts.heard] == [told, told]


def test_the_detector_of_the_pipeline_fits(clock):
    """It takes the samples as they are and learns."""

    class Noted(StreamDetector):
        seen = threading.Semaphore(0)

        def detect(self) -> list[Anomaly]:
            self.seen.release()
            return super().detect()

    detector = Noted("host", clock=clock)
    monitor = Monitor(detector=detector, clock=clock)
    _look(monitor, clock, times=3, every=5.0, seen=detector.seen)
    monitor.progressive.stop()
    assert detector.learning["memory_percent"].startswith("learning: 3 of")


def test_the_healer_sees_the_samples_once_somebody_asked_for_it(clock, monkeypatch):
    """A cache that may be emptied, in a memory that is short."""
    limits = {"memory": [0, 0.01], "cpu": [100, 100]}
    monitor = Monitor({"monitor": {"thresholds": limits}}, clock=clock)
    monitor.progressive.step()
    assert "healer" not in monitor.__dict__
    emptied = threading.Event()
    monitor.healer.register_cache("prices", emptied.set)
    treat, seen = monitor.healer.step, threading.Semaphore(0)

    def noted(sample: HostSample) -> float:
        wait = treat(sample)
        seen.release()
        return wait

    monkeypatch.setattr(monitor.healer, "step", noted)
    _look(monitor, clock, times=20, every=60.0, seen=seen)
    monitor.progressive.stop()
    assert emptied.is_set()


def test_the_web_dashboard_is_started_with_it_and_ends_with_it(tmp_path):
    """A process of its own: it answers while the monitor runs, and nobody does afterwards."""
    port = _free_port()
    said = {**QUIET, "app": {"name": "shop"}, "dashboard": {"port": port}, "alerts": {"channels": {"team": WEBHOOK}}}
    with Monitor(said, dashboard=True, folder=tmp_path) as monitor:
        assert monitor.dashboard is not None
        assert monitor.dashboard.wait_ready(120), monitor.dashboard.output()
        with urlopen(f"http://127.0.0.1:{port}/", timeout=120) as page:
            assert b"<title>" in page.read()
        assert "canary" not in (tmp_path / "monitor.json").read_text()
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{port}/", timeout=120)
