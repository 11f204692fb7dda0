"""The way to the outside is measured seldom, beside whoever asks, and never without canaries."""

import socket
from collections.abc import Iterator

import pytest

from utils.clock import ManualClock
from utils.host.latency import EVERY, Latency


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_the_first_that_accepts_gives_the_time(server: socket.socket) -> None:
    """In milliseconds, once the measurement is over; who asked has not waited."""
    latency = Latency([("127.0.0.1", closed_port()), ("127.0.0.1", server.getsockname()[1])], ManualClock())

    first = latency.newest()
    latency.wait(120)

    assert first is None
    assert (found := latency.newest()) is not None
    assert 0.0 < found < 5_000.0


def test_it_is_measured_every_half_minute_at_most(server: socket.socket) -> None:
    """However often it is asked for."""
    clock = ManualClock()
    latency = Latency([("127.0.0.1", server.getsockname()[1])], clock)
    server.settimeout(0.0)

    def connections() -> int:
        for _ in range(50):
            latency.newest()
        latency.wait(120)
        count = 0
        while True:
            try:
                server.accept()[0].close()
                count += 1
            except BlockingIOError:
                return count

    assert connections() == 1
    clock.advance(EVERY - 1)
    assert connections() == 0
    clock.advance(1)
    assert connections() == 1


def test_nobody_that_accepts_is_no_time() -> None:
    """What was measured before is not told any more."""
    latency = Latency([("127.0.0.1", closed_port())], ManualClock())

    latency.newest()
    latency.wait(120)

    assert latency.newest() is None


def test_without_canaries_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a name is looked up."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("asked"))

    latency = Latency([], ManualClock())
    latency.wait(0)

    assert latency.newest() is None
