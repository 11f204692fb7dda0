"""Deciding about circuits by hand: seen by every process, kept, and on the log with who did it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor, NotAllowedError
from operations.breakers import Breaker, close, force_open, listed, reset
from operations.run import run
from operations.status import status
from tests.faulty_server import FaultyServer
from tests.faulty_server import status as answering
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import GOOD, people
from utils.clock import ManualClock

ANNA = Actor("anna")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(GOOD) as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def system(tmp_path: Path, server: FaultyServer, clock: ManualClock) -> Iterator[IntegratedSystem]:
    """An installation with one provider, whose circuit opens at the second failure."""
    installation = Installation(tmp_path)
    breaker = {"minimum_calls": 2, "open_for": "60s", "half_open_calls": 2}
    resilience = {"breaker": breaker, "rate_limit": None}
    installation.configure(
        people(server.url),
        defaults={"dataset": {**PATIENT, "retry": {"attempts": 1}}, "resilience": resilience},
    )
    with installation.system(clock) as system:
        yield system


def only(system: IntegratedSystem) -> Breaker:
    (found,) = listed(system)
    return found


def asked(system: IntegratedSystem, server: FaultyServer) -> int:
    """How many requests a run costs, a second later: by then it knows what others decided."""
    system.clock.sleep(1.0)
    before = server.count
    run(system, ANNA, fresh=True)
    return server.count - before


def logged(system: IntegratedSystem, kind: str) -> dict[str, Any]:
    return dict(system.events.read(type=kind, newest_first=True, limit=1)[0].data)


def test_an_open_circuit_asks_nobody_until_somebody_closes_it(
    system: IntegratedSystem, server: FaultyServer, clock: ManualClock
) -> None:
    """However long it takes: the breaker's own rests do not end it."""
    run(system, ANNA)

    opened = force_open(system, ANNA, server.host, reason="they move house")
    during = asked(system, server)
    clock.advance(30 * 86_400)
    much_later = asked(system, server)
    closed = close(system, ANNA, server.host)

    assert (opened.state, opened.held, opened.retry_after_s, opened.reason) == ("open", True, None, "they move house")
    assert (during, much_later) == (0, 0)
    assert (closed.state, closed.held, only(system)) == ("closed", False, closed)
    assert asked(system, server) == 1


def test_a_closed_circuit_is_judged_on(system: IntegratedSystem, server: FaultyServer) -> None:
    """Two failures open it again."""
    server.answer = answering(503)
    close(system, ANNA, server.host)

    assert [asked(system, server) for _ in range(4)] == [1, 1, 0, 0]
    assert (only(system).state, only(system).held) == ("open", False)


def test_status_calls_the_states_as_the_list_does(
    system: IntegratedSystem, server: FaultyServer, clock: ManualClock
) -> None:
    """Open after two failures; half-open after the rest, when one of the two trial calls came back."""
    server.answer = answering(503)
    seen = []
    for advance in (0.0, 0.0, 60.0):
        clock.advance(advance)
        asked(system, server)
        server.answer = GOOD if only(system).state == "open" else server.answer
        seen.append([each["state"] for each in status(system).breakers.values()] + [only(system).state])

    assert seen == [["closed"], ["open", "open"], ["half_open", "half_open"]]


def test_a_circuit_held_closed_never_opens_until_it_is_reset(system: IntegratedSystem, server: FaultyServer) -> None:
    """Whoever holds it knows better; `status` says that somebody does."""
    server.answer = answering(503)
    held = close(system, ANNA, server.host, hold=True)

    during = [asked(system, server) for _ in range(4)]
    told = status(system).breakers[server.host]
    moved = reset(system, ANNA, server.host)
    after = [asked(system, server) for _ in range(4)]

    assert (held.state, held.held, held.reason) == ("closed", True, "held closed by anna")
    assert (during, after) == ([1] * 4, [1, 1, 0, 0])  # what failed while it was held is forgotten
    assert (told["state"], told["held"], told["actor"]) == ("closed", True, "anna")
    assert [breaker.provider for breaker in moved] == [server.host]


def test_every_decision_is_on_the_log_with_who_took_it(system: IntegratedSystem, server: FaultyServer) -> None:
    """Opened, closed and reset, each with what it was before."""
    force_open(system, ANNA, server.host, reason="they asked us to stop")
    opened = logged(system, "breaker.opened")
    close(system, Actor("bert"), server.host, hold=True, reason="trust me")
    held = logged(system, "breaker.closed")
    reset(system, Actor("cleo"))
    normal = logged(system, "breaker.closed")

    assert opened == {
        "before": "closed", "reason": "they asked us to stop", "open_until": None, "held": True, "actor": "anna",
    }  # fmt: skip
    assert (held["before"], held["reason"], held["held"], held["actor"]) == ("open", "trust me", True, "bert")
    assert (normal["reason"], normal["held"], normal["actor"]) == ("reset by cleo", False, "cleo")


def test_reset_names_only_what_was_not_normal(system: IntegratedSystem, server: FaultyServer) -> None:
    """A second one finds nothing to do and tells the log nothing."""
    force_open(system, ANNA, server.host)
    first = reset(system, ANNA)
    seq, _ = system.events.head()

    assert [breaker.state for breaker in first] == ["open"]
    assert reset(system, ANNA) == []
    assert system.events.head()[0] == seq


def test_a_running_process_sees_it_within_a_second(
    system: IntegratedSystem, server: FaultyServer, clock: ManualClock
) -> None:
    """Its breaker, which has decided nothing itself, takes over what another one wrote; and back."""
    running = system.resilience.policy(server.host).breaker
    with IntegratedSystem(system.config, state_dir=system.state_dir, environ={}, clock=clock) as other:
        states = [running.state]
        for decide in (force_open, close):
            decide(other, ANNA, server.host)
            clock.advance(1.0)
            states.append(running.state)

    assert states == ["closed", "open", "closed"]


def test_the_list_tells_the_next_try_and_the_permits_left(
    system: IntegratedSystem, server: FaultyServer, clock: ManualClock
) -> None:
    """Open: seconds to wait. Half-open: how many trial calls may still begin."""
    server.answer = answering(503)
    for _ in range(2):
        run(system, ANNA, fresh=True)
    clock.advance(20.0)
    resting = only(system)
    clock.advance(40.0)
    breaker = system.resilience.policy(server.host).breaker
    ticket = breaker.enter()
    trying = only(system)
    breaker.give_back(ticket)

    assert (resting.state, resting.retry_after_s, resting.permits_left) == ("open", 40.0, None)
    assert (trying.state, trying.retry_after_s, trying.permits_left) == ("half_open", None, 1)
    assert only(system).permits_left == 2


@pytest.mark.parametrize("decide", [force_open, close, reset], ids=["open", "close", "reset"])
def test_an_unknown_provider_is_refused_with_those_that_are_known(
    system: IntegratedSystem, server: FaultyServer, decide: Callable[..., object]
) -> None:
    """Nothing is written for it: a typing error must not look like a decision."""
    with pytest.raises(PipelineError, match="there is no provider 'ebc'") as caught:
        decide(system, ANNA, "ebc")

    assert caught.value.hint == f"known are: {server.host}"
    assert system.verdicts.all() == {}


@pytest.mark.parametrize("decide", [force_open, close, reset], ids=["open", "close", "reset"])
def test_a_viewer_decides_nothing(
    system: IntegratedSystem, server: FaultyServer, decide: Callable[..., object]
) -> None:
    """It changes what is collected: an operator's matter."""
    with pytest.raises(NotAllowedError, match="eve is viewer"):
        decide(system, Actor("eve", "viewer"), server.host)


def test_a_mirror_is_a_provider_of_its_own(tmp_path: Path, server: FaultyServer) -> None:
    """It can be opened by hand before it was ever asked."""
    installation = Installation(tmp_path)
    installation.configure(people(server.url, collect={"mirrors": ["https://mirror.example.org/data.csv"]}))
    with installation.system() as system:
        force_open(system, ANNA, "mirror.example.org")

        states = {breaker.provider: breaker.state for breaker in listed(system)}

    assert states == {server.host: "closed", "mirror.example.org": "open"}
