"""Whose fault a failure is: real canaries on loopback, providers that look public, their names resolved by the test."""

import socket
from collections.abc import Iterator

import pytest

from data_pipeline.collect.own_network import NetworkJudge, tells_against_provider
from data_pipeline.errors import CollectError, NetworkAway, ProviderRefused, ProviderUnavailable
from tests.utils.listening import Listener
from utils.clock import ManualClock
from utils.network import OwnNetwork
from utils.resilience import CircuitBreaker


@pytest.fixture
def canary() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


NAMES = {"data.example.org": ["93.184.215.14"], "db.example.org": ["10.1.2.3"], "both.example.org": ["8.8.8.8", "::1"]}


def resolver(host: str, _port: int, _timeout: float) -> list[str]:
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return NAMES[host]


def failing(unreached: str) -> CollectError:
    return ProviderUnavailable("rates: no connection", provider="ecb", attempts=2, unreached=unreached)


def judged(canary: Listener, error: Exception) -> Exception:
    """What becomes of a request's failure."""
    judge = NetworkJudge(OwnNetwork([canary.address], clock=ManualClock()), resolver=resolver)

    def request() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        judge.around(request)()
    return caught.value


@pytest.mark.parametrize(
    "host",
    ["data.example.org", "DATA.example.org.", "unknown.example.org", "93.184.215.14", "2606:4700:4700::1111"],
    ids=["resolved to a public address", "the same in capitals", "not resolved at all", "IPv4", "IPv6"],
)
def test_a_provider_on_the_internet_is_excused(canary: Listener, host: str) -> None:
    """No canary answers, so nobody could have been reached: said in words, and not counted."""
    canary.stop()

    error = judged(canary, failing(host))

    assert isinstance(error, NetworkAway)
    assert str(error) == (
        f"rates: no connection; our own network is away: of its canaries ({canary.name}) none can be reached"
    )
    assert (error.transient, error.provider, error.attempts) == (True, "ecb", 2)
    assert not tells_against_provider(error)


@pytest.mark.parametrize(
    "host",
    [
        "db.example.org", "both.example.org", "localhost", "x.localhost", "127.0.0.1", "127.8.8.8", "10.0.0.7",
        "192.168.1.1", "172.16.0.1", "169.254.1.1", "100.64.0.1", "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1",
        "postgres", "nas.local", "api.corp.internal", "printer.home.arpa", "2130706433",
    ],
)  # fmt: skip
def test_a_provider_near_us_is_never_excused(canary: Listener, host: str) -> None:
    """Canaries on the internet say nothing about this machine and the house's own network."""
    canary.stop()

    error = judged(canary, failing(host))

    assert not isinstance(error, NetworkAway)
    assert tells_against_provider(error)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("rates: answered 503", status=503),
        ProviderUnavailable("a file went away while it was read"),
        ProviderRefused("rates: answered 404", status=404),
        ValueError("not ours"),
    ],
    ids=["an answer that came", "no network at all", "refused", "another error"],
)
def test_only_who_gave_no_answer_is_excused(canary: Listener, error: Exception) -> None:
    """A 503 came over a network that is there; the canaries are not even asked."""
    canary.stop()

    assert judged(canary, error) is error


def test_while_a_canary_answers_it_is_the_provider(canary: Listener) -> None:
    """The failure stays as it is."""
    error = failing("data.example.org")

    assert judged(canary, error) is error
    assert canary.seen(1)


def test_a_near_name_is_remembered(canary: Listener) -> None:
    """Once the name led to the house, it stays near when it cannot be resolved any more."""
    canary.stop()
    known = dict(NAMES)
    judge = NetworkJudge(OwnNetwork([canary.address], clock=ManualClock()), resolver=lambda host, *_: known[host])

    def request() -> None:
        raise failing("db.example.org")

    for _ in range(2):
        with pytest.raises(ProviderUnavailable) as caught:
            judge.around(request)()
        assert not isinstance(caught.value, NetworkAway)
        known.clear()


def test_without_canaries_the_request_is_left_alone() -> None:
    """Nothing is put around it."""

    def request() -> None:
        raise AssertionError

    assert NetworkJudge(OwnNetwork([])).around(request) is request


def test_a_breaker_gives_the_permit_back(canary: Listener) -> None:
    """Half-open with one permit: while we are away a trial says nothing, and the next one may go."""
    clock = ManualClock()
    judge = NetworkJudge(OwnNetwork([canary.address], clock=clock), resolver=resolver)
    breaker = CircuitBreaker(
        "ecb", failure_threshold=1, open_for=30.0, half_open_calls=1, is_failure=tells_against_provider, clock=clock
    )
    breaker.record_failure()
    clock.advance(30.0)
    canary.stop()

    def request() -> None:
        raise failing("data.example.org")

    for _ in range(3):
        with pytest.raises(NetworkAway):
            breaker.call(judge.around(request))
    during = breaker.state
    canary.start()
    clock.advance(10.0)
    with pytest.raises(ProviderUnavailable):
        breaker.call(judge.around(request))

    assert (during, breaker.state) == ("half_open", "open")
