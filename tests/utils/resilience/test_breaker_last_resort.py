"""One call through an open circuit, when all others of a dataset's providers are open as well."""

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, CircuitOpenError
from utils.resilience.circuit import Ticket
from utils.resilience.policy import ResiliencePolicy, RetrySettings
from utils.resilience.settings import BreakerSettings, ProviderResilience


def opened(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Open for 30 s."""
    breaker = CircuitBreaker("ecb", **{"failure_threshold": 1, "open_for": 30.0, "clock": clock, **settings})  # type: ignore[arg-type]  # settings of many types
    breaker.record_failure()
    return breaker


@pytest.mark.parametrize(("permits", "state", "left"), [(1, "closed", 0), (3, "half_open", 2)], ids=["one", "three"])
def test_a_last_resort_that_comes_back_well_ends_the_rest(permits: int, state: str, left: int) -> None:
    """It stands for one good trial call."""
    breaker = opened(ManualClock(), half_open_calls=permits)

    breaker.succeeded(breaker.enter_as_last_resort())

    assert breaker.state == state
    assert left == 0 or [breaker.allows() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("outcome", ["failed", "slow", "ignored"])
def test_a_last_resort_that_does_not_come_back_well_changes_nothing(outcome: str) -> None:
    """Neither the rest grows, nor any count."""
    clock = ManualClock()
    breaker = opened(clock)
    before = breaker.figures()
    ticket = breaker.enter_as_last_resort()

    if outcome == "failed":
        breaker.ended_with(ticket, ConnectionError("away"), 1.0)
    elif outcome == "slow":
        breaker.succeeded(ticket, 1e3)
    else:
        breaker.ended_with(ticket, KeyboardInterrupt())

    assert breaker.figures() == before
    assert not breaker.allows()
    assert breaker.enter_as_last_resort() is not None


def test_one_last_resort_is_out_at_a_time() -> None:
    """The next one is refused until it is back, was dropped, or must be lost."""
    clock = ManualClock()
    breaker = opened(clock, slow_call=5.0, open_for=3000.0)
    tickets: list[Ticket] = [breaker.enter_as_last_resort()]

    with pytest.raises(CircuitOpenError):
        breaker.enter_as_last_resort()
    tickets.clear()
    tickets.append(breaker.enter_as_last_resort())
    clock.advance(10.0)
    tickets.append(breaker.enter_as_last_resort())

    assert len(set(tickets)) == 2


def test_a_last_resort_takes_no_permit_of_the_trial() -> None:
    """The rest ends while it is out: all trial calls may pass; its outcome is none of theirs."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=2)
    last = breaker.enter_as_last_resort()
    clock.advance(30.0)

    allowed = [breaker.allows() for _ in range(3)]
    breaker.succeeded(last)

    assert (allowed, breaker.state, breaker.figures().calls) == ([True, True, False], "half_open", 0)


def test_where_a_call_may_pass_anyway_it_is_a_call_like_any_other() -> None:
    """Closed: counted in the window. After the rest: a trial call."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", failure_threshold=2, open_for=30.0, half_open_calls=1, clock=clock)

    breaker.failed(breaker.enter_as_last_resort())
    breaker.failed(breaker.enter_as_last_resort())
    opened_by_them = breaker.state
    clock.advance(30.0)
    trial = breaker.enter_as_last_resort()

    assert (opened_by_them, breaker.state, breaker.still_admits(trial)) == ("open", "half_open", True)


def test_no_last_resort_passes_what_a_person_keeps_open() -> None:
    """Maintenance is maintenance."""
    breaker = CircuitBreaker("ecb", clock=ManualClock())
    breaker.force_open("maintenance")

    with pytest.raises(CircuitOpenError, match="maintenance"):
        breaker.enter_as_last_resort()


def test_a_policy_makes_one_attempt_as_a_last_resort() -> None:
    """No retry, and the circuit that was open closes when it is well."""
    clock = ManualClock()
    settings = ProviderResilience(breaker=BreakerSettings(failure_threshold=1, half_open_calls=1))
    policy = ResiliencePolicy("ecb", settings, clock=clock)
    policy.breaker.record_failure()
    asked = list[str]()

    def away() -> str:
        asked.append("away")
        raise ConnectionError("reset")

    with pytest.raises(ConnectionError):
        policy.call(away, retry=RetrySettings(attempts=4), last_resort=True)
    with pytest.raises(CircuitOpenError):
        policy.call(away)

    assert (asked, policy.call(lambda: "rates", last_resort=True), policy.breaker.state) == (
        ["away"],
        "rates",
        "closed",
    )


def test_a_last_resort_that_waited_in_line_asks_anew_when_the_circuit_moved() -> None:
    """Closed meanwhile: then it counts as a call."""
    breaker = opened(ManualClock())
    last = breaker.enter_as_last_resort()
    before = breaker.still_admits(last)

    breaker.close()

    assert (before, breaker.still_admits(last)) == (True, False)
