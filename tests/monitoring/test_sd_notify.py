"""What systemd hears, over a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from monitoring.sd_notify import SystemdNotifier
from monitoring.watchdog import ProcessWatchdog
from utils.clock import ManualClock


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address of a service manager, and its end of the socket."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@tests/{os.getpid()}/{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + address[1:] if address.startswith("@") else address)
        receiver.settimeout(0.0)
        yield address, receiver


def _heard(receiver: socket.socket) -> list[str]:
    found: list[str] = []
    while True:
        try:
            found.append(receiver.recv(4096).decode())
        except BlockingIOError:
            return found


def _notifier(address: str, usec: str, clock: ManualClock) -> SystemdNotifier:
    made = SystemdNotifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": usec}, clock=clock)
    assert made is not None
    return made


def test_ready_and_stopping_are_told_with_a_status_in_one_line(systemd):
    """One datagram each; a status cannot bring a line of its own."""
    address, receiver = systemd
    notifier = _notifier(address, "", ManualClock())
    assert notifier.ready("serving\nREADY=0")
    assert notifier.status("3 datasets")
    assert notifier.stopping()
    assert _heard(receiver) == ["READY=1\nSTATUS=serving READY=0", "STATUS=3 datasets", "STOPPING=1"]


@pytest.mark.parametrize("every", [0.1, 1.0, 2.0, 4.9], ids=lambda seconds: f"{seconds} s")
def test_signs_of_life_are_at_most_half_of_watchdogsec_apart(systemd, every):
    """However often the loop comes by, as long as it does; and not oftener than needed."""
    address, receiver = systemd
    clock = ManualClock()
    notifier = _notifier(address, "10000000", clock)
    sent = [0.0]
    while clock.monotonic() < 60.0:
        clock.advance(every)
        if notifier.alive():
            sent.append(clock.monotonic())
            assert _heard(receiver) == ["WATCHDOG=1"]
    gaps = [after - before for before, after in pairwise(sent)]
    assert max(gaps) <= 5.0 + 1e-9
    assert min(gaps[1:]) >= min(5.0 - every, every) - 1e-9
    assert _heard(receiver) == []


def test_a_manager_that_does_not_read_keeps_nobody_waiting(systemd):
    """Its queue is full: what could not be sent is tried again at the next call."""
    address, receiver = systemd
    clock = ManualClock()
    notifier = _notifier(address, "10000000", clock)
    while notifier.status("busy"):
        pass
    clock.advance(6.0)
    assert not notifier.alive()
    _heard(receiver)
    assert notifier.alive()


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "3²"}, None),
    ],
    ids=["not wanted", "wanted", "of this process", "of another process", "garbage", "a digit that is no number"],
)
def test_signs_of_life_are_for_the_process_that_is_watched(environ, watchdog_s):
    """A child inherits the variables, and is not meant."""
    notifier = SystemdNotifier.from_environment({"NOTIFY_SOCKET": "/run/notify", **environ})
    assert notifier is not None
    assert notifier.watchdog_s == watchdog_s


@pytest.mark.parametrize("address", [None, "", "@", "relative/path", "vsock:2:1"])
def test_without_a_socket_of_systemd_there_is_nobody_to_tell(address):
    """Started by hand, or by something else."""
    assert SystemdNotifier.from_environment({} if address is None else {"NOTIFY_SOCKET": address}) is None


def test_a_socket_that_is_gone_stops_nobody(tmp_path: Path):
    """It says that it was not sent, and that is all."""
    assert not SystemdNotifier(str(tmp_path / "gone")).ready()


def test_the_watchdog_sends_signs_of_life_from_heartbeats_and_only_while_all_is_well(systemd):
    """A loop that lives does not speak for one that stands still."""
    address, receiver = systemd
    clock = ManualClock()
    watchdog = ProcessWatchdog(notifier=_notifier(address, "10000000", clock), clock=clock)
    watchdog.heartbeat("importer", limit=20.0)
    for _ in range(40):
        clock.advance(1.0)
        watchdog.check()
        watchdog.heartbeat("exporter")
    signs = _heard(receiver)
    assert set(signs) == {"WATCHDOG=1"}
    assert 4 <= len(signs) <= 6  # 20 s of health, a sign each 4 s; then silence
    watchdog.heartbeat("importer")
    watchdog.check()
    for _ in range(2):
        clock.advance(1.0)
        watchdog.heartbeat("exporter")
    assert _heard(receiver) == ["WATCHDOG=1"]


def test_start_and_stop_of_the_watchdog_are_told(systemd):
    """Ready once it watches, stopping when it is asked to stop."""
    address, receiver = systemd
    with ProcessWatchdog(notifier=_notifier(address, "", ManualClock())):
        assert _heard(receiver) == ["READY=1"]
    assert _heard(receiver) == ["STOPPING=1"]
