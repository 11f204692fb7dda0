"""The breaker's promises, one by one, on a clock that only the test moves."""

import math
import random

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, CircuitOpenError, Transition
from utils.resilience.cancellation import Cancelled
from utils.resilience.errors import RateLimitedError


def fail() -> None:
    """A provider that is away."""
    raise ConnectionError("away")


def record(breaker: CircuitBreaker, outcomes: str) -> None:
    """S: a success, F: a failure."""
    for outcome in outcomes:
        if outcome == "S":
            breaker.record_success()
        else:
            breaker.record_failure()


def opened(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """A breaker that has just opened for 30 s."""
    breaker = CircuitBreaker("ecb", **{"failure_threshold": 1, "open_for": 30.0, "clock": clock, **settings})  # type: ignore[arg-type]  # settings of many types
    breaker.record_failure()
    assert breaker.state == "open"
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("FFFF", "closed"),
        ("FFFFF", "open"),
        ("FSFFS", "open"),
        ("SSSFF", "closed"),
        ("SSSSSFFFF", "closed"),
        ("SSSSSFFFFF", "open"),
        ("F" + "S" * 30 + "FFFFFFFFF", "closed"),
    ],
    ids=["below the minimum", "all fail", "60 % with a success last", "40 %", "44 %", "50 %", "what left the window"],
)
def test_the_failure_rate_of_the_last_calls_decides(outcomes: str, state: str) -> None:
    """The circuit opens at half of at least five calls, no sooner and no later."""
    breaker = CircuitBreaker("ecb", clock=ManualClock())

    record(breaker, outcomes)

    assert breaker.state == state


def test_failures_in_a_row_open_it_when_asked_to() -> None:
    """`failure_threshold` counts only an unbroken row, and needs no minimum of calls."""
    breaker = CircuitBreaker("ecb", failure_threshold=3, minimum_calls=20, clock=ManualClock())

    record(breaker, "FFSFF")
    before = breaker.state
    record(breaker, "F")

    assert (before, breaker.state) == ("closed", "open")


def test_slow_calls_open_it() -> None:
    """A provider that answers, but too slowly, is left alone as well."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", slow_call=10.0, clock=clock)

    for _ in range(5):
        breaker.call(clock.advance, 10.0)

    assert breaker.state == "open"
    assert "took 10 s or more" in breaker.figures().reason


def test_quick_calls_are_never_slow() -> None:
    """Just below `slow_call` nothing opens."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", slow_call=10.0, clock=clock)

    for _ in range(30):
        breaker.call(clock.advance, 9.9)

    assert (breaker.state, breaker.figures().slow_rate) == ("closed", 0.0)


def test_an_open_circuit_refuses_with_the_time_to_wait() -> None:
    """The named error carries who, why and how long."""
    clock = ManualClock()
    breaker = opened(clock)
    clock.advance(10.0)

    with pytest.raises(CircuitOpenError, match=r"ecb: circuit open \(1 failure in a row\), next try in 20 s") as caught:
        breaker.call(fail)

    assert (caught.value.name, caught.value.retry_after, breaker.retry_after) == ("ecb", 20.0, 20.0)


def test_after_open_for_exactly_half_open_calls_may_pass() -> None:
    """Two trial calls, then no more until they are judged."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=2)

    clock.advance(30.0)

    assert [breaker.allows() for _ in range(4)] == [True, True, False, False]
    assert breaker.state == "half_open"


def test_successful_trial_calls_close_it() -> None:
    """All of them have to come back well."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=3)
    clock.advance(30.0)

    states = []
    for _ in range(3):
        breaker.call(lambda: "well")
        states.append(breaker.state)

    assert states == ["half_open", "half_open", "closed"]


def test_a_failed_trial_call_opens_it_again() -> None:
    """A provider that is still dead costs one call, not three."""
    clock = ManualClock()
    breaker = opened(clock)
    clock.advance(30.0)

    with pytest.raises(ConnectionError):
        breaker.call(fail)

    assert breaker.state == "open"


def test_a_mostly_well_provider_closes_it() -> None:
    """Trial calls are judged by the rate: one failure of three is below a half."""
    clock = ManualClock()
    breaker = opened(clock, failure_threshold=None, minimum_calls=1)
    clock.advance(30.0)
    breaker.allows()

    record(breaker, "SSF")

    assert breaker.state == "closed"


def test_a_slow_trial_call_opens_it_again() -> None:
    """Slowness is judged in half-open too."""
    clock = ManualClock()
    breaker = opened(clock, slow_call=5.0)
    clock.advance(30.0)

    breaker.call(clock.advance, 5.0)

    assert breaker.state == "open"


def test_the_rest_doubles_with_jitter_up_to_its_maximum() -> None:
    """Each failed trial doubles it, less at most a fifth, never above `max_open_for`."""
    clock = ManualClock()
    breaker = opened(clock, max_open_for=400.0, rng=random.Random(1))

    rests = []
    for _ in range(6):
        rests.append(breaker.retry_after)
        clock.advance(breaker.retry_after)
        breaker.allows()
        breaker.record_failure()

    assert rests[0] == 30.0
    for rest, longest in zip(rests[1:], [60.0, 120.0, 240.0, 400.0, 400.0], strict=True):
        assert 0.8 * longest <= rest <= longest
    assert rests[4] != rests[5]


def test_a_recovery_makes_the_next_rest_short_again() -> None:
    """Once it was closed, doubling starts anew."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=1)
    clock.advance(30.0)
    breaker.allows()
    breaker.record_failure()
    clock.advance(60.0)
    breaker.call(lambda: None)

    breaker.record_failure()

    assert (breaker.retry_after, breaker.figures().times_opened) == (30.0, 1)


@pytest.mark.parametrize(
    "error",
    [KeyError("ignored"), RateLimitedError("ecb", "ecb: no"), Cancelled("Ctrl-C"), KeyboardInterrupt()],
    ids=["ignored by the predicate", "a rejection", "called off", "Ctrl-C"],
)
def test_what_says_nothing_about_the_provider_gives_the_permit_back(error: BaseException) -> None:
    """Neither counted nor lost: the next caller gets the trial call."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=1, is_failure=lambda error: isinstance(error, OSError))
    clock.advance(30.0)

    def raises() -> None:
        raise error

    with pytest.raises(type(error)):
        breaker.call(raises)

    assert (breaker.state, breaker.call(lambda: "well"), breaker.state) == ("half_open", "well", "closed")


def test_a_predicate_that_raises_gives_the_permit_back() -> None:
    """A mistake in the caller's predicate must not leave the circuit stuck."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=1, is_failure=lambda error: bool(1 / 0))
    clock.advance(30.0)

    with pytest.raises(ZeroDivisionError):
        breaker.call(fail)

    assert breaker.allows()


def test_ignored_errors_never_open_it() -> None:
    """They leave the window as it was."""
    breaker = CircuitBreaker("ecb", is_failure=lambda error: False, clock=ManualClock())

    for _ in range(30):
        with pytest.raises(ConnectionError):
            breaker.call(fail)

    assert (breaker.state, breaker.figures().calls, breaker.figures().failure_rate) == ("closed", 0, None)


def test_a_permit_that_never_comes_back_is_lent_again() -> None:
    """A call that hangs must not keep the others out: twice the time of a slow call is enough."""
    clock = ManualClock()
    breaker = opened(clock, half_open_calls=1, slow_call=10.0)
    clock.advance(30.0)
    lost = breaker.enter()

    clock.advance(19.9)
    before = breaker.allows()
    clock.advance(0.1)
    after = breaker.allows()
    breaker.failed(lost, 20.0)  # it came back after all, and tells as much as another

    assert (before, after, breaker.state) == (False, True, "open")


def test_outcomes_of_an_older_phase_are_dropped() -> None:
    """Calls that began before the circuit opened say nothing about the provider after it."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", failure_threshold=1, half_open_calls=1, open_for=30.0, clock=clock)
    early, late = breaker.enter(), breaker.enter()
    breaker.record_failure()
    clock.advance(30.0)
    breaker.allows()

    breaker.failed(early)
    breaker.succeeded(late)

    assert breaker.state == "half_open"


def test_a_fallback_serves_while_it_is_open() -> None:
    """It gets the arguments of the call."""
    breaker = opened(ManualClock(), fallback=lambda currency: f"yesterday's {currency}")

    rate = breaker(lambda currency: f"today's {currency}")

    assert rate("USD") == "yesterday's USD"


def test_a_fallback_does_not_hide_a_failure() -> None:
    """While the circuit is closed the error is the caller's."""
    breaker = CircuitBreaker("ecb", fallback=lambda: None, clock=ManualClock())

    with pytest.raises(ConnectionError):
        breaker.call(fail)


def test_a_with_block_raises_even_with_a_fallback() -> None:
    """A fallback cannot stand in for a body, and the body must not run."""
    breaker = opened(ManualClock(), fallback=lambda: "instead")
    ran = []

    with pytest.raises(CircuitOpenError), breaker:
        ran.append("body")

    assert ran == []


def test_a_with_block_counts_failures_and_slow_bodies() -> None:
    """As a call does."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", minimum_calls=2, slow_call=5.0, clock=clock)

    with breaker:
        clock.advance(5.0)
    with pytest.raises(ConnectionError), breaker:
        fail()

    assert (breaker.state, breaker.figures().failures) == ("open", 1)


def test_blocks_of_two_breakers_may_be_nested_and_left_in_any_order() -> None:
    """Each block finds its own ticket."""
    clock = ManualClock()
    outer, inner = (CircuitBreaker(name, clock=clock) for name in ("outer", "inner"))

    outer.__enter__()
    with outer, inner:
        outer.__exit__(None, None, None)

    assert (outer.figures().calls, inner.figures().calls) == (2, 1)


def test_leaving_a_block_that_was_not_entered_here_is_an_error() -> None:
    """Better a clear word than a permit that is lost in silence."""
    with pytest.raises(RuntimeError, match="breaker ecb: the block was left"):
        CircuitBreaker("ecb").__exit__(None, None, None)


def test_forced_open_stays_open_until_closed_by_hand() -> None:
    """No trial call passes; `retry_after` stays a number to plan with."""
    clock = ManualClock()
    breaker = CircuitBreaker("ecb", clock=clock, max_open_for=3600.0)
    breaker.force_open()

    clock.advance(1e9)
    refused = not breaker.allows()
    wait = breaker.retry_after
    breaker.close()

    assert (refused, wait, breaker.allows()) == (True, 3600.0, True)


def test_reset_forgets_the_counts() -> None:
    """Closed, empty, and all figures at zero."""
    breaker = opened(ManualClock())
    breaker.allows()

    breaker.reset()

    figures = breaker.figures()
    assert (figures.state, figures.calls, figures.failures, figures.rejected, figures.opened) == ("closed", 0, 0, 0, 0)


def test_figures_tell_the_window_and_the_totals() -> None:
    """Rates are of the window; nothing measured is `None`, not zero."""
    breaker = CircuitBreaker("ecb", minimum_calls=4, clock=ManualClock())
    empty = breaker.figures()

    record(breaker, "SSSF")

    figures = breaker.figures()
    assert (empty.calls, empty.failure_rate, empty.slow_rate) == (0, None, None)
    assert (figures.calls, figures.failure_rate, figures.slow_rate, figures.failures) == (4, 0.25, 0.0, 1)


def test_the_listener_hears_every_transition_in_order() -> None:
    """With the reason in words and the end of the rest as epoch seconds."""
    clock, heard = ManualClock(), list[Transition]()
    breaker = opened(clock, half_open_calls=1, listener=heard.append)
    start = clock.time()
    clock.advance(30.0)

    breaker.call(lambda: None)

    assert [(t.before, t.after) for t in heard] == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert (heard[0].name, heard[0].reason, heard[0].open_until) == ("ecb", "1 failure in a row", start + 30.0)


def test_a_listener_that_fails_does_not_disturb_the_call() -> None:
    """It is counted instead."""

    def listener(transition: Transition) -> None:
        raise ValueError("a listener's mistake")

    breaker = opened(ManualClock(), listener=listener)

    assert breaker.figures().listener_errors == 1


def test_a_listener_may_use_the_breaker() -> None:
    """No lock is held while user code runs, and a decision made there is told after this one."""
    clock, heard = ManualClock(), list[str]()

    def listener(transition: Transition) -> None:
        heard.append(transition.after)
        if transition.after == "open":
            breaker.close()

    breaker = CircuitBreaker("ecb", failure_threshold=1, listener=listener, clock=clock)
    breaker.record_failure()

    assert (breaker.state, heard) == ("closed", ["open", "closed"])


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"failure_rate": 0.0}, "failure_rate"),
        ({"failure_rate": 50.0}, "failure_rate"),
        ({"slow_rate": 1.1}, "slow_rate"),
        ({"window": 0}, "window"),
        ({"window": 4}, "minimum_calls"),
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"slow_call": 0.0}, "slow_call"),
        ({"open_for": 0.0}, "open_for"),
        ({"open_for": math.inf}, "open_for"),
        ({"max_open_for": 1.0}, "max_open_for"),
        ({"half_open_calls": 0}, "half_open_calls"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused(settings: dict[str, float], wrong: str) -> None:
    """The message names the key and the wrong value."""
    with pytest.raises(ValueError, match=rf"breaker ecb: {wrong} must be .*, got "):
        CircuitBreaker("ecb", **settings)  # type: ignore[arg-type]  # settings of many types


def test_a_generator_cannot_be_decorated() -> None:
    """Its body runs after the call came back, so its failures would never be seen."""

    def pages():  # type: ignore[no-untyped-def]  # a generator as a user writes it
        yield 1

    with pytest.raises(TypeError, match="breaker ecb: pages is a generator"):
        CircuitBreaker("ecb")(pages)


def test_a_decorated_function_keeps_its_name_and_result() -> None:
    """Arguments and result pass unchanged."""

    @CircuitBreaker("ecb")
    def rate(currency: str, *, factor: int) -> str:
        """A rate."""
        return currency * factor

    assert (rate("x", factor=2), rate.__name__, rate.__doc__) == ("xx", "rate", "A rate.")
