"""A sign of life: every so often, and only while alerts work."""

import logging

import pytest

from monitoring.alerting.heartbeat import Heartbeat
from tests.faulty_server import FaultyServer, ok, status
from utils.clock import ManualClock


def test_it_beats_at_once_and_then_every_so_often() -> None:
    """Also when the wall clock is set; the steps say when the next one is due."""
    clock, heard = ManualClock(), []
    heartbeat = Heartbeat("https://watcher", 300.0, clock=clock, asked=heard.append)
    assert heartbeat.step() == 300.0
    clock.advance(100.0)
    clock.set_back(86_400.0)
    assert heartbeat.step() == 200.0
    clock.advance(200.0)
    heartbeat.step()

    assert heard == ["https://watcher"] * 2


def test_silence_is_the_alert_when_alerts_do_not_work() -> None:
    """It would be a lie to beat then."""
    heard: list[str] = []
    heartbeat = Heartbeat("https://watcher", 300.0, well=lambda: False, clock=ManualClock(), asked=heard.append)

    assert heartbeat.step() == 300.0
    assert heard == []


@pytest.mark.parametrize("answer", [ok(b"OK"), status(500)], ids=["a watcher that is there", "one in trouble"])
def test_a_watcher_in_trouble_stops_nothing(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log file, without the address: that is a secret."""
    with FaultyServer(answer) as server, caplog.at_level(logging.WARNING):  # type: ignore[arg-type]
        heard = Heartbeat(f"http://{server.host}/ping/hunter2", 300.0).beat()
        assert server.requests[0].path == "/ping/hunter2"

    assert heard == (answer.status == 200)  # type: ignore[attr-defined]
    assert "hunter2" not in caplog.text
