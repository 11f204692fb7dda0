"""Our own network, as canaries tell of it: real listeners on loopback, started and stopped."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.utils.listening import Listener
from utils.clock import ManualClock
from utils.network import AWAY_FOR, THERE_FOR, OwnNetwork, reachable, resolve


@pytest.fixture
def canary() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def stopped() -> Iterator[Listener]:
    """A canary that refuses connections; its port is not given to anybody else meanwhile."""
    with Listener() as listener:
        listener.stop()
        yield listener


def test_without_canaries_it_is_never_away() -> None:
    """Nobody to ask, so nothing is said about it."""
    assert OwnNetwork([]).away() is False


def test_one_canary_that_answers_is_enough(canary: Listener, stopped: Listener) -> None:
    """Canaries of different owners fail for reasons of their own."""
    network = OwnNetwork([stopped.address, canary.address], clock=ManualClock())

    assert network.away() is False
    assert canary.seen(1)


def test_it_is_away_when_not_one_answers(stopped: Listener) -> None:
    """All refuse, or have no name that anybody knows."""
    with Listener() as other:
        other.stop()
        assert OwnNetwork([stopped.address, other.address], clock=ManualClock()).away() is True


def test_a_canary_that_is_silent_is_waited_for_no_longer_than_said(canary: Listener) -> None:
    """A full backlog drops the first packet of a connection, as a network that is gone does."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        full = [socket.socket() for _ in range(4)]
        try:
            for waiting in full:
                waiting.setblocking(False)
                waiting.connect_ex(deaf.getsockname())

            silent = deaf.getsockname()
            assert reachable([silent], 0.05) is False
            assert reachable([silent, canary.address], 60.0) is True
        finally:
            for waiting in full:
                waiting.close()


def test_an_outage_costs_a_look_now_and_then(canary: Listener) -> None:
    """Within the time for which an answer is kept, nobody is asked again; afterwards it is."""
    clock = ManualClock()
    network = OwnNetwork([canary.address], clock=clock)
    canary.stop()
    assert network.away() is True
    canary.start()

    kept = [network.away() for _ in range(3)]
    clock.advance(AWAY_FOR)
    later = network.away()

    assert (kept, later) == ([True] * 3, False)
    assert canary.seen(1)
    assert canary.connected == 1


def test_that_it_is_there_is_believed_for_a_second_only(canary: Listener) -> None:
    """What fails a moment later may be the network that has just gone."""
    clock = ManualClock()
    network = OwnNetwork([canary.address], clock=clock)
    assert network.away() is False
    canary.stop()

    at_once = network.away()
    clock.advance(THERE_FOR)

    assert (at_once, network.away()) == (False, True)


def test_threads_share_one_look(canary: Listener) -> None:
    """Eight failures at the same moment: one connection to the canary."""
    network = OwnNetwork([canary.address], clock=ManualClock())
    gate = threading.Barrier(8)

    def ask(_: int) -> bool:
        gate.wait(120)
        return network.away()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert answers == [False] * 8
    assert canary.seen(1)
    assert canary.connected == 1


def test_only_changes_are_told(canary: Listener) -> None:
    """Away, still away, back, still there: two words."""
    told: list[bool] = []
    clock = ManualClock()
    network = OwnNetwork([canary.address], listener=told.append, clock=clock)
    network.away()
    canary.stop()
    for _ in range(2):
        clock.advance(AWAY_FOR)
        network.away()
    canary.start()
    for _ in range(2):
        clock.advance(AWAY_FOR)
        network.away()

    assert told == [True, False]


@pytest.mark.parametrize(("before", "told"), [(True, [False]), (False, [])], ids=["away", "there"])
def test_who_comes_later_looks_again_when_it_was_away(canary: Listener, before: bool, told: list[bool]) -> None:
    """A new process learns that it was away, looks, and says that it is back; else nobody is asked."""
    heard: list[bool] = []
    network = OwnNetwork([canary.address], was_away=lambda: before, listener=heard.append, clock=ManualClock())

    network.look_again()

    assert heard == told
    assert canary.connected == len(told) or canary.seen(len(told))


def test_a_name_is_resolved_to_its_addresses() -> None:
    """Each once, though the system names them for every kind of socket."""
    assert "127.0.0.1" in resolve("localhost", 80, 60.0)
    assert resolve("127.0.0.1", 80, 60.0) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".test"], ids=["empty part", "part too long"])
def test_a_name_that_is_none_is_an_os_error(host: str) -> None:
    """Whatever Python makes of it."""
    with pytest.raises(OSError, match=r"not a valid host name|Name or service not known|No address"):
        resolve(host, 80, 60.0)


def test_a_resolver_that_is_silent_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be told how long it may take, so a thread of its own waits for it."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(120) and [])
    try:
        with pytest.raises(TimeoutError, match=r"slow\.test was not resolved within 0.05 s"):
            resolve("slow.test", 80, 0.05)
    finally:
        answered.set()
