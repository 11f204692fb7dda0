"""What counts as a failure: the caller's types, predicates and classifiers."""

import asyncio
import contextlib

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker


class NotFound(LookupError):
    """The provider is well; what was asked for is not there."""


def make(**settings: object) -> CircuitBreaker:
    """Opens at the first failure."""
    return CircuitBreaker("ecb", **{"failure_threshold": 1, "clock": ManualClock(), **settings})  # type: ignore[arg-type]  # settings of many types


def half_open(**settings: object) -> CircuitBreaker:
    """One trial call may pass."""
    clock = ManualClock()
    breaker = make(half_open_calls=1, clock=clock, **settings)
    breaker.record_failure()
    clock.advance(60.0)
    return breaker


def ends_with(breaker: CircuitBreaker, error: Exception) -> str:
    """The state after a call that raised."""

    def raises() -> None:
        raise error

    with pytest.raises(type(error)):
        breaker.call(raises)
    return breaker.state


@pytest.mark.parametrize(
    "which",
    [OSError, (OSError, EOFError), lambda error: isinstance(error, OSError)],
    ids=["type", "types", "predicate"],
)
@pytest.mark.parametrize(
    ("error", "state"),
    [(ConnectionError("away"), "open"), (NotFound("no rates"), "closed")],
    ids=["one of them", "not"],
)
def test_failures_are_named_by_a_type_by_types_or_by_a_predicate(which: object, error: Exception, state: str) -> None:
    """What is not among them counts nothing."""
    breaker = make(is_failure=which)

    assert ends_with(breaker, error) == state
    assert breaker.figures().failures == (state == "open")


@pytest.mark.parametrize(
    "which",
    [NotFound, (NotFound, KeyError), lambda error: isinstance(error, NotFound)],
    ids=["type", "types", "predicate"],
)
def test_what_is_ignored_counts_nothing_though_it_is_a_failure(which: object) -> None:
    """`ignore` wins over `is_failure`, and gives the permit of a trial call back."""
    breaker = half_open(is_failure=LookupError, ignore=which)

    state = ends_with(breaker, NotFound("no rates"))

    assert (state, breaker.figures().calls, breaker.allows()) == ("half_open", 0, True)


@pytest.mark.parametrize("setting", ["is_failure", "ignore"])
def test_a_predicate_that_raises_leaks_no_permit(setting: str) -> None:
    """Its own mistake is the caller's to see; the next call may try."""
    breaker = half_open(**{setting: lambda error: bool(1 / 0)})

    def raises() -> None:
        raise ConnectionError("away")

    with pytest.raises(ZeroDivisionError):
        breaker.call(raises)

    assert (breaker.state, breaker.allows()) == ("half_open", True)


def says_error(answer: dict[str, str]) -> bool:
    """A 200 whose body says that it is none."""
    return "error" in answer


def test_a_result_that_says_error_counts_as_a_failure_and_is_returned() -> None:
    """Called, decorated and awaited."""
    bad = {"error": "quota"}
    by_call, decorated, awaited = (make(is_failed_result=says_error) for _ in range(3))

    async def answer() -> dict[str, str]:
        return bad

    results = [by_call.call(lambda: bad), decorated(lambda: bad)(), asyncio.run(awaited(answer)())]

    assert results == [bad, bad, bad]
    assert [breaker.state for breaker in (by_call, decorated, awaited)] == ["open", "open", "open"]


def test_results_that_are_well_never_open_it() -> None:
    """The classifier is asked each time, and the window counts each call."""
    breaker = make(is_failed_result=says_error)
    guarded = breaker(lambda: {"rates": "1.08"})

    for _ in range(7):
        guarded()

    assert (breaker.state, breaker.figures().calls, breaker.figures().failures) == ("closed", 7, 0)


def test_a_classifier_that_raises_leaks_no_permit() -> None:
    """The call counts nothing, and the caller hears of the mistake."""
    breaker = half_open(is_failed_result=lambda answer: answer["error"])

    with pytest.raises(KeyError):
        breaker.call(dict)

    assert (breaker.state, breaker.allows()) == ("half_open", True)


@pytest.mark.parametrize("setting", ["is_failure", "ignore", "is_failed_result"])
def test_the_callers_code_may_use_the_breaker(setting: str) -> None:
    """No lock is held while it runs, in closed and in half-open."""
    seen = list[str]()

    def judge(outcome: object) -> bool:
        seen.append(breaker.figures().state)
        return setting == "is_failure"

    breaker = half_open(**{setting: judge})

    def request() -> None:
        if setting != "is_failed_result":
            raise ConnectionError("away")

    with contextlib.suppress(ConnectionError):
        breaker.call(request)

    assert seen == ["half_open"]
