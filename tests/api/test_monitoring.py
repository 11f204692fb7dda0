"""The paths that monitoring clients use, and `/metrics`: shapes, and what stands behind them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from integrated_system import IntegratedSystem
from monitoring.progressive.keeping import HostKeeper
from operations.alerting import deliver
from tests.api.serving import asked
from tests.integration.alerting import collected, configure, failed
from tests.integration.installation import Installation
from tests.monitoring.progressive.readings import Host
from utils.clock import ManualClock
from utils.host import HostSample

START = datetime(2026, 11, 20, 2, tzinfo=UTC)


def got(system: IntegratedSystem, path: str) -> Any:
    """The JSON of a path, which must answer."""

    async def talk(client: httpx.AsyncClient) -> Any:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked(system, talk)


def test_health_says_it_in_a_word_and_check_by_check(installation: Installation):
    """What fails is unhealthy, and the answer comes all the same."""
    with installation.system() as system:
        well = got(system, "/api/monitoring/health")
    configure(installation, {})
    with installation.system() as system:
        system.events.append([failed(0)])
        ill = got(system, "/api/monitoring/health")

    assert (well["status"], well["healthy"]) == ("healthy", True)
    assert {"log", "disk", "datasets"} <= {check["name"] for check in well["checks"]}
    assert (ill["status"], ill["healthy"]) == ("unhealthy", False)
    assert [check["name"] for check in ill["checks"] if not check["healthy"]] == ["datasets"]


def test_status_is_everything_at_a_glance(installation: Installation):
    """Before the first run, and after it."""
    with installation.system() as system:
        before = got(system, "/api/monitoring/status")
    installation.run()
    with installation.system() as system:
        after = got(system, "/api/monitoring/status")

    assert (before["status"], before["datasets"]["never ran"], before["last_run"]) == ("ok", 1, None)
    assert (after["status"], after["datasets"]["succeeded"]) == ("ok", 1)
    assert after["last_run"]["status"] == "succeeded"
    assert after["sentence"] == "The one dataset delivered as it should."
    assert after["host"] == {"watched_here": False, "report": None, "latest": None}


def test_what_is_critical_and_what_was_told_last(installation: Installation):
    """Critical incidents as they stand now; of all that was told the newest first, also what is over."""
    rules = [{"when": "dataset.failed", "severity": "critical"}]
    configure(installation, {}, rules=rules)
    with installation.system() as system:
        system.events.append([failed(0), failed(1)])
        deliver(system)
        system.events.append([collected(0)])
        deliver(system)
        system.alerts.send(
            level="WARNING", title="Import is slow", message="90 s", source="importer", type="server_slow"
        )
        found = got(system, "/api/monitoring/alerts/active")

    assert found["active"] == 1
    (critical,) = found["critical"]
    assert (critical["type"], critical["severity"], critical["context"]["datasets"]) == ("alert", "critical", ["d01"])
    latest = [(one["context"]["kind"], one["severity"]) for one in found["latest"]]
    assert latest[:2] == [("notice", "warning"), ("resolved", "critical")]
    assert sorted(latest[2:]) == [("opened", "critical")] * 2
    assert found["latest"][0]["context"]["type"] == "server_slow"
    assert found["latest"][0]["message"] == "90 s"
    positions = [one["context"]["seq"] for one in found["latest"]]
    assert positions == sorted(positions, reverse=True)


def test_of_many_alerts_the_latest_twenty_are_listed(system: IntegratedSystem):
    """Though there were thirty."""
    for number in range(30):
        system.alerts.send(level="INFO", title=f"number {number}")

    found = got(system, "/api/monitoring/alerts/active")

    assert [one["title"] for one in found["latest"]] == [f"number {number}" for number in range(29, 9, -1)]


def test_snapshots_are_those_of_the_watch_or_of_the_history(installation: Installation):
    """Of the watch in this process each look; of another process what it kept; of nobody none."""
    clock = ManualClock(START)
    with installation.system(clock) as system:
        system.__dict__["host"] = Host(clock)
        nobody = got(system, "/api/monitoring/snapshots/recent")
        keeper = HostKeeper(lambda: system.events, lock=system.state_dir / "locks" / "monitor.lock", clock=clock)
        keeper.begin()
        for _ in range(25 * 4):
            system.progressive.step()
            seen = system.progressive.latest
            assert seen is not None
            keeper.take(seen)
            clock.advance(15.0)
        keeper.close()
        watch = got(system, "/api/monitoring/snapshots/recent?minutes=1")
    with installation.system(clock) as other:
        history = got(other, "/api/monitoring/snapshots/recent?minutes=10")
        glance = got(other, "/api/monitoring/status")["host"]

    assert (nobody["source"], nobody["snapshots"]) == ("none", [])
    assert (watch["source"], watch["count"]) == ("monitor", 4)
    assert {"time", "level", "cpu_percent", "memory_percent", "disk_percent"} <= set(watch["snapshots"][0])
    assert history["source"] == "history"
    assert 9 <= history["count"] <= 11
    times = [datetime.fromisoformat(one["time"]) for one in history["snapshots"]]
    assert times == sorted(times)
    assert clock.now() - times[0] <= timedelta(minutes=10)
    assert 0 < history["snapshots"][-1]["memory_percent"] < 100
    assert glance["latest"] == history["snapshots"][-1]


@pytest.mark.parametrize(
    "minutes", ["0", "-1", "x", "1441", "nan"], ids=["none", "ahead", "word", "too far", "no number"]
)
def test_minutes_that_make_no_sense_are_a_problem(system: IntegratedSystem, minutes: str):
    """With the parameter's name."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/api/monitoring/snapshots/recent?minutes={minutes}")

    answer = asked(system, talk)
    assert answer.status_code == 422
    assert "minutes" in answer.json()["detail"]


def test_metrics_come_as_prometheus_takes_them(system: IntegratedSystem):
    """With the headers that it sends; the same state as `metrics` prints, and what the API itself does."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        await client.get("/livez")
        return await client.get("/metrics", headers={"Accept": accept})

    first = asked(system, talk)
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = first.text.splitlines()
    assert 'orchestrator_datasets{status="never ran"} 1' in lines
    assert 'orchestrator_api_requests_total{method="GET",path="/livez",status="2xx"} 1' in lines


def test_the_exporter_can_be_off(installation: Installation):
    """Then there is nothing at that address, and the answer says why."""
    installation.configure({"name": "orders", "collect": {"kind": "simulated"}}, api={"exporter": False})

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/metrics")

    with installation.system() as system:
        answer = asked(system, talk)
    assert answer.status_code == 404
    assert "api.exporter" in answer.json()["hint"]


def test_a_sample_has_what_the_metrics_of_the_host_ask_for():
    """A field that was renamed would be a metric that is gone."""
    from operations.watch_metrics import _HOST, _RATIOS, _TRANSFERRED

    fields = {field for field, *_ in _HOST} | set(_RATIOS.values()) | set(_TRANSFERRED.values())
    assert fields <= set(HostSample.__slots__)
